import { type HardState, type LogIndex, type MemberId, NONE, ORIGIN, type Term } from './entry.ts'
import { LogView } from './log-view.ts'
import { Membership } from './membership.ts'
import type { Message } from './messages.ts'
import { type RaftOptions, type RaftSettings, resolveSettings } from './options.ts'
import type { Progress } from './progress.ts'
import { ReadRounds } from './read-rounds.ts'
import type { ReadState, Role, SoftState } from './ready.ts'

/**
 * All that a member keeps in mind (the paper's figure 2, "State"). The rules are functions on it, in the files that bear
 * their names; nothing outside of the core sees it, and all that leaves the core is immutable.
 */
export class RaftState {
  readonly id: MemberId
  readonly settings: RaftSettings
  readonly log: LogView
  readonly members: Membership

  term: Term
  vote: MemberId
  lead: MemberId = NONE
  role: Role = 'follower'
  readonly votes: Map<MemberId, boolean> = new Map()

  /** Ticks since this member last heard of a leader or gave its vote; of a leader since it last checked its quorum. */
  electionElapsed = 0
  heartbeatElapsed = 0
  /** Ticks after which a follower stands for election; drawn anew at every change of role or term. */
  randomizedElectionTicks = 0
  readonly #fraction: () => number

  /** Whom the leader is handing over to. */
  transferee: MemberId = NONE
  /** It has told another to stand for election in this term: whoever voted for that one broke no promise to this leader. */
  handedOver = false
  /** No entry after this one is a configuration change, so that at most one is in the log and not applied (thesis §4.1). */
  pendingConfIndex: LogIndex = ORIGIN
  /** The configuration in force is that of this index: what it holds of earlier changes must not be made again. */
  configurationIndex: LogIndex
  /** Of the leader's own proposals that are not applied yet. */
  uncommittedBytes = 0
  readonly reads: ReadRounds = new ReadRounds()

  /** What has to be handed out with the next Ready; `afterAppend` only once all that is unstable now is durable. */
  messages: Message[] = []
  afterAppend: Message[] = []
  readStates: ReadState[] = []

  constructor(options: RaftOptions) {
    this.id = options.id
    this.settings = resolveSettings(options)
    this.log = new LogView(options.log, this.settings)
    this.members = new Membership(options.configuration, this.log.lastIndex, this.settings)
    this.term = options.hardState.term
    this.vote = options.hardState.vote as MemberId
    this.log.commitTo(options.hardState.commit)
    // What was applied was committed, though the commit index itself may not have been flushed.
    this.log.commitTo(options.applied)
    if (options.applied > this.log.applied) this.log.appliedTo(options.applied, 0)
    this.configurationIndex = this.log.applied
    this.#fraction = options.fraction
    this.drawElectionTimeout()
  }

  get hardState(): HardState {
    return { term: this.term, vote: this.vote, commit: this.log.committed }
  }

  get softState(): SoftState {
    return { lead: this.lead, role: this.role }
  }

  get progress(): Progress | undefined {
    return this.members.find(this.id)
  }

  /** To be sent at once. */
  send(message: Message): void {
    this.messages.push(message)
  }

  /**
   * To be sent once everything that this member has promised so far is durable. Whoever counts it counts on it to survive a
   * crash (thesis §3.8): votes and acknowledgements. Refusals wait too, as they may rest on state that is not durable.
   */
  sendDurably(message: Message): void {
    this.afterAppend.push(message)
  }

  /** Between one and two election timeouts, so that seldom two members stand at once (thesis §3.4). */
  drawElectionTimeout(): void {
    const { electionTicks } = this.settings
    this.randomizedElectionTicks = electionTicks + Math.floor(this.#fraction() * electionTicks)
  }
}
