import type { Entry, HardState, LogIndex, SnapshotMeta, Term } from '../entry.ts'
import type { Batch } from './records.ts'
import type { SegmentHeader } from './segment-header.ts'
import { LogWindow, ORIGIN, type WindowBase } from './window.ts'

export const FRESH: HardState = { term: 0 as Term, vote: 0, commit: 0 as LogIndex }

/** What the batches add up to, in the order in which they were written. A string says what can't be. */
export class Replay {
  readonly window: LogWindow
  hardState: HardState

  /** The first segment that there is: older ones were covered by a snapshot. */
  constructor(first: SegmentHeader) {
    this.window = new LogWindow(before(first.nextIndex))
    this.hardState = first.hardState
  }

  apply(batch: Batch): string | undefined {
    if (batch.base) this.window.reset(batch.base)
    const problem = gapIn(batch.entries, this.window.lastIndex)
    if (problem) return problem
    const first = batch.entries[0]
    // It replaces entries of segments that are gone: the snapshot's index will tell whether anything is missing.
    if (first && first.index < this.window.firstIndex) this.window.reset(before(first.index))
    this.window.append(batch.entries)
    if (batch.hardState) this.hardState = batch.hardState
    return undefined
  }

  /** Joins log and snapshot. */
  finish(snapshot: SnapshotMeta | undefined): Joined | string {
    const { window, hardState } = this
    const covered = snapshot?.index ?? 0
    if (window.base.index > covered)
      return `The log begins at ${window.firstIndex}, but the snapshot ends at ${covered}: what is between is missing`
    if (hardState.commit > Math.max(window.lastIndex, covered))
      return `Entry ${hardState.commit} was committed, but the log ends at ${window.lastIndex}`
    if (!snapshot) return { window, hardState, installing: false }
    if (window.base.index === covered) {
      const entries = window.slice(window.firstIndex, next(window.lastIndex))
      return { window: new LogWindow(snapshot, entries), hardState: raised(hardState, snapshot), installing: false }
    }
    if (window.lastIndex < covered || window.term(snapshot.index) !== snapshot.term)
      return { window, hardState, installing: true }
    if (window.base.term === undefined) window.compact(window.firstIndex)
    return { window, hardState: raised(hardState, snapshot), installing: false }
  }
}

export interface Joined {
  readonly window: LogWindow
  readonly hardState: HardState
  /**
   * The log ends before the snapshot, or has another term at its end (Raft, Figure 13, step 7): it was about to be replaced when
   * the power went. That has to be ended before anything else is written: entries behind the snapshot do not continue this log.
   */
  readonly installing: boolean
}

/** The snapshot may have become durable before the hard state that came with it. Nothing was answered in its term yet. */
export function raised(hardState: HardState, { index, term }: SnapshotMeta): HardState {
  const commit = Math.max(hardState.commit, index) as LogIndex
  return term > hardState.term ? { term, vote: 0, commit } : { ...hardState, commit }
}

const before = (index: LogIndex): WindowBase => (index === 1 ? ORIGIN : { index: (index - 1) as LogIndex, term: undefined })
const next = (index: LogIndex): LogIndex => (index + 1) as LogIndex

/** Whether the entries follow each other and the log's `last` one. */
export function gapIn(entries: readonly Entry[], last: LogIndex): string | undefined {
  const first = entries[0]
  if (!first) return undefined
  if (first.index < 1 || first.index > last + 1) return `Entry ${first.index} follows entry ${last}`
  const wrong = entries.find((entry, i) => entry.index !== first.index + i)
  return wrong && `Entry ${wrong.index} stands where ${first.index + entries.indexOf(wrong)} should`
}
