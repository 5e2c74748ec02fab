import type { Configuration } from './configuration.ts'
import type { HardState, LogIndex, MemberId } from './entry.ts'
import type { Progress, ProgressState } from './progress.ts'
import type { RaftState } from './raft-state.ts'
import type { SoftState } from './ready.ts'

/** A member's view of itself and its group, for people and for the node's health. */
export interface RaftStatus extends HardState, SoftState {
  readonly id: MemberId
  readonly applied: LogIndex
  readonly lastIndex: LogIndex
  readonly configuration: Configuration
  /** `NONE` unless it leads and hands over. */
  readonly transferee: MemberId
  /** Of a leader's followers and its own; empty for others. */
  readonly progress: readonly ProgressStatus[]
}

export interface ProgressStatus {
  readonly id: MemberId
  readonly state: ProgressState
  readonly match: LogIndex
  readonly next: LogIndex
  readonly isLearner: boolean
  readonly paused: boolean
  /** 0 if none is under way. */
  readonly pendingSnapshot: LogIndex
  readonly recentActive: boolean
  readonly inflights: number
  readonly inflightsFull: boolean
}

export function statusOf(raft: RaftState): RaftStatus {
  return {
    id: raft.id,
    ...raft.hardState,
    ...raft.softState,
    applied: raft.log.applied,
    lastIndex: raft.log.lastIndex,
    configuration: raft.members.configuration,
    transferee: raft.transferee,
    progress: raft.role === 'leader' ? raft.members.progress.map(progressStatus) : [],
  }
}

export const progressStatus = (progress: Progress): ProgressStatus => ({
  id: progress.id,
  state: progress.state,
  match: progress.match,
  next: progress.next,
  isLearner: progress.isLearner,
  paused: progress.isPaused,
  pendingSnapshot: progress.pendingSnapshot,
  recentActive: progress.recentActive,
  inflights: progress.inflights.count,
  inflightsFull: progress.inflights.full,
})
