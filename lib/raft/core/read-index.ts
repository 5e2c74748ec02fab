import { hasCommittedInTerm } from './commit.ts'
import { type LogIndex, NO_TERM, NONE } from './entry.ts'
import type { MsgReadIndex } from './messages.ts'
import type { RaftState } from './raft-state.ts'
import type { ReadRequest } from './read-rounds.ts'

/** Reads without a write to the log (thesis §6.4): the leader notes its commit index and makes sure that it still leads. */

/** `pending`: the answer comes as a `ReadState`, unless the leader changes; `dropped`: ask again later, or elsewhere. */
export type ReadOutcome = 'pending' | 'dropped'

export function readIndex(raft: RaftState, context: number): ReadOutcome {
  if (raft.role === 'leader') return gather(raft, { from: raft.id, context })
  if (raft.role !== 'follower' || raft.lead === NONE) return 'dropped'
  raft.send({ type: 'MsgReadIndex', from: raft.id, to: raft.lead, term: NO_TERM, context })
  return 'pending'
}

/** A follower's question has arrived. Whoever does not lead does not pass it on: it could go in circles. */
export function handleReadIndex(raft: RaftState, message: MsgReadIndex): void {
  if (raft.role === 'leader') gather(raft, message)
}

function gather(raft: RaftState, { from, context }: ReadRequest): ReadOutcome {
  if (raft.reads.waiting >= raft.settings.maxPendingReads) return 'dropped'
  raft.reads.gather({ from, context })
  return 'pending'
}

/** Whether a new round can begin: not before the leader committed an entry of its term, or its commit index may be old. */
export const canBeginRound = (raft: RaftState): boolean =>
  raft.reads.hasGathered && raft.role === 'leader' && hasCommittedInTerm(raft)

/** Begins a round for all reads gathered so far. True if the members have to be asked; a lease that can be trusted needs no round. */
export function beginRound(raft: RaftState): boolean {
  const round = raft.reads.begin(raft.log.committed)
  if (raft.settings.readMode === 'lease-based' && !raft.handedOver) {
    answerRounds(raft, round)
    return false
  }
  const { progress } = raft
  if (progress) progress.ackedRound = round
  confirmReads(raft)
  return true
}

/** Answers all rounds that a majority confirmed. */
export function confirmReads(raft: RaftState): void {
  answerRounds(raft, raft.members.confirmedRound())
}

function answerRounds(raft: RaftState, confirmed: number): void {
  for (const { index, requests } of raft.reads.finish(confirmed)) {
    for (const request of requests) answer(raft, request, index)
  }
}

function answer(raft: RaftState, { from, context }: ReadRequest, index: LogIndex): void {
  if (from === raft.id) raft.readStates.push({ context, index })
  else raft.send({ type: 'MsgReadIndexResp', from: raft.id, to: from, term: raft.term, context, index })
}
