import type { DiskFile } from './disk.ts'
import { SECTOR } from './sectors.ts'

/** A piece of zeros, so that a large segment does not need as much memory. */
const PIECE_SECTORS = 2048

/**
 * Turns sectors that an interrupted write may have touched back into zeros, so that behind the log's end there is never anything
 * else, and the marks keep their meaning.
 *
 * The first sector's mark goes first, by a write of one byte, which can't be torn: were the zeros torn in the middle of that
 * sector, it would have a mark and no header, as a damaged one has.
 */
export async function blank(file: DiskFile, sector: number, sectors: number): Promise<void> {
  if (sectors === 0) return
  await file.writeDurably((sector + 1) * SECTOR - 1, Buffer.alloc(1))
  for (let done = 0; done < sectors; done += PIECE_SECTORS) {
    const count = Math.min(PIECE_SECTORS, sectors - done)
    await file.writeDurably((sector + done) * SECTOR, Buffer.alloc(count * SECTOR))
  }
}
