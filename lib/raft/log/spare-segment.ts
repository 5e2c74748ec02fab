import type { Disk, DiskFile } from './disk.ts'
import { segmentName, temporary } from './file-names.ts'
import { SECTOR } from './sectors.ts'

/** The next segment's file, made of zeros while the current one is filled, so that a batch that finds no room need not wait. */
export class SpareSegment {
  readonly #disk: Disk
  readonly #sectors: number
  #prepared: Promise<DiskFile | undefined> | undefined

  constructor(disk: Disk, sectors: number) {
    this.#disk = disk
    this.#sectors = sectors
  }

  /** Begins in the background; a failure shows when the segment is needed. */
  prepare(sequence: number): void {
    this.#prepared ??= makeZeros(this.#disk, sequence, this.#sectors).catch(() => undefined)
  }

  /** A file of zeros under the segment's temporary name, with at least `sectors` and one for the header. */
  async take(sequence: number, sectors: number): Promise<DiskFile> {
    const prepared = await this.#prepared
    this.#prepared = undefined
    if (prepared && sectors <= this.#sectors) return prepared
    await prepared?.close()
    return await makeZeros(this.#disk, sequence, Math.max(sectors, this.#sectors))
  }

  async close(): Promise<void> {
    const prepared = await this.#prepared
    await prepared?.close()
  }
}

/** Content and size are durable when this resolves. */
export async function makeZeros(disk: Disk, sequence: number, sectors: number): Promise<DiskFile> {
  const name = temporary(segmentName(sequence))
  const file = await disk.create(name)
  try {
    await file.preallocate(sectors * SECTOR)
    await file.sync()
    return file
  } catch (error) {
    await file.close()
    await disk.remove(name).catch(() => undefined) // a full disk gets its room back; else the next start removes it
    throw error
  }
}
