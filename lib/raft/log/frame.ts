import { crc32 } from 'node:zlib'
import { type Batch, decodeBatch, encodeBatch, encodedBytes } from './records.ts'
import { fromSectors, ROOM, SECTOR, sectorsFor, stateOf, toSectors } from './sectors.ts'

/**
 * A frame is one durable write: a batch of records, in whole sectors of its own. Its content begins with
 *
 *     0  CRC-32 of bytes 4 to 23, seeded with the segment's sum: a header of another segment is none
 *     4  CRC-32 of bytes 8 to the end of the last sector, seeded with the chain before: this frame's link
 *     8  the chain before
 *    12  the sector of the segment at which the frame begins
 *    16  bytes of records
 *    20  number of entries
 *    24  records
 *
 * A record has no sum of its own, since it never counts without its batch: the frame's covers kind, term, index, length and
 * payload of each, and, being chained, everything before.
 */
const HEADER = 24
/** A batch is in memory as a whole, more than once. */
export const MAX_FRAME_BYTES: number = 64 * 1024 * 1024

export interface FrameHeader {
  readonly chain: number
  readonly before: number
  readonly sector: number
  readonly sectors: number
  readonly bodyBytes: number
}

/** Where a frame goes. */
export interface Slot {
  /** The segment's sum, see `segment-header.ts`. */
  readonly seed: number
  readonly before: number
  readonly sector: number
}

export const frameSectors = (batch: Batch): number => sectorsFor(HEADER + encodedBytes(batch))

export function encodeFrame(batch: Batch, slot: Slot): { readonly bytes: Buffer; readonly chain: number } {
  const bodyBytes = encodedBytes(batch)
  const content = Buffer.alloc(sectorsFor(HEADER + bodyBytes) * ROOM)
  content.writeUInt32LE(slot.before, 8)
  content.writeUInt32LE(slot.sector, 12)
  content.writeUInt32LE(bodyBytes, 16)
  content.writeUInt32LE(batch.entries.length, 20)
  encodeBatch(batch, content, HEADER)
  const chain = crc32(content.subarray(8), slot.before)
  content.writeUInt32LE(chain, 4)
  content.writeUInt32LE(crc32(content.subarray(4, HEADER), slot.seed), 0)
  return { bytes: toSectors(content), chain }
}

/** The header at `sector`, if a write to this segment began one there: it is one sector's, so it is there or it is not. */
export function headerAt(segment: Buffer, sector: number, seed: number): FrameHeader | undefined {
  const at = sector * SECTOR
  const header = segment.subarray(at, at + HEADER)
  if (header.length < HEADER || crc32(header.subarray(4), seed) !== header.readUInt32LE(0)) return undefined
  const bodyBytes = header.readUInt32LE(16)
  const found = { chain: header.readUInt32LE(4), before: header.readUInt32LE(8), sector: header.readUInt32LE(12), bodyBytes }
  const sectors = sectorsFor(HEADER + bodyBytes)
  return found.sector === sector && at + sectors * SECTOR <= segment.length ? { ...found, sectors } : undefined
}

/** The frame's records, if every byte is as it was written. */
export function readFrame(segment: Buffer, header: FrameHeader): Batch | 'unwritten' | 'damaged' {
  const bytes = segment.subarray(header.sector * SECTOR, (header.sector + header.sectors) * SECTOR)
  const state = stateOf(bytes)
  if (state !== 'whole') return state
  const content = fromSectors(bytes)
  if (crc32(content.subarray(8), header.before) !== header.chain) return 'damaged'
  const batch = decodeBatch(content.subarray(HEADER, HEADER + header.bodyBytes))
  return batch && batch.entries.length === content.readUInt32LE(20) ? batch : 'damaged'
}
