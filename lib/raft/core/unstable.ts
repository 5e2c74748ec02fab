import { after, type Entry, type EntryId, type LogIndex, type Snapshot, type Term } from './entry.ts'
import { invariant } from './invariant.ts'

/**
 * The end of the log that is not known to be durable: entries still to be handed out, and entries (or a snapshot) whose
 * write is in progress.
 */
export class Unstable {
  #snapshot: Snapshot | undefined
  #snapshotInProgress = false
  readonly #entries: Entry[] = []
  /** The index of `#entries[0]`; the stable log counts up to here, and whatever it has from here on is about to be replaced. */
  #offset: LogIndex
  /** Entries before this index have been handed out. */
  #offsetInProgress: LogIndex

  constructor(offset: LogIndex) {
    this.#offset = offset
    this.#offsetInProgress = offset
  }

  get offset(): LogIndex {
    return this.#offset
  }

  /** Handed out or not: until it is durable nothing after it can be applied. */
  get snapshot(): Snapshot | undefined {
    return this.#snapshot
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0
  }

  /** Undefined if the stable log has the last entry. */
  get lastIndex(): LogIndex | undefined {
    if (this.#entries.length > 0) return (this.#offset + this.#entries.length - 1) as LogIndex
    return this.#snapshot?.index
  }

  /** Undefined if it has to be asked of the stable log, or does not exist. */
  term(index: LogIndex): Term | undefined {
    if (index >= this.#offset) return this.#entries[index - this.#offset]?.term
    return this.#snapshot?.index === index ? this.#snapshot.term : undefined
  }

  /** From `from` up to, but without, `to`: a copy, since this log goes on changing. */
  slice(from: LogIndex, to: LogIndex): Entry[] {
    const end = this.#offset + this.#entries.length
    invariant(this.#offset <= from && from <= to && to <= end, () => `unstable entries ${from} to ${to} do not exist`)
    return this.#entries.slice(from - this.#offset, to - this.#offset)
  }

  get hasNextEntries(): boolean {
    return this.#offsetInProgress - this.#offset < this.#entries.length
  }

  nextEntries(): Entry[] {
    return this.#entries.slice(this.#offsetInProgress - this.#offset)
  }

  nextSnapshot(): Snapshot | undefined {
    return this.#snapshotInProgress ? undefined : this.#snapshot
  }

  /** All that there is has been handed out. */
  accept(): void {
    this.#offsetInProgress = (this.#offset + this.#entries.length) as LogIndex
    if (this.#snapshot) this.#snapshotInProgress = true
  }

  /**
   * Everything up to `id` is durable. Ignored if the entry there is another one by now: it was replaced while its
   * predecessor was written. The caller has made sure that no write of an earlier term is under way (stable.ts).
   */
  stableTo(id: EntryId): void {
    const place = id.index - this.#offset
    if (place < 0 || this.#entries[place]?.term !== id.term) return
    this.#entries.splice(0, place + 1)
    this.#offset = after(id.index)
    if (this.#offsetInProgress < this.#offset) this.#offsetInProgress = this.#offset
  }

  stableSnapshot(index: LogIndex): void {
    if (this.#snapshot?.index !== index) return
    this.#snapshot = undefined
    this.#snapshotInProgress = false
  }

  restore(snapshot: Snapshot): void {
    this.#snapshot = snapshot
    this.#snapshotInProgress = false
    this.#entries.length = 0
    this.#offset = after(snapshot.index)
    this.#offsetInProgress = this.#offset
  }

  /** `entries` replace everything from their first index on (the paper's figure 2, AppendEntries 3 and 4). */
  truncateAndAppend(entries: readonly Entry[]): void {
    const from = (entries[0] as Entry).index
    invariant(from <= this.#offset + this.#entries.length, () => `entry ${from} would leave a gap in the log`)
    if (from < this.#offset) this.#offset = from
    this.#entries.length = from - this.#offset
    if (this.#offsetInProgress > from) this.#offsetInProgress = from
    for (const entry of entries) this.#entries.push(entry)
  }
}
