import { commitProof } from './commit.ts'
import { votersOf } from './configuration.ts'
import { NONE, type Term } from './entry.ts'
import type { MsgVote, MsgVoteResp } from './messages.ts'
import { jointVoteResult } from './quorum/joint.ts'
import type { RaftState } from './raft-state.ts'
import { broadcastAppend } from './replication.ts'
import { becomeCandidate, becomeFollower, becomeLeader, becomePreCandidate } from './role.ts'

/** `pre-vote`: asks first; `vote`: for real; `transfer`: for real and at the leader's wish (thesis §3.4, §9.6, §3.10). */
export type Campaign = 'pre-vote' | 'vote' | 'transfer'

/** A voter whose state is not about to be replaced. */
export const isPromotable = (raft: RaftState): boolean =>
  raft.members.isVoter(raft.id) && raft.log.unstable.snapshot === undefined

/** Stands for election, if this member may. */
export function standForElection(raft: RaftState, campaign: Campaign): void {
  if (raft.role === 'leader' || !isPromotable(raft)) return
  // It would count by a configuration that is known to be out of date.
  if (raft.log.hasUnappliedConfChange()) return
  askForVotes(raft, campaign)
}

function askForVotes(raft: RaftState, campaign: Campaign): void {
  const isPreVote = campaign === 'pre-vote'
  if (isPreVote) becomePreCandidate(raft)
  else becomeCandidate(raft)
  const term = (isPreVote ? raft.term + 1 : raft.term) as Term
  const { id: from, log } = raft
  const proof = commitProof(raft)
  for (const to of votersOf(raft.members.configuration)) {
    if (to === from) {
      // Its own vote counts when it is durable, like anybody's.
      raft.sendDurably({ type: isPreVote ? 'MsgPreVoteResp' : 'MsgVoteResp', from, to, term, reject: false, ...proof })
    } else {
      const type = isPreVote ? 'MsgPreVote' : 'MsgVote'
      const transfer = campaign === 'transfer'
      raft.send({ type, from, to, term, lastLogIndex: log.lastIndex, lastLogTerm: log.lastTerm, transfer, ...proof })
    }
  }
}

/**
 * Whether there is a leader that nobody should disturb: a member that heard of one within an election timeout neither votes
 * nor follows a candidate into its term (thesis §4.2.3, "disruptive servers").
 */
export const hearsLeader = (raft: RaftState): boolean =>
  raft.settings.checkQuorum && raft.lead !== NONE && raft.electionElapsed < raft.settings.electionTicks

/**
 * RequestVote, receiver implementation (figure 2). Learners vote too: a candidate that asks one knows of a configuration in
 * which it is a voter, and without its vote the group might have no leader that could tell it so.
 */
export function handleVoteRequest(raft: RaftState, message: MsgVote): void {
  const isPreVote = message.type === 'MsgPreVote'
  const isFree = raft.vote === NONE && raft.lead === NONE
  const mayVote = raft.vote === message.from || isFree || (isPreVote && message.term > raft.term)
  const reject = !mayVote || !raft.log.isUpToDate(message.lastLogTerm, message.lastLogIndex)
  const type = isPreVote ? 'MsgPreVoteResp' : 'MsgVoteResp'
  // A grant bears the candidate's term, which may be ahead of ours: it would not listen to an older one.
  const term = reject ? raft.term : message.term
  raft.sendDurably({ type, from: raft.id, to: message.from, term, reject, ...commitProof(raft) })
  if (reject || isPreVote) return
  raft.electionElapsed = 0
  raft.vote = message.from
}

/** A vote arrives for whoever still stands in the round that it belongs to. */
export function handleVote(raft: RaftState, message: MsgVoteResp): void {
  const awaited = raft.role === 'pre-candidate' ? 'MsgPreVoteResp' : 'MsgVoteResp'
  if (message.type !== awaited) return
  if (!raft.votes.has(message.from)) raft.votes.set(message.from, !message.reject)
  const result = jointVoteResult(raft.members.configuration, raft.votes)
  if (result === 'lost') becomeFollower(raft, raft.term, NONE)
  // Not before its own vote is durable, even if the others' suffice: after a crash it could stand, and win, in the same
  // term again, with another log.
  else if (result === 'won' && raft.votes.get(raft.id)) win(raft)
}

function win(raft: RaftState): void {
  if (raft.role === 'pre-candidate') {
    askForVotes(raft, 'vote')
  } else {
    becomeLeader(raft)
    broadcastAppend(raft)
  }
}
