import type { HardState, LogIndex, SnapshotMeta } from '../../../lib/raft/entry.ts'
import type { Append, RaftLog } from '../../../lib/raft/log/log.ts'
import { allEntries, at, digest, hardState, snapshotBytes, stateAt } from './sample.ts'

/** What a log may be after a crash. Entries up to `base` are in the snapshot. */
export interface State {
  readonly base: number
  /** Digests, from `base + 1` on. */
  readonly entries: readonly string[]
  readonly hardState: HardState
}

export const EMPTY: State = { base: 0, entries: [], hardState: hardState(0, 0, 0) }
export const lastOf = (state: State): number => state.base + state.entries.length

/** The log's rules, once more and as simple as can be: what a batch makes of it. */
export function appended(state: State, { entries = [], hardState: next }: Append): State {
  const first = entries[0]
  const kept = first ? state.entries.slice(0, first.index - state.base - 1) : state.entries
  return { base: state.base, entries: [...kept, ...entries.map(digest)], hardState: next ?? state.hardState }
}

/**
 * What was promised, and what was only asked for: a crash may lead to the last state that was acknowledged, or to one that was
 * asked for after it, and to nothing else.
 */
export class Ledger {
  #acknowledged: State = EMPTY
  #asked: State[] = []
  #snapshot: SnapshotMeta | undefined
  #askedSnapshot: SnapshotMeta | undefined

  get acknowledged(): State {
    return this.#acknowledged
  }
  get snapshot(): SnapshotMeta | undefined {
    return this.#snapshot
  }

  ask(state: State): void {
    this.#asked.push(state)
  }

  /** What was asked for before can't come back: it was replaced, or it is part of this. */
  acknowledge(state: State): void {
    this.#asked.splice(0, this.#asked.indexOf(state) + 1)
    this.#acknowledged = state
  }

  askSnapshot(meta: SnapshotMeta): void {
    this.#askedSnapshot = meta
  }

  acknowledgeSnapshot(meta: SnapshotMeta): void {
    this.#snapshot = meta
    this.#askedSnapshot = undefined
  }

  /** What is wrong with a log that was opened after a crash; if nothing, what it holds is acknowledged from now on. */
  async problemWith(log: RaftLog): Promise<string | undefined> {
    const snapshots = [this.#snapshot, this.#askedSnapshot].filter((meta) => meta?.index === log.snapshot?.index)
    if (log.snapshot && snapshots.length === 0) return `a snapshot at ${log.snapshot.index} that nobody asked for`
    if (!log.snapshot && this.#snapshot) return `the snapshot at ${this.#snapshot.index} is lost`
    if (log.snapshot && (await snapshotBytes(log)) !== stateAt(log.snapshot.index)) return 'the snapshot has other bytes'
    if (log.firstIndex > (log.snapshot?.index ?? 0) + 1) return `entries before ${log.firstIndex} are lost`
    const problems = [this.#acknowledged, ...this.#asked].map((state) => difference(log, state))
    const found = problems.indexOf(undefined)
    if (found < 0) return problems.join('; or ')
    this.#acknowledged = [this.#acknowledged, ...this.#asked][found] ?? this.#acknowledged
    this.#asked = []
    if (log.snapshot) this.acknowledgeSnapshot(log.snapshot)
    this.#askedSnapshot = undefined
    return undefined
  }
}

/** Entries under the log's first one are in its snapshot, others have to be the state's. */
function difference(log: RaftLog, state: State): string | undefined {
  if (log.lastIndex !== lastOf(state)) return `the log ends at ${log.lastIndex}, not at ${lastOf(state)}`
  if (JSON.stringify(log.hardState) !== JSON.stringify(state.hardState))
    return `the hard state is ${JSON.stringify(log.hardState)}, not ${JSON.stringify(state.hardState)}`
  const wrong = allEntries(log).find(
    (entry) => entry.index > state.base && digest(entry) !== state.entries[entry.index - state.base - 1],
  )
  return wrong && `entry ${wrong.index} is ${digest(wrong)}, not ${state.entries[wrong.index - state.base - 1]}`
}

/** What an installed snapshot makes of a state. */
export function installed(state: State, meta: SnapshotMeta, append: Append): State {
  const shared = state.entries[meta.index - state.base - 1]?.startsWith(`${meta.index}:${meta.term}:`)
  const joined: State = shared
    ? { ...state, base: meta.index, entries: state.entries.slice(meta.index - state.base) }
    : { ...state, base: meta.index, entries: [] }
  const given = append.hardState ?? state.hardState
  const commit: LogIndex = at(Math.max(given.commit, meta.index))
  const raised: HardState = meta.term > given.term ? { term: meta.term, vote: 0, commit } : { ...given, commit }
  return { ...appended(joined, { entries: append.entries }), hardState: raised }
}
