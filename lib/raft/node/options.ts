import type { RaftSettings } from '../core/options.ts'
import type { MemberId } from '../entry.ts'
import type { Disk } from '../log/disk.ts'
import type { LogOptions } from '../log/options.ts'
import type { Fraction, Loop, MonotonicClock, Network, NodeObserver, StateMachine } from './ports.ts'
import { FIRST_VERSION } from './versions.ts'

export interface NodeSettings {
  readonly tickMs: number
  /** Commands that are collected or wait for their entry; further ones are answered "not executed". */
  readonly maxPendingCommands: number
  /** Of the commands in one entry. */
  readonly maxBatchBytes: number
  /** After so many ticks whoever waits is told that nobody knows the outcome. */
  readonly patienceTicks: number
  /** Entries applied in one turn; the rest waits for the next, so that messages get through in between. */
  readonly maxApplyPerTurn: number
  /** Entries between two snapshots. */
  readonly snapshotEntries: number
  /** Entries kept behind a snapshot, for followers that are a little late. */
  readonly keepEntries: number
  /** Ticks after which a piece of a snapshot is sent again, and how often. */
  readonly partTicks: number
  readonly partAttempts: number
  /** Bytes of a snapshot that is being received; a larger one is refused. */
  readonly maxSnapshotBytes: number
  /** The most by which one look at the clock moves cluster time: after a pause nothing expires in one blow. */
  readonly maxTimeStepMs: number
  /** The newest version of the transitions that this program has; in force once all members have it (`Versions`). */
  readonly version: number
  /** Ticks between two questions for a member's version. */
  readonly versionTicks: number
  readonly sessions: SessionLimits
}

export interface SessionLimits {
  /** The one not used for longest goes when there is one more. */
  readonly maxSessions: number
  /** How far a session's commands may be ahead of the last one that its client has an answer to. */
  readonly maxAhead: number
}

export interface NodeOptions extends Partial<NodeSettings> {
  readonly clusterId: string
  readonly id: MemberId
  /**
   * `found`: one of the first members, all of which are given the same `founders`; `join`: new in a group that adds it;
   * `resume`: it has been here before, and an empty disk is a reason not to start. Once `openNode` has succeeded, only `resume`
   * is right.
   */
  readonly start: 'found' | 'join' | 'resume'
  readonly founders?: readonly MemberId[] | undefined
  readonly disk: Disk
  readonly network: Network
  readonly loop: Loop
  readonly clock: MonotonicClock
  readonly random: Fraction
  readonly machine: StateMachine
  readonly observer?: NodeObserver | undefined
  readonly raft?: Partial<RaftSettings> | undefined
  readonly log?: Omit<LogOptions, 'emptyDisk'> | undefined
}

const DEFAULTS: NodeSettings = {
  tickMs: 50,
  maxPendingCommands: 100_000,
  maxBatchBytes: 256 * 1024,
  patienceTicks: 100,
  maxApplyPerTurn: 256,
  snapshotEntries: 50_000,
  keepEntries: 5_000,
  partTicks: 4,
  partAttempts: 10,
  maxSnapshotBytes: 1024 * 1024 * 1024,
  maxTimeStepMs: 1_000,
  version: FIRST_VERSION,
  versionTicks: 10,
  sessions: { maxSessions: 10_000, maxAhead: 1_024 },
}

export const nodeSettings = (options: Partial<NodeSettings>): NodeSettings => {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
  return { ...DEFAULTS, ...given }
}
