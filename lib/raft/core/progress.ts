import { after, before, type LogIndex, type MemberId, ORIGIN } from './entry.ts'
import { type InflightLimits, Inflights } from './inflights.ts'
import { invariant } from './invariant.ts'

/**
 * How a leader talks to a follower. `probe`: one message at a time, to find where the logs agree; `replicate`: as many ahead
 * as the limits allow; `snapshot`: nothing until a snapshot has arrived.
 */
export type ProgressState = 'probe' | 'replicate' | 'snapshot'

/** What a leader knows of one member's log (matchIndex and nextIndex of the paper's figure 2) and how it paces itself. */
export class Progress {
  readonly id: MemberId
  /** The follower's log agrees with the leader's up to here. */
  match: LogIndex = ORIGIN
  /** The next entry to send; those between `match` and it are under way. Always above `match`. */
  next: LogIndex
  state: ProgressState = 'probe'
  isLearner = false
  /** Whether it was heard of since the leader last checked its quorum. */
  recentActive = false
  /** Nothing more is sent until an answer to a heartbeat: to a probed follower, and to one whose inflights are full. */
  paused = false
  /** In `snapshot`: the index of the one that was sent. */
  pendingSnapshot: LogIndex = ORIGIN
  /**
   * The commit index of the latest message to the follower, which need not hold all entries up to there. A heartbeat may
   * lower it: what was said before that may be lost, and is said again.
   */
  sentCommit: LogIndex = ORIGIN
  /** The latest round of read confirmation that it answered; see read-index.ts. */
  ackedRound = 0
  readonly inflights: Inflights

  constructor(id: MemberId, next: LogIndex, limits: InflightLimits) {
    this.id = id
    this.next = next
    this.inflights = new Inflights(limits)
  }

  /** As a new leader sees everyone: all unknown, and optimistic that the logs agree (figure 2: "initialized to last + 1"). */
  reset(next: LogIndex): void {
    this.#enter('probe')
    this.match = ORIGIN
    this.next = next
    this.recentActive = false
    this.sentCommit = ORIGIN
    this.ackedRound = 0
  }

  becomeProbe(): void {
    // A snapshot that was sent is believed to have arrived; if it has not, the rejection says so.
    const next = this.state === 'snapshot' ? Math.max(this.match, this.pendingSnapshot) + 1 : this.match + 1
    this.#enter('probe')
    this.#rewind(next as LogIndex)
  }

  becomeReplicate(): void {
    this.#enter('replicate')
    this.#rewind(after(this.match))
  }

  becomeSnapshot(index: LogIndex): void {
    this.#enter('snapshot')
    this.pendingSnapshot = index
    this.next = after(index)
    this.sentCommit = index
  }

  /** It did not arrive: the next probe begins where it did before. */
  abandonSnapshot(): void {
    this.pendingSnapshot = ORIGIN
  }

  /** After a MsgApp with `count` entries of together `bytes`. */
  sentEntries(count: number, bytes: number): void {
    if (this.state === 'probe') {
      if (count > 0) this.paused = true
      return
    }
    invariant(this.state === 'replicate', () => `entries sent to ${this.id}, which waits for a snapshot`)
    if (count > 0) {
      this.next = (this.next + count) as LogIndex
      this.inflights.add(before(this.next), bytes)
    }
    // Full inflights may all have been lost; one empty message per heartbeat finds out.
    this.paused = this.inflights.full
  }

  /** After any message that carries the commit index. */
  sentCommitIndex(commit: LogIndex): void {
    this.sentCommit = commit
  }

  /** Whether a message with this commit index would tell the follower something new. */
  canBumpCommit(commit: LogIndex): boolean {
    return commit > this.sentCommit && this.sentCommit < this.next - 1
  }

  /** The follower acknowledged `index`. False for what was known already: an old or repeated answer. */
  acknowledge(index: LogIndex): boolean {
    if (index <= this.match) return false
    this.match = index
    if (this.next <= index) this.next = after(index)
    this.paused = false
    return true
  }

  /** The follower refused what followed `rejected`, and suggests `hint`. False for an old answer, which changes nothing. */
  retreat(rejected: LogIndex, hint: LogIndex): boolean {
    if (this.state === 'replicate') {
      if (rejected <= this.match) return false
      this.#rewind(after(this.match))
      return true
    }
    // A probe asks about `next - 1`; an answer about anything else belongs to an earlier one.
    if (this.next - 1 !== rejected) return false
    this.#rewind(Math.max(Math.min(rejected, hint + 1), this.match + 1) as LogIndex)
    this.paused = false
    return true
  }

  /** Whether nothing may be sent now. */
  get isPaused(): boolean {
    return this.state === 'snapshot' || this.paused
  }

  #enter(state: ProgressState): void {
    this.state = state
    this.paused = false
    this.pendingSnapshot = ORIGIN
    this.inflights.clear()
  }

  #rewind(next: LogIndex): void {
    this.next = next
    if (this.sentCommit > next - 1) this.sentCommit = before(next)
  }
}
