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
