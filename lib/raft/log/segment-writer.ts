import type { HardState, LogIndex } from '../entry.ts'
import { blank } from './blank.ts'
import type { Disk, DiskFile } from './disk.ts'
import { segmentName, temporary } from './file-names.ts'
import { encodeFrame, frameSectors } from './frame.ts'
import type { Identity } from './identity.ts'
import type { Batch } from './records.ts'
import { SECTOR } from './sectors.ts'
import { encodeSegmentHeader } from './segment-header.ts'
import { SpareSegment } from './spare-segment.ts'

/** Where the next frame goes. */
export interface WritePosition {
  readonly file: DiskFile
  readonly sequence: number
  /** Size of the segment. */
  readonly sectors: number
  /** The segment's sum. */
  readonly seed: number
  readonly chain: number
  readonly sector: number
}

/** What a new segment repeats of the log, as it is before the batch that begins it. */
export interface LogHead {
  readonly nextIndex: LogIndex
  readonly hardState: HardState
}

export interface SegmentSettings {
  readonly identity: Identity
  readonly segmentBytes: number
}

/** Appends frames, one at a time; goes on to a new segment when one does not fit. */
export class SegmentWriter {
  readonly #disk: Disk
  readonly #settings: SegmentSettings
  readonly #spare: SpareSegment
  #at: WritePosition
  /** Sectors at the end that a failed write may have touched: zeros again before anything else is written. */
  #dirtySectors = 0
  /** Set while a new segment may have got its name: then the old one must take nothing more, whatever fails. */
  #leaving = false

  constructor(disk: Disk, settings: SegmentSettings, at: WritePosition) {
    this.#disk = disk
    this.#settings = settings
    this.#spare = new SpareSegment(disk, Math.floor(settings.segmentBytes / SECTOR))
    this.#at = at
  }

  get sequence(): number {
    return this.#at.sequence
  }

  /** Resolves when the batch is durable. After `LOG_FULL` nothing of it counts, and the next one is welcome. */
  async write(batch: Batch, head: LogHead): Promise<void> {
    const sectors = frameSectors(batch)
    await this.#wipe()
    if (this.#leaving || this.#at.sector + sectors > this.#at.sectors) await this.#roll(sectors, head)
    const { file, seed, chain: before, sector } = this.#at
    const frame = encodeFrame(batch, { seed, before, sector })
    this.#dirtySectors = sectors
    await file.writeDurably(sector * SECTOR, frame.bytes)
    this.#dirtySectors = 0
    this.#at = { ...this.#at, chain: frame.chain, sector: sector + sectors }
    if (this.#at.sector > this.#at.sectors / 2) this.#spare.prepare(this.#at.sequence + 1)
  }

  async close(): Promise<void> {
    await this.#spare.close()
    await this.#at.file.close()
  }

  /** Were a shorter frame written over a torn one, what sticks out behind it would be taken for damage. */
  async #wipe(): Promise<void> {
    await blank(this.#at.file, this.#at.sector, this.#dirtySectors)
    this.#dirtySectors = 0
  }

  async #roll(sectors: number, head: LogHead): Promise<void> {
    const sequence = this.#at.sequence + 1
    const file = await this.#spare.take(sequence, sectors + 1)
    this.#leaving = true
    const next = await beginSegment(this.#disk, { ...this.#settings, ...head, sequence, before: this.#at.chain }, file)
    this.#leaving = false
    await this.#at.file.close()
    this.#at = next
  }
}

interface NewSegment extends SegmentSettings, LogHead {
  readonly sequence: number
  readonly before: number
}

/** The file of zeros becomes a segment in one step, the rename: no segment has ever half a header or a wrong size. */
export async function beginSegment(disk: Disk, segment: NewSegment, file: DiskFile): Promise<WritePosition> {
  const { identity, sequence, before, nextIndex, hardState } = segment
  const sectors = (await file.size()) / SECTOR
  const header = encodeSegmentHeader(identity, { sequence, before, nextIndex, hardState, sectors })
  try {
    await file.writeDurably(0, header.bytes)
    await disk.rename(temporary(segmentName(sequence)), segmentName(sequence))
    await disk.syncDirectory()
  } catch (error) {
    await file.close()
    throw error
  }
  return { file, sequence, sectors, seed: header.seed, chain: header.seed, sector: 1 }
}
