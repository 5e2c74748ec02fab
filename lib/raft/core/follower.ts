import { type LogIndex, type MemberId, NO_TERM, NONE, ORIGIN, type Term } from './entry.ts'
import { handleHeartbeat } from './heartbeat.ts'
import { invariant } from './invariant.ts'
import type { MsgApp, MsgHeartbeat, MsgSnap } from './messages.ts'
import type { RaftState } from './raft-state.ts'
import { becomeFollower } from './role.ts'
import { handleSnapshot } from './snapshot.ts'

/** The current term's leader speaks: whoever was still standing for election gives up (thesis §3.4). */
export function followLeader(raft: RaftState, message: MsgApp | MsgHeartbeat | MsgSnap): void {
  invariant(raft.role !== 'leader', () => `two leaders in term ${raft.term}: ${raft.id} and ${message.from}`)
  if (raft.role !== 'follower') becomeFollower(raft, message.term, message.from)
  raft.electionElapsed = 0
  raft.lead = message.from
  if (message.type === 'MsgApp') handleAppend(raft, message)
  else if (message.type === 'MsgHeartbeat') handleHeartbeat(raft, message)
  else handleSnapshot(raft, message)
}

/** AppendEntries, receiver implementation (figure 2, steps 2 to 5; step 1, the term, is behind us). */
function handleAppend(raft: RaftState, message: MsgApp): void {
  const { log } = raft
  // Late, or repeated: what is committed agrees with any leader's log.
  if (message.prevLogIndex < log.committed) acknowledge(raft, message.from, log.committed)
  else if (log.term(message.prevLogIndex) !== message.prevLogTerm) reject(raft, message)
  else acknowledge(raft, message.from, takeEntries(raft, message))
}

/** Returns the index up to which the log agrees with the leader's. */
function takeEntries({ log }: RaftState, { prevLogIndex, entries, commit }: MsgApp): LogIndex {
  const fresh = entries.findIndex((entry) => log.term(entry.index) !== entry.term)
  if (fresh >= 0) log.append(fresh === 0 ? entries : entries.slice(fresh))
  const last = (prevLogIndex + entries.length) as LogIndex
  // Not beyond `last`: what we have after it may differ from the leader's log.
  log.commitTo(commit < last ? commit : last)
  return last
}

function acknowledge(raft: RaftState, to: MemberId, index: LogIndex): void {
  answer(raft, to, { index, reject: false, hintIndex: ORIGIN, hintTerm: NO_TERM })
}

/** With a hint from where on to try: one refusal for every term in conflict, not for every entry. */
function reject(raft: RaftState, { from, prevLogIndex, prevLogTerm }: MsgApp): void {
  const { lastIndex } = raft.log
  const hint = raft.log.possibleAgreement(prevLogIndex < lastIndex ? prevLogIndex : lastIndex, prevLogTerm)
  answer(raft, from, { index: prevLogIndex, reject: true, hintIndex: hint.index, hintTerm: hint.term })
}

interface Answer {
  readonly index: LogIndex
  readonly reject: boolean
  readonly hintIndex: LogIndex
  readonly hintTerm: Term
}

function answer(raft: RaftState, to: MemberId, { index, reject, hintIndex, hintTerm }: Answer): void {
  raft.sendDurably({ type: 'MsgAppResp', from: raft.id, to, term: raft.term, index, reject, hintIndex, hintTerm })
}

/** Lets another be elected at once: nobody who remembers a live leader gives its vote (`checkQuorum`). */
export function forgetLeader(raft: RaftState): void {
  // The leader's lease rests on our not voting for an election timeout; forgetting it would break the promise.
  if (raft.role !== 'follower' || raft.settings.readMode === 'lease-based') return
  raft.lead = NONE
}
