import { type LogIndex, type MemberId, NO_TERM, ORIGIN, type Snapshot } from './entry.ts'
import { invariant } from './invariant.ts'
import type { MsgSnap } from './messages.ts'
import type { RaftState } from './raft-state.ts'

/** InstallSnapshot (thesis §5.1): the leader's state in place of entries that it has no more. */
export function handleSnapshot(raft: RaftState, { from, snapshot }: MsgSnap): void {
  acknowledge(raft, from, restore(raft, snapshot) ? raft.log.lastIndex : raft.log.committed)
}

/**
 * False if it is of no use: we know more. A snapshot in which we are no member is taken all the same: it was made before the
 * change that adds us, which follows in the log. Refusing it would leave us out for as long as the leader has no other.
 */
function restore(raft: RaftState, snapshot: Snapshot): boolean {
  const { log, members } = raft
  if (snapshot.index <= log.committed) return false
  invariant(raft.role === 'follower', () => `a ${raft.role} is to restore a snapshot`)
  // We have those entries: knowing that they are committed is enough, and keeps what follows them.
  if (log.term(snapshot.index) === snapshot.term) {
    log.commitTo(snapshot.index)
    return false
  }
  log.restore(snapshot)
  members.reconfigure(snapshot.configuration, log.lastIndex)
  raft.configurationIndex = snapshot.index
  return true
}

function acknowledge(raft: RaftState, to: MemberId, index: LogIndex): void {
  const { id: from, term } = raft
  raft.sendDurably({ type: 'MsgAppResp', from, to, term, index, reject: false, hintIndex: ORIGIN, hintTerm: NO_TERM })
}
