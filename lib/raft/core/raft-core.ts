import { type ConfChange, encodeConfChange } from './conf-change.ts'
import type { Configuration } from './configuration.ts'
import { standForElection } from './election.ts'
import type { Entry, MemberId } from './entry.ts'
import { forgetLeader } from './follower.ts'
import type { Message, StorageResponse } from './messages.ts'
import type { RaftOptions } from './options.ts'
import { type Proposed, propose } from './proposal.ts'
import { RaftState } from './raft-state.ts'
import { type ReadOutcome, readIndex } from './read-index.ts'
import type { Ready } from './ready.ts'
import { reportSnapshot, reportUnreachable } from './replication.ts'
import { handleStorageAppended, handleStorageApplied } from './stable.ts'
import { type RaftStatus, statusOf } from './status.ts'
import { type StepOutcome, step } from './step.ts'
import { applyConfChange } from './switch-configuration.ts'
import { ReadyTaker } from './take-ready.ts'
import { tick } from './tick.ts'
import { transferLeader } from './transfer.ts'

/**
 * One member of a Raft group, as a pure state machine: it takes messages, ticks and requests, and says in `ready()` what to
 * write, send and apply, and in which order. It does no I/O, knows no clock and no promise; the same calls in the same order
 * give the same results.
 *
 * After Ongaro, "Consensus: Bridging Theory and Practice" (2014); the files beside this one bear the names of its rules.
 *
 * @example
 * for (;;) {
 *   // … step(message), tick(), propose(data)
 *   if (!core.hasReady()) continue
 *   const ready = core.ready()
 *   disk.write(ready.hardState, ready.snapshot, ready.entries)
 *   network.send(ready.messages)
 *   for (const entry of ready.committedEntries) apply(entry)
 *   core.advance()
 * }
 */
export class RaftCore {
  readonly #raft: RaftState
  readonly #taker: ReadyTaker

  /** As it was when it stopped, or as a new member. It is a follower that knows no leader. */
  constructor(options: RaftOptions) {
    this.#raft = new RaftState(options)
    this.#taker = new ReadyTaker(this.#raft)
  }

  /** A message of another member has arrived, or (asynchronous storage) a response that a storage message carried. */
  step(message: Message | StorageResponse): StepOutcome {
    switch (message.type) {
      case 'MsgStorageAppendResp':
        handleStorageAppended(this.#raft, message)
        return 'done'
      case 'MsgStorageApplyResp':
        handleStorageApplied(this.#raft, message)
        return 'done'
      default:
        return step(this.#raft, message)
    }
  }

  tick(): void {
    tick(this.#raft)
  }

  /** Stands for election now, as if the election timeout had passed. */
  campaign(): void {
    standForElection(this.#raft, this.#raft.settings.preVote ? 'pre-vote' : 'vote')
  }

  /** Adds one entry for each of `data` to the log, at once or not at all. They are sent together. */
  propose(...data: readonly Uint8Array[]): Proposed {
    return propose(
      this.#raft,
      data.map((each) => ({ kind: 'normal', data: each })),
    )
  }

  proposeConfChange(change: ConfChange): Proposed {
    return propose(this.#raft, [{ kind: 'conf-change', data: encodeConfChange(change) }])
  }

  /** A committed configuration change is being applied. Returns the configuration from here on, for the next snapshot. */
  applyConfChange(entry: Entry): Configuration {
    return applyConfChange(this.#raft, entry)
  }

  /**
   * Asks for an index at which a read is linearizable. The answer is a `ReadState` with the same `context` in some later
   * Ready; there is none if the leader changes first, so a follower's reads, and a former leader's, are asked anew.
   */
  readIndex(context: number): ReadOutcome {
    return readIndex(this.#raft, context)
  }

  transferLeader(transferee: MemberId): void {
    transferLeader(this.#raft, transferee)
  }

  /** Whoever knows that the leader is gone may say so: then this member votes for another without waiting. */
  forgetLeader(): void {
    forgetLeader(this.#raft)
  }

  reportUnreachable(id: MemberId): void {
    reportUnreachable(this.#raft, id)
  }

  /** How the sending of a `MsgSnap` ended; always say it, or the follower gets nothing more. */
  reportSnapshot(id: MemberId, status: 'delivered' | 'failed'): void {
    reportSnapshot(this.#raft, id, status)
  }

  hasReady(): boolean {
    return this.#taker.has()
  }

  /** What there is to do. Whoever takes it has to carry it out, in the order that `Ready` states. */
  ready(): Ready {
    return this.#taker.take()
  }

  /** Synchronous storage: the last Ready is written, sent and applied. */
  advance(): void {
    for (const message of this.#taker.advance()) this.step(message)
  }

  status(): RaftStatus {
    return statusOf(this.#raft)
  }

  /** For tests and simulations: the timeout until this member's next change of role or term. */
  overrideElectionTimeout(ticks: number): void {
    this.#raft.randomizedElectionTicks = ticks
  }
}
