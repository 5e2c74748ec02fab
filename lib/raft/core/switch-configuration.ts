import { advanceCommit } from './commit.ts'
import { decodeConfChange, encodeConfChange, LEAVE_JOINT } from './conf-change.ts'
import type { Configuration } from './configuration.ts'
import { type Entry, isConfChange, NONE } from './entry.ts'
import { invariant } from './invariant.ts'
import { propose } from './proposal.ts'
import type { RaftState } from './raft-state.ts'
import { confirmReads } from './read-index.ts'
import { reconfigure } from './reconfigure.ts'
import { broadcastAppend, sendAppend } from './replication.ts'
import { becomeFollower } from './role.ts'

/**
 * A committed change comes into force when it is applied. (The thesis has it in force as soon as it is in the log, and
 * taken back when the entry is; this is etcd's rule, and as safe: a leader lets the next change into the log only after
 * the last one is applied, and a member that knows of a committed one stands for election only after it applied it. So the
 * majorities of any two members that can be elected overlap.)
 */
export function applyConfChange(raft: RaftState, entry: Entry): Configuration {
  invariant(isConfChange(entry), () => `entry ${entry.index} is no configuration change`)
  // A snapshot came while the state machine was still at work on what it replaces.
  if (entry.index <= raft.configurationIndex) return raft.members.configuration
  raft.configurationIndex = entry.index
  const next = reconfigure(raft.members.configuration, decodeConfChange(entry.data))
  invariant(
    next.outcome === 'changed',
    () => `entry ${entry.index} cannot be applied: ${next.outcome === 'refused' ? next.reason : ''}`,
  )
  raft.members.reconfigure(next.configuration, raft.log.lastIndex)
  if (raft.role === 'leader') leadNewConfiguration(raft)
  // It learned from the votes that it has been removed.
  else if (raft.role !== 'follower' && !raft.members.isVoter(raft.id)) becomeFollower(raft, raft.term, NONE)
  return next.configuration
}

function leadNewConfiguration(raft: RaftState): void {
  const { progress } = raft
  if (progress === undefined || progress.isLearner) {
    // If not, it leads on without counting itself, until the change that removed it is known everywhere (thesis §4.2.2).
    if (raft.settings.stepDownOnRemoval) becomeFollower(raft, raft.term, NONE)
    return
  }
  // Smaller majorities may be reached already.
  if (advanceCommit(raft)) broadcastAppend(raft)
  else probeNewcomers(raft)
  confirmReads(raft)
  if (raft.transferee !== NONE && !raft.members.isVoter(raft.transferee)) raft.transferee = NONE
}

function probeNewcomers(raft: RaftState): void {
  for (const progress of raft.members.progress) if (progress.id !== raft.id) sendAppend(raft, progress, 'if-entries')
}

/**
 * Leaves a joint configuration that wants to be left as soon as it is in force. Tried on every application: while leadership
 * is handed over it is dropped, and either the next leader does it or this one, if the handover fails.
 */
export function leaveJointIfDue(raft: RaftState): void {
  const { configuration } = raft.members
  if (raft.role !== 'leader' || !configuration.autoLeave || raft.log.applied < raft.pendingConfIndex) return
  propose(raft, [{ kind: 'conf-change', data: encodeConfChange(LEAVE_JOINT) }])
}
