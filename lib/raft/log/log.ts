import type { Entry, HardState, LogIndex, SnapshotMeta, Term } from '../entry.ts'
import type { Disk } from './disk.ts'
import { demand, type Place } from './failure.ts'
import { segmentName } from './file-names.ts'
import type { Batch } from './records.ts'
import type { SegmentSpan } from './recovery.ts'
import { raised } from './replay.ts'
import { demandLawful } from './rules.ts'
import type { SegmentWriter } from './segment-writer.ts'
import type { Slices } from './snapshot-writer.ts'
import type { Snapshots } from './snapshots.ts'
import type { LogWindow } from './window.ts'

export interface Append {
  readonly entries?: readonly Entry[] | undefined
  readonly hardState?: HardState | undefined
}

/** What an opened log is made of, see `open.ts`. */
export interface LogParts {
  readonly disk: Disk
  readonly window: LogWindow
  readonly hardState: HardState
  readonly snapshots: Snapshots
  readonly writer: SegmentWriter
  /** The segments before the writer's. */
  readonly segments: readonly SegmentSpan[]
  readonly cut: Place | undefined
}

/**
 * A member's durable memory. What it returns is on the disk: a batch shows only when its write has ended.
 *
 * Writes are made one at a time, in the order of the calls; recovery builds on that. A batch is one write: whoever has
 * several things to say says them in one `append`. After `LOG_FULL` the batches that were waiting fail too, since they followed
 * the one that failed; after `LOG_DEAD` everything fails.
 */
export class RaftLog {
  readonly #disk: Disk
  readonly #window: LogWindow
  readonly #snapshots: Snapshots
  readonly #writer: SegmentWriter
  /** What an interrupted write had left and was cut at the start, for the operator. */
  readonly cut: Place | undefined
  #hardState: HardState
  #older: readonly SegmentSpan[]
  #highest: number
  #queue: Promise<unknown> = Promise.resolve()
  /** Whoever was waiting behind a batch that failed gets its error: what they say builds on it. */
  #lastFailure: unknown

  constructor(parts: LogParts) {
    this.#disk = parts.disk
    this.#window = parts.window
    this.#hardState = parts.hardState
    this.#snapshots = parts.snapshots
    this.#writer = parts.writer
    this.cut = parts.cut
    this.#older = parts.segments.slice(0, -1)
    this.#highest = parts.segments.at(-1)?.highest ?? 0
  }

  get hardState(): HardState {
    return this.#hardState
  }
  get snapshot(): SnapshotMeta | undefined {
    return this.#snapshots.current
  }
  get firstIndex(): LogIndex {
    return this.#window.firstIndex
  }
  get lastIndex(): LogIndex {
    return this.#window.lastIndex
  }

  /** Known for the entries that are kept and for the one before them. */
  term(index: LogIndex): Term | undefined {
    return this.#window.term(index)
  }

  /** From `from` up to, but without, `to`. */
  entries(from: LogIndex, to: LogIndex): readonly Entry[] {
    return this.#window.slice(from, to)
  }

  /** Resolves when all of it is durable; entries replace what the log has from the first one's index on. */
  append({ entries = [], hardState }: Append): Promise<void> {
    if (entries.length === 0 && !hardState) return this.#enqueue(async () => undefined)
    return this.#enqueue(() => this.#write({ entries, hardState }))
  }

  /** Writes a snapshot of the state at an entry that was applied, beside the appends. The entries stay until `compact`. */
  async createSnapshot(meta: SnapshotMeta, slices: Slices): Promise<void> {
    const known = this.#window.term(meta.index)
    demand(known === meta.term, () => `entry ${meta.index} is of term ${known}, not ${meta.term}`)
    await this.#snapshots.write(meta, slices)
  }

  /**
   * Takes over a snapshot that the leader sent (Raft, Figure 13), and what came with it: entries behind the snapshot, the hard
   * state. A log that has the snapshot's last entry keeps what follows it; any other is replaced. The snapshot is durable first:
   * until the second write, recovery finds the installation under way, and ends it (`open.ts`).
   */
  async installSnapshot(meta: SnapshotMeta, slices: Slices, { entries = [], hardState }: Append = {}): Promise<void> {
    if (this.snapshot?.index !== meta.index) await this.#snapshots.write(meta, slices) // else the second write failed before
    await this.#enqueue(async () => {
      const agrees = meta.index <= this.#window.lastIndex && this.#window.term(meta.index) === meta.term
      const { index, term } = meta
      demand(agrees || index > this.#hardState.commit, () => `the snapshot at ${index} contradicts the committed log`)
      await this.#write({
        base: agrees ? undefined : { index, term },
        entries,
        hardState: raised(hardState ?? this.#hardState, meta),
      })
    })
    await this.compact(meta.index)
  }

  readSnapshot(): AsyncGenerator<Uint8Array, void, void> {
    return this.#snapshots.read()
  }

  /** Drops entries up to `upTo`, which the snapshot must cover, and the segments that hold no others. */
  compact(upTo: LogIndex): Promise<void> {
    return this.#enqueue(async () => {
      const covered = this.snapshot?.index ?? 0
      demand(upTo <= covered, () => `entries up to ${upTo} are to go, but the snapshot covers ${covered}`)
      this.#window.compact(upTo)
      while (this.#older[0] && this.#older[0].highest <= upTo) {
        await this.#disk.remove(segmentName(this.#older[0].sequence))
        this.#older = this.#older.slice(1)
      }
    })
  }

  /** After the writes that were asked for. */
  close(): Promise<void> {
    return this.#queue.then(() => this.#writer.close())
  }

  async #write(batch: Batch): Promise<void> {
    const { lastIndex } = this.#window
    const snapshotIndex = this.#snapshots.current?.index ?? (0 as LogIndex)
    const afterBase = batch.base?.index ?? lastIndex
    demandLawful(batch, { lastIndex: afterBase, hardState: this.#hardState, snapshotIndex })
    await this.#writeFrame(batch)
    if (batch.base) this.#window.reset(batch.base)
    this.#window.append(batch.entries)
    this.#highest = Math.max(this.#highest, this.#window.lastIndex)
    if (batch.hardState) this.#hardState = batch.hardState
  }

  /** The segment that was left is noted even if the batch then fails in the new one. */
  async #writeFrame(batch: Batch): Promise<void> {
    const sequence = this.#writer.sequence
    const { lastIndex } = this.#window
    try {
      await this.#writer.write(batch, { nextIndex: (lastIndex + 1) as LogIndex, hardState: this.#hardState })
    } finally {
      if (this.#writer.sequence !== sequence) {
        this.#older = [...this.#older, { sequence, highest: this.#highest }]
        this.#highest = lastIndex
      }
    }
  }

  #enqueue(act: () => Promise<void>): Promise<void> {
    const seen = this.#lastFailure
    const turn = this.#queue.then(async () => {
      if (seen !== this.#lastFailure) throw this.#lastFailure
      await act()
    })
    this.#queue = turn.catch((error: unknown) => {
      this.#lastFailure = error
    })
    return turn
  }
}
