import { commitProof } from './commit.ts'
import { hearsLeader } from './election.ts'
import { NO_TERM, NONE, ORIGIN } from './entry.ts'
import type { Message } from './messages.ts'
import type { RaftState } from './raft-state.ts'
import { becomeFollower } from './role.ts'

/**
 * The rule for all servers (figure 2): a later term is followed, an earlier one refused. True if the message goes on to
 * whoever handles its type.
 */
export function agreeOnTerm(raft: RaftState, message: Message): boolean {
  if (message.term === raft.term || message.term === NO_TERM) return true
  if (message.term > raft.term) return followTerm(raft, message)
  refuseTerm(raft, message)
  return false
}

function followTerm(raft: RaftState, message: Message): boolean {
  switch (message.type) {
    case 'MsgPreVote':
      // A question about a term that nobody is in yet.
      return !hearsLeader(raft)
    case 'MsgVote':
      if (!message.transfer && hearsLeader(raft)) return false
      becomeFollower(raft, message.term, NONE)
      return true
    case 'MsgPreVoteResp':
      // A grant bears the term that we asked about; a refusal that of a member ahead of us.
      if (message.reject) becomeFollower(raft, message.term, NONE)
      return true
    case 'MsgApp':
    case 'MsgHeartbeat':
    case 'MsgSnap':
      becomeFollower(raft, message.term, message.from)
      return true
    default:
      becomeFollower(raft, message.term, NONE)
      return true
  }
}

function refuseTerm(raft: RaftState, message: Message): void {
  const { id: from, term } = raft
  const to = message.from
  const { checkQuorum, preVote } = raft.settings
  if (message.type === 'MsgPreVote') {
    // Not silently: it may be behind in its term and ahead in its log, and has to catch up to be elected.
    raft.sendDurably({ type: 'MsgPreVoteResp', from, to, term, reject: true, ...commitProof(raft) })
  } else if ((checkQuorum || preVote) && (message.type === 'MsgApp' || message.type === 'MsgHeartbeat')) {
    // We are ahead of a leader that will not hear us stand for election (it is heard of, so nobody votes). Our term in
    // an answer frees us: it steps down, and the group meets in a later term.
    raft.sendDurably({ type: 'MsgAppResp', from, to, term, index: ORIGIN, reject: false, hintIndex: ORIGIN, hintTerm: NO_TERM })
  }
}
