import { isPromotable, standForElection } from './election.ts'
import { type MemberId, NONE } from './entry.ts'
import { broadcastHeartbeat } from './heartbeat.ts'
import { jointVoteResult } from './quorum/joint.ts'
import type { RaftState } from './raft-state.ts'
import { becomeFollower } from './role.ts'

/** Time passes. A tick is the core's only clock; how long it takes is the node's choice. */
export function tick(raft: RaftState): void {
  if (raft.role === 'leader') tickLeader(raft)
  else tickElection(raft)
}

function tickElection(raft: RaftState): void {
  raft.electionElapsed++
  if (raft.electionElapsed < raft.randomizedElectionTicks || !isPromotable(raft)) return
  raft.electionElapsed = 0
  standForElection(raft, raft.settings.preVote ? 'pre-vote' : 'vote')
}

function tickLeader(raft: RaftState): void {
  raft.electionElapsed++
  if (raft.electionElapsed >= raft.settings.electionTicks) {
    raft.electionElapsed = 0
    if (raft.settings.checkQuorum && !hearsMajority(raft)) {
      becomeFollower(raft, raft.term, NONE)
      return
    }
    // The transfer did not succeed in time: take proposals again (thesis §3.10).
    raft.transferee = NONE
  }
  raft.heartbeatElapsed++
  if (raft.heartbeatElapsed < raft.settings.heartbeatTicks) return
  raft.heartbeatElapsed = 0
  broadcastHeartbeat(raft)
}

/** Whether a majority was heard of since this was asked last; everyone but the leader itself has to be heard of anew. */
function hearsMajority(raft: RaftState): boolean {
  const active = new Map<MemberId, boolean>()
  for (const progress of raft.members.progress) {
    active.set(progress.id, progress.recentActive)
    progress.recentActive = progress.id === raft.id
  }
  return jointVoteResult(raft.members.configuration, active) === 'won'
}
