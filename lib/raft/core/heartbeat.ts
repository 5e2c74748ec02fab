import type { MsgHeartbeat, MsgHeartbeatResp } from './messages.ts'
import type { Progress } from './progress.ts'
import type { RaftState } from './raft-state.ts'
import { confirmReads } from './read-index.ts'
import { sendAppend } from './replication.ts'

export function broadcastHeartbeat(raft: RaftState): void {
  const { id: from, term } = raft
  const round = raft.reads.latest
  for (const progress of raft.members.progress) {
    if (progress.id === from) continue
    // Never more than the follower is known to hold: what it has beyond that may differ from our log.
    const commit = progress.match < raft.log.committed ? progress.match : raft.log.committed
    raft.send({ type: 'MsgHeartbeat', from, to: progress.id, term, commit, round })
    progress.sentCommitIndex(commit)
  }
}

export function handleHeartbeat(raft: RaftState, { from, commit, round }: MsgHeartbeat): void {
  raft.log.commitTo(commit)
  raft.send({ type: 'MsgHeartbeatResp', from: raft.id, to: from, term: raft.term, round })
}

/** A sign of life: what was held back goes out again, and reads may be confirmed. */
export function handleHeartbeatResponse(raft: RaftState, progress: Progress, message: MsgHeartbeatResp): void {
  progress.recentActive = true
  progress.paused = false
  if (progress.match < raft.log.lastIndex || progress.state === 'probe') sendAppend(raft, progress, 'always')
  if (message.round > progress.ackedRound) {
    progress.ackedRound = message.round
    confirmReads(raft)
  }
}
