import { appendOwn } from './append.ts'
import { after, type MemberId, NO_DATA, NONE, ORIGIN, type Term } from './entry.ts'
import { invariant } from './invariant.ts'
import type { RaftState } from './raft-state.ts'

/** The transitions between the roles (the paper's figure 4). */

export function becomeFollower(raft: RaftState, term: Term, lead: MemberId): void {
  reset(raft, term)
  raft.lead = lead
  raft.role = 'follower'
}

/** Asks before it stands: neither the term nor the vote changes (thesis §9.6). */
export function becomePreCandidate(raft: RaftState): void {
  invariant(raft.role !== 'leader', () => 'a leader stands for election')
  raft.votes.clear()
  raft.lead = NONE
  raft.role = 'pre-candidate'
}

export function becomeCandidate(raft: RaftState): void {
  invariant(raft.role !== 'leader', () => 'a leader stands for election')
  reset(raft, (raft.term + 1) as Term)
  raft.vote = raft.id
  raft.role = 'candidate'
}

export function becomeLeader(raft: RaftState): void {
  invariant(raft.role === 'candidate', () => `a ${raft.role} becomes leader`)
  reset(raft, raft.term)
  raft.lead = raft.id
  raft.role = 'leader'
  const { progress } = raft
  invariant(progress !== undefined, () => 'a leader that is not a member')
  progress.acknowledge(raft.log.lastIndex)
  progress.becomeReplicate()
  progress.recentActive = true
  // There may be a change among the entries that it inherits; looking for it would cost more than waiting for all of them.
  raft.pendingConfIndex = raft.log.lastIndex
  // The no-op: entries of earlier terms are committed only through one of its own (the paper's §5.4.2, thesis §3.6.2).
  invariant(appendOwn(raft, [{ kind: 'normal', data: NO_DATA }]), () => 'the no-op of a new leader was refused')
}

/** What every new term, and every change of role within one, begins with. */
function reset(raft: RaftState, term: Term): void {
  if (raft.term !== term) {
    raft.term = term
    raft.vote = NONE
  }
  raft.lead = NONE
  raft.electionElapsed = 0
  raft.heartbeatElapsed = 0
  raft.drawElectionTimeout()
  raft.transferee = NONE
  raft.handedOver = false
  raft.votes.clear()
  const next = after(raft.log.lastIndex)
  for (const progress of raft.members.progress) progress.reset(next)
  raft.pendingConfIndex = ORIGIN
  raft.uncommittedBytes = 0
  raft.reads.clear()
}
