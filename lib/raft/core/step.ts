import { handleAppendResponse } from './acknowledgement.ts'
import { learnCommit } from './commit.ts'
import { handleVote, handleVoteRequest, standForElection } from './election.ts'
import { followLeader } from './follower.ts'
import { handleHeartbeatResponse } from './heartbeat.ts'
import type { Message, MsgAppResp, MsgHeartbeatResp, MsgReadIndexResp, MsgVote, MsgVoteResp } from './messages.ts'
import { propose } from './proposal.ts'
import type { RaftState } from './raft-state.ts'
import { handleReadIndex } from './read-index.ts'
import { agreeOnTerm } from './term.ts'
import { transferLeader } from './transfer.ts'

/** `unknown-peer`: an answer from nobody of this group, ignored. `proposal-dropped`: a forwarded proposal that was not taken. */
export type StepOutcome = 'done' | 'unknown-peer' | 'proposal-dropped'

/** A message has arrived; it may be late, repeated or out of order. */
export function step(raft: RaftState, message: Message): StepOutcome {
  if (isAnswer(message) && raft.members.find(message.from) === undefined) return 'unknown-peer'
  if (isVote(message)) learnCommit(raft, message)
  if (!agreeOnTerm(raft, message)) return 'done'
  switch (message.type) {
    case 'MsgApp':
    case 'MsgHeartbeat':
    case 'MsgSnap':
      followLeader(raft, message)
      break
    case 'MsgAppResp':
    case 'MsgHeartbeatResp':
      hearFollower(raft, message)
      break
    case 'MsgVote':
    case 'MsgPreVote':
      handleVoteRequest(raft, message)
      break
    case 'MsgVoteResp':
    case 'MsgPreVoteResp':
      if (raft.role === 'candidate' || raft.role === 'pre-candidate') handleVote(raft, message)
      break
    case 'MsgTimeoutNow':
      // Never with a question before: the leader knows that nobody needs protection from this election.
      if (raft.role === 'follower') standForElection(raft, 'transfer')
      break
    case 'MsgProp':
      return propose(raft, message.entries).outcome === 'dropped' ? 'proposal-dropped' : 'done'
    case 'MsgReadIndex':
      handleReadIndex(raft, message)
      break
    case 'MsgReadIndexResp':
      hearReadIndex(raft, message)
      break
    case 'MsgTransferLeader':
      if (raft.role === 'leader') transferLeader(raft, message.transferee)
      break
  }
  return 'done'
}

function isVote(message: Message): message is MsgVote | MsgVoteResp {
  switch (message.type) {
    case 'MsgVote':
    case 'MsgPreVote':
    case 'MsgVoteResp':
    case 'MsgPreVoteResp':
      return true
    default:
      return false
  }
}

function isAnswer(message: Message): boolean {
  switch (message.type) {
    case 'MsgAppResp':
    case 'MsgHeartbeatResp':
    case 'MsgVoteResp':
    case 'MsgPreVoteResp':
    case 'MsgReadIndexResp':
      return true
    default:
      return false
  }
}

/** Only a leader listens to followers, and they tell it more than that they are alive. */
function hearFollower(raft: RaftState, message: MsgAppResp | MsgHeartbeatResp): void {
  const progress = raft.role === 'leader' ? raft.members.find(message.from) : undefined
  if (progress === undefined) return
  if (message.type === 'MsgAppResp') handleAppendResponse(raft, progress, message)
  else handleHeartbeatResponse(raft, progress, message)
}

function hearReadIndex(raft: RaftState, { context, index }: MsgReadIndexResp): void {
  if (raft.role === 'follower') raft.readStates.push({ context, index })
}
