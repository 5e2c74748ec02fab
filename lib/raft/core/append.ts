import { after, dataBytesOf, type Entry, type LogIndex, NO_TERM, ORIGIN } from './entry.ts'
import type { ProposedEntry } from './messages.ts'
import type { RaftState } from './raft-state.ts'

/**
 * A leader adds entries to its own log. False if too much is under way already; what weighs nothing is never refused.
 *
 * It acknowledges them to itself only when they are durable, as any follower does: until then they do not count towards
 * commitment, though they are sent already (thesis §10.2.1).
 */
export function appendOwn(raft: RaftState, proposed: readonly ProposedEntry[]): boolean {
  const bytes = dataBytesOf(proposed)
  const { uncommittedBytes } = raft
  // When nothing is under way anything goes, or an entry larger than the limit could never be proposed.
  if (uncommittedBytes > 0 && bytes > 0 && uncommittedBytes + bytes > raft.settings.maxUncommittedBytes) return false
  raft.uncommittedBytes += bytes
  let index = raft.log.lastIndex
  const entries: Entry[] = []
  for (const { kind, data } of proposed) {
    index = after(index)
    entries.push({ term: raft.term, index, kind, data })
  }
  raft.log.append(entries)
  acknowledgeOwn(raft, index)
  return true
}

function acknowledgeOwn(raft: RaftState, index: LogIndex): void {
  const { id, term } = raft
  raft.sendDurably({ type: 'MsgAppResp', from: id, to: id, term, index, reject: false, hintIndex: ORIGIN, hintTerm: NO_TERM })
}
