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
  const { id, term, vote, lead, role, log, members, transferee } = raft
  return {
    id,
    term,
    vote,
    commit: log.committed,
    lead,
    role,
    applied: log.applied,
    lastIndex: log.lastIndex,
    configuration: members.configuration,
    transferee,
    progress: role === 'leader' ? members.progress.map(progressStatus) : NO_PROGRESS,
  }
}

const NO_PROGRESS: readonly ProgressStatus[] = Object.freeze([])

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
