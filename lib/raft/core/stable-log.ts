import type { Entry, LogIndex, Snapshot, Term } from './entry.ts'

/**
 * What is durable, as far as the core may read it: at once, without waiting. A port; the node keeps it up to date.
 *
 * An implementation keeps recent entries in memory. It may say "not at hand" (undefined) for old ones as if they were
 * compacted: who needs them gets a snapshot.
 */
export interface StableLog {
  /** Of the first entry that is kept. */
  firstIndex(): LogIndex
  /** Of the last entry, or of the snapshot if there is none after it. */
  lastIndex(): LogIndex
  /** Also of `firstIndex() - 1`, so that the first entry's predecessor can be compared. Undefined for any other index. */
  term(index: LogIndex): Term | undefined
  /** From `from` up to, but without, `to`: as many as fit into `maxBytes`, at least one; undefined if `from` is not at hand. */
  entries(from: LogIndex, to: LogIndex, maxBytes: number): readonly Entry[] | undefined
  /** Undefined if there is none to send right now: the leader asks again. */
  snapshot(): Snapshot | undefined
}
