import type { Configuration } from './configuration.ts'
import type { HardState, LogIndex, MemberId } from './entry.ts'
import type { InflightLimits } from './inflights.ts'
import { invariant } from './invariant.ts'
import type { StableLog } from './stable-log.ts'

/**
 * How reads get their index. `safe`: a majority confirms the leader in a round of heartbeats. `lease-based`: the leader
 * trusts that no other was elected within an election timeout; clocks that drift or stop make it serve old data.
 */
export type ReadMode = 'safe' | 'lease-based'

export interface RaftLimits extends InflightLimits {
  /** Of the entries in one message. */
  readonly maxMessageBytes: number
  /** Of the entries that are handed out for application at once. */
  readonly maxApplyingBytes: number
  /** Of proposed data that is not applied yet; beyond it a leader drops proposals, unless nothing else is under way. */
  readonly maxUncommittedBytes: number
  /** Reads that wait for their index; further ones are dropped. */
  readonly maxPendingReads: number
}

export interface RaftSettings extends RaftLimits {
  /** A follower that hears nothing for this many ticks, or up to twice as many, stands for election. */
  readonly electionTicks: number
  readonly heartbeatTicks: number
  /** Ask before standing for election, so that a member that was cut off disturbs nobody when it returns (thesis §9.6). */
  readonly preVote: boolean
  /** A leader that hears of no majority for an election timeout steps down; members that hear of a leader refuse others votes (§6.2, §4.2.3). */
  readonly checkQuorum: boolean
  readonly readMode: ReadMode
  /** Followers drop proposals instead of passing them to the leader: here only the leader stamps time. */
  readonly disableProposalForwarding: boolean
  /** Let changes of the configuration into the log that do not fit the one in force. For those who check elsewhere. */
  readonly disableConfChangeValidation: boolean
  /** A leader that is no voter any more steps down at once instead of leading on (thesis §4.2.2). */
  readonly stepDownOnRemoval: boolean
  /** Storage works beside the protocol: see `Ready`. */
  readonly asyncStorageWrites: boolean
}

export interface RaftOptions extends Partial<RaftSettings> {
  readonly id: MemberId
  readonly log: StableLog
  /** As it was last written; `NO_HARD_STATE` at the first start. */
  readonly hardState: HardState
  /**
   * At `applied`: of the snapshot and of the changes applied since. Members that start a group together begin with the same
   * snapshot, at index 1 or later, which holds their configuration: who joins later has none and must get it with a snapshot.
   */
  readonly configuration: Configuration
  /** What the state machine has applied already; at least up to the snapshot that the log begins with. */
  readonly applied: LogIndex
  /** Uniform in [0, 1): spreads elections, and decides nothing else. */
  readonly fraction: () => number
}

const DEFAULTS: RaftSettings = {
  electionTicks: 10,
  heartbeatTicks: 1,
  preVote: true,
  checkQuorum: true,
  readMode: 'safe',
  disableProposalForwarding: true,
  disableConfChangeValidation: false,
  stepDownOnRemoval: true,
  asyncStorageWrites: false,
  maxMessageBytes: 1024 * 1024,
  maxApplyingBytes: 8 * 1024 * 1024,
  maxUncommittedBytes: 64 * 1024 * 1024,
  maxPendingReads: 100_000,
  maxInflightMessages: 256,
  maxInflightBytes: 8 * 1024 * 1024,
}

export function resolveSettings(options: RaftOptions): RaftSettings {
  const settings = { ...DEFAULTS, ...options }
  invariant(Number.isSafeInteger(options.id) && options.id > 0, () => 'a member needs a positive whole number as its id')
  invariant(settings.heartbeatTicks > 0, () => 'heartbeatTicks has to be positive')
  invariant(settings.electionTicks > settings.heartbeatTicks, () => 'electionTicks has to be more than heartbeatTicks')
  invariant(settings.maxInflightMessages > 0, () => 'maxInflightMessages has to be positive')
  invariant(settings.maxInflightBytes >= settings.maxMessageBytes, () => 'maxInflightBytes has to allow one message')
  invariant(settings.readMode === 'safe' || settings.checkQuorum, () => 'reads by lease need checkQuorum')
  return settings
}
