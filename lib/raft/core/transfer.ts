import { type MemberId, NONE } from './entry.ts'
import type { Progress } from './progress.ts'
import type { RaftState } from './raft-state.ts'
import { sendAppend } from './replication.ts'

/** Leadership transfer (thesis §3.10): bring the other's log up to date, then tell it to stand for election at once. */

/** On a follower: asks the leader. It is only a wish; nobody is told how it ended but by who leads afterwards. */
export function transferLeader(raft: RaftState, transferee: MemberId): void {
  const { id: from, lead: to, term } = raft
  if (raft.role === 'leader') beginTransfer(raft, transferee)
  else if (raft.role === 'follower' && to !== NONE) raft.send({ type: 'MsgTransferLeader', from, to, term, transferee })
}

function beginTransfer(raft: RaftState, transferee: MemberId): void {
  const progress = raft.members.find(transferee)
  if (progress === undefined || progress.isLearner || raft.transferee === transferee) return
  raft.transferee = NONE
  if (transferee === raft.id) return
  raft.transferee = transferee
  // It has one election timeout; after that the leader takes proposals again.
  raft.electionElapsed = 0
  if (progress.match === raft.log.lastIndex) sendTimeoutNow(raft, transferee)
  else sendAppend(raft, progress, 'always')
}

/** The transferee has acknowledged something: perhaps it is up to date now. */
export function continueTransfer(raft: RaftState, progress: Progress): void {
  if (progress.id === raft.transferee && progress.match === raft.log.lastIndex) sendTimeoutNow(raft, progress.id)
}

function sendTimeoutNow(raft: RaftState, to: MemberId): void {
  raft.handedOver = true
  raft.send({ type: 'MsgTimeoutNow', from: raft.id, to, term: raft.term })
}
