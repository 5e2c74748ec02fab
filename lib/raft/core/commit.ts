import { NO_TERM } from './entry.ts'
import type { CommitProof } from './messages.ts'
import type { RaftState } from './raft-state.ts'

/**
 * A leader commits what a majority holds, but only an entry of its own term; those before it are committed with it (the
 * paper's §5.4.2 and figure 8: an old entry on a majority may still be overwritten). True if the commit index advanced.
 */
export function advanceCommit(raft: RaftState): boolean {
  const index = raft.members.committedIndex()
  if (index <= raft.log.committed || raft.log.term(index) !== raft.term) return false
  raft.log.commitTo(index)
  return true
}

/** Until then a leader does not know what is committed (thesis §6.4). */
export const hasCommittedInTerm = (raft: RaftState): boolean => raft.log.term(raft.log.committed) === raft.term

export const commitProof = ({ log }: RaftState): CommitProof => ({
  commit: log.committed,
  commitTerm: log.term(log.committed) ?? NO_TERM,
})

/**
 * What is committed is so for everyone whose log has the same entry there (log matching, figure 3), whoever says it.
 *
 * Votes carry it because those who elect may not know: a leader that removed itself may have stepped down before anyone else
 * heard that the change is committed. They would go on asking for its vote, and it would refuse for ever if its log is longer.
 */
export function learnCommit(raft: RaftState, { commit, commitTerm }: CommitProof): void {
  if (raft.role !== 'leader' && commitTerm !== NO_TERM && raft.log.term(commit) === commitTerm) raft.log.commitTo(commit)
}
