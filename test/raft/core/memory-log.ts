import { NO_MEMBERS } from '../../../lib/raft/core/configuration.ts'
import {
  type Entry,
  type EntryId,
  fitting,
  type HardState,
  type LogIndex,
  NO_DATA,
  NO_HARD_STATE,
  type Snapshot,
  type Term,
} from '../../../lib/raft/core/entry.ts'
import type { StableLog } from '../../../lib/raft/core/stable-log.ts'

/** A log that survives the member, not the process: what a test lets crash is only the core. */
export class MemoryLog implements StableLog {
  hardState: HardState = NO_HARD_STATE
  #base: EntryId
  #entries: Entry[] = []
  /** What `snapshot()` gives; a test may put another function here. */
  latestSnapshot: () => Snapshot | undefined

  constructor(snapshot: Snapshot = { index: 0 as LogIndex, term: 0 as Term, configuration: NO_MEMBERS, data: NO_DATA }) {
    this.#base = snapshot
    this.latestSnapshot = () => (snapshot.index > 0 ? snapshot : undefined)
  }

  firstIndex(): LogIndex {
    return (this.#base.index + 1) as LogIndex
  }
  lastIndex(): LogIndex {
    return (this.#base.index + this.#entries.length) as LogIndex
  }
  term(index: LogIndex): Term | undefined {
    return index === this.#base.index ? this.#base.term : this.#entries[index - this.firstIndex()]?.term
  }
  entries(from: LogIndex, to: LogIndex, maxBytes: number): readonly Entry[] | undefined {
    if (from < this.firstIndex()) return undefined
    const entries = this.#entries.slice(from - this.firstIndex(), to - this.firstIndex())
    return entries.slice(0, fitting(entries, maxBytes))
  }
  snapshot(): Snapshot | undefined {
    return this.latestSnapshot()
  }

  /** As a disk does it: hard state, then a snapshot or entries, which replace what there is from their first index on. */
  write(hardState: HardState | undefined, snapshot: Snapshot | undefined, entries: readonly Entry[]): void {
    if (hardState) this.hardState = hardState
    if (snapshot) {
      this.#base = snapshot
      this.#entries = []
      this.latestSnapshot = () => snapshot
    }
    const first = entries[0]
    if (!first) return
    if (first.index > this.lastIndex() + 1)
      throw new Error(`A gap before entry ${first.index}: the log ends at ${this.lastIndex()}`)
    this.#entries.splice(first.index - this.firstIndex(), Number.POSITIVE_INFINITY, ...entries)
  }

  /** Forgets the entries up to `index`. */
  compact(index: LogIndex): void {
    const term = this.term(index)
    if (term === undefined) throw new Error(`No entry ${index} to compact to`)
    this.#entries.splice(0, index - this.#base.index)
    this.#base = { index, term }
  }
}
