import {
  after,
  before,
  bytesOf,
  type Entry,
  type EntryId,
  fitting,
  isConfChange,
  type LogIndex,
  type Snapshot,
  type Term,
} from './entry.ts'
import { invariant } from './invariant.ts'
import type { StableLog } from './stable-log.ts'
import { Unstable } from './unstable.ts'

export interface LogLimits {
  /** Of the committed entries that are handed out and not yet applied. */
  readonly maxApplyingBytes: number
}

/** The log as the protocol sees it: what is stable, what is not yet, and how far it is committed and applied. */
export class LogView {
  readonly #stable: StableLog
  readonly #unstable: Unstable
  readonly #limits: LogLimits
  #committed: LogIndex
  /** Handed out for application up to here; between `applied` and `committed`. */
  #applying: LogIndex
  #applied: LogIndex
  #applyingBytes = 0
  #applyingPaused = false

  constructor(stable: StableLog, limits: LogLimits) {
    this.#stable = stable
    this.#limits = limits
    this.#unstable = new Unstable(after(stable.lastIndex()))
    this.#committed = this.#applying = this.#applied = before(stable.firstIndex())
  }

  get unstable(): Unstable {
    return this.#unstable
  }
  get committed(): LogIndex {
    return this.#committed
  }
  get applied(): LogIndex {
    return this.#applied
  }
  get firstIndex(): LogIndex {
    const { snapshot } = this.#unstable
    return snapshot ? after(snapshot.index) : this.#stable.firstIndex()
  }
  get lastIndex(): LogIndex {
    return this.#unstable.lastIndex ?? this.#stable.lastIndex()
  }
  get lastTerm(): Term {
    const term = this.term(this.lastIndex)
    invariant(term !== undefined, () => `the log's last entry ${this.lastIndex} has no term`)
    return term
  }

  /** Undefined outside of the log. The entry before the first one is known by its term. */
  term(index: LogIndex): Term | undefined {
    const unstable = this.#unstable.term(index)
    if (unstable !== undefined) return unstable
    if (index + 1 < this.firstIndex || index >= this.#unstable.offset) return undefined
    return this.#stable.term(index)
  }

  /** Thesis §3.6.1: the later last term wins; with the same, the longer log. */
  isUpToDate(lastLogTerm: Term, lastLogIndex: LogIndex): boolean {
    const { lastTerm } = this
    return lastLogTerm > lastTerm || (lastLogTerm === lastTerm && lastLogIndex >= this.lastIndex)
  }

  /** From `from` on, at most `maxBytes` but at least one; undefined if `from` is not at hand any more. */
  entries(from: LogIndex, maxBytes: number): readonly Entry[] | undefined {
    return this.slice(from, after(this.lastIndex), maxBytes)
  }

  /** From `from` up to, but without, `to`. */
  slice(from: LogIndex, to: LogIndex, maxBytes: number): readonly Entry[] | undefined {
    if (from >= to) return []
    if (from < this.firstIndex) return undefined
    const { offset } = this.#unstable
    if (from >= offset) return limited(this.#unstable.slice(from, to), maxBytes)
    const end = to < offset ? to : offset
    const stable = this.#stable.entries(from, end, maxBytes)
    invariant(stable === undefined || stable.length > 0, () => `the stable log has lost entry ${from}`)
    if (stable === undefined || to <= offset || stable.length < end - from) return stable
    return limited([...stable, ...this.#unstable.slice(offset, to)], maxBytes)
  }

  /** The state at some index up to `applied`: one that is being installed, or the latest that was taken. */
  snapshot(): Snapshot | undefined {
    return this.#unstable.snapshot ?? this.#stable.snapshot()
  }

  /** Adds `entries` and cuts off whatever conflicts with them. */
  append(entries: readonly Entry[]): void {
    const first = entries[0]
    if (first === undefined) return
    invariant(first.index > this.#committed, () => `entry ${first.index} would replace a committed one (${this.#committed})`)
    this.#unstable.truncateAndAppend(entries)
  }

  /** Never backwards. */
  commitTo(index: LogIndex): void {
    if (index <= this.#committed) return
    invariant(
      index <= this.lastIndex,
      () => `entry ${index} is committed, but the log ends at ${this.lastIndex}: it was cut or lost`,
    )
    this.#committed = index
  }

  restore(snapshot: Snapshot): void {
    this.#unstable.restore(snapshot)
    this.#committed = snapshot.index
  }

  /** The last index that may be handed out for application, given whether entries may be applied that are not yet durable. */
  #appliable(allowUnstable: boolean): LogIndex {
    const durable = before(this.#unstable.offset)
    return allowUnstable || this.#committed < durable ? this.#committed : durable
  }

  hasNextCommitted(allowUnstable: boolean): boolean {
    // A snapshot that is on its way replaces the state: nothing may be applied to the old one.
    if (this.#applyingPaused || this.#unstable.snapshot) return false
    return this.#applying < this.#appliable(allowUnstable)
  }

  nextCommitted(allowUnstable: boolean): readonly Entry[] {
    if (!this.hasNextCommitted(allowUnstable)) return []
    const room = this.#limits.maxApplyingBytes - this.#applyingBytes
    const entries = this.slice(after(this.#applying), after(this.#appliable(allowUnstable)), room)
    invariant(entries !== undefined, () => `entry ${this.#applying + 1} was compacted before it was applied`)
    return entries
  }

  /** `entries`, from `nextCommitted`, have been handed out. */
  acceptApplying(entries: readonly Entry[], allowUnstable: boolean): void {
    const last = entries.at(-1)
    if (last === undefined) return
    this.#applying = last.index
    this.#applyingBytes += bytesOf(entries)
    const cutShort = last.index < this.#appliable(allowUnstable)
    this.#applyingPaused = cutShort || this.#applyingBytes >= this.#limits.maxApplyingBytes
  }

  appliedTo(index: LogIndex, bytes: number): void {
    invariant(this.#applied <= index && index <= this.#committed, () => `entry ${index} is applied, ${this.#committed} committed`)
    this.#applied = index
    if (this.#applying < index) this.#applying = index
    this.#applyingBytes = Math.max(0, this.#applyingBytes - bytes)
    this.#applyingPaused = this.#applyingBytes >= this.#limits.maxApplyingBytes
  }

  /** Whether a configuration change is committed that this member has not applied: its own configuration is out of date. */
  hasUnappliedConfChange(): boolean {
    // What is compacted was applied, though the state machine's answer may still be on its way.
    let from = this.firstIndex > this.#applied ? this.firstIndex : after(this.#applied)
    while (from <= this.#committed) {
      const page = this.slice(from, after(this.#committed), this.#limits.maxApplyingBytes)
      invariant(page !== undefined, () => `entry ${from} was compacted before it was applied`)
      if (page.some(isConfChange)) return true
      from = (from + page.length) as LogIndex
    }
    return false
  }

  /**
   * The highest index up to `index` at which an entry of a log with `term` there can be the same: terms never decrease in
   * a log, so wherever ours is later than `term` the logs cannot agree. Finds the place in one step per term instead of one
   * per entry (thesis §3.5, "the number of rejected AppendEntries"). Term 0: not known here.
   */
  possibleAgreement(index: LogIndex, term: Term): EntryId {
    for (let at = index; at > 0; at--) {
      const ours = this.term(at)
      if (ours === undefined || ours <= term) return { term: ours ?? (0 as Term), index: at }
    }
    return { term: 0 as Term, index: 0 as LogIndex }
  }
}

function limited(entries: Entry[], maxBytes: number): readonly Entry[] {
  const count = fitting(entries, maxBytes)
  return count < entries.length ? entries.slice(0, count) : entries
}
