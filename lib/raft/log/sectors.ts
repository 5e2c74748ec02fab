import { asBuffer } from './bytes.ts'

/**
 * The log is written in whole sectors of 512 bytes, and the last byte of each is a mark.
 *
 * Segments start as zeros. A write that was interrupted leaves some sectors as they were, or writes a beginning of them: such
 * a sector has no mark. A sector with its mark was written to its end. So a frame that is not right though all of its marks
 * are there was not torn: it was written, perhaps acknowledged, and has been damaged since. This is what tells the last
 * acknowledged batch with a flipped bit from a batch that never was acknowledged, and no checksum can tell.
 *
 * Because frames begin on sectors of their own, an interrupted write never touches a sector that holds acknowledged bytes.
 */
export const SECTOR = 512
/** Bytes of content in a sector. */
export const ROOM: number = SECTOR - 1
/** Four bits set: one flipped bit neither makes a mark of a zero nor a zero of a mark. */
const MARK = 0xa5

export const sectorsFor = (contentBytes: number): number => Math.ceil(contentBytes / ROOM)

/** `content` laid out in sectors, the last one filled up with zeros. */
export function toSectors(content: Buffer): Buffer {
  const count = sectorsFor(content.length)
  const out = Buffer.alloc(count * SECTOR)
  for (let sector = 0; sector < count; sector++) {
    content.copy(out, sector * SECTOR, sector * ROOM, (sector + 1) * ROOM)
    out[(sector + 1) * SECTOR - 1] = MARK
  }
  return out
}

/** The content of whole sectors, with the zeros that fill up the last one. */
export function fromSectors(bytes: Uint8Array): Buffer {
  const source = asBuffer(bytes)
  const count = bytes.length / SECTOR
  const out = Buffer.allocUnsafe(count * ROOM)
  for (let sector = 0; sector < count; sector++) source.copy(out, sector * ROOM, sector * SECTOR, (sector + 1) * SECTOR - 1)
  return out
}

/**
 * - `whole`: every mark is right;
 * - `unwritten`: a sector was never written to its end (no mark, or one stray bit in its place);
 * - `damaged`: all were written, and a mark is wrong.
 */
export function stateOf(bytes: Uint8Array): 'whole' | 'unwritten' | 'damaged' {
  let whole = true
  for (let at = SECTOR - 1; at < bytes.length; at += SECTOR) {
    const mark = bytes[at] ?? 0
    if ((mark & (mark - 1)) === 0) return 'unwritten'
    whole &&= mark === MARK
  }
  return whole ? 'whole' : 'damaged'
}

/** The end of what is not zero, in whole sectors from the start of `bytes`. */
export function usedSectors(bytes: Uint8Array): number {
  const buffer = asBuffer(bytes)
  for (let sector = Math.ceil(bytes.length / SECTOR); sector > 0; sector--) {
    const part = buffer.subarray((sector - 1) * SECTOR, sector * SECTOR)
    if (part.compare(ZEROS, 0, part.length) !== 0) return sector
  }
  return 0
}

const ZEROS = Buffer.alloc(SECTOR)
