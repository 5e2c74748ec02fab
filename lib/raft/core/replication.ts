import { before, dataBytesOf, type Entry, type MemberId } from './entry.ts'
import { invariant } from './invariant.ts'
import type { Progress } from './progress.ts'
import type { RaftState } from './raft-state.ts'

/** How a leader brings the followers' logs up to its own (thesis §3.5). */

/** To everyone else: what they lack, or at least the commit index. */
export function broadcastAppend(raft: RaftState): void {
  for (const progress of raft.members.progress) if (progress.id !== raft.id) sendAppend(raft, progress, 'always')
}

/**
 * Sends what follows the last entry that was sent, or a snapshot if that is not in the log any more. False if nothing was
 * sent: because the follower is paced, or, with `if-entries`, because there is nothing new.
 */
export function sendAppend(raft: RaftState, progress: Progress, when: 'always' | 'if-entries'): boolean {
  if (progress.isPaused) return false
  const { log } = raft
  const prevLogIndex = before(progress.next)
  const prevLogTerm = log.term(prevLogIndex)
  if (prevLogTerm === undefined) return sendSnapshot(raft, progress)
  const entries = entriesFor(raft, progress)
  if (entries === undefined) return sendSnapshot(raft, progress)
  if (entries.length === 0 && when === 'if-entries') return false
  const { id: from, term } = raft
  raft.send({ type: 'MsgApp', from, to: progress.id, term, prevLogIndex, prevLogTerm, entries, commit: log.committed })
  progress.sentEntries(entries.length, dataBytesOf(entries))
  progress.sentCommitIndex(log.committed)
  return true
}

/** With full inflights none, but an empty message still goes out: all of what is in flight may have been lost. */
function entriesFor(raft: RaftState, progress: Progress): readonly Entry[] | undefined {
  if (progress.state === 'replicate' && progress.inflights.full) return NO_ENTRIES
  return raft.log.entries(progress.next, raft.settings.maxMessageBytes)
}

const NO_ENTRIES: readonly Entry[] = Object.freeze([])

/** Not to one that is silent: snapshots are large. A sign of life brings it back here. */
function sendSnapshot(raft: RaftState, progress: Progress): boolean {
  if (!progress.recentActive) return false
  const snapshot = raft.log.snapshot()
  if (snapshot === undefined) return false
  invariant(snapshot.index > 0, () => 'a snapshot of nothing')
  progress.becomeSnapshot(snapshot.index)
  raft.send({ type: 'MsgSnap', from: raft.id, to: progress.id, term: raft.term, snapshot })
  return true
}

/** The transport could not reach `id`: what was sent ahead is probably lost. */
export function reportUnreachable(raft: RaftState, id: MemberId): void {
  const progress = raft.role === 'leader' ? raft.members.find(id) : undefined
  if (progress?.state === 'replicate') progress.becomeProbe()
}

/** The transport has delivered a snapshot, or could not. Without this report a lost one would hold the follower up for ever. */
export function reportSnapshot(raft: RaftState, id: MemberId, status: 'delivered' | 'failed'): void {
  const progress = raft.role === 'leader' ? raft.members.find(id) : undefined
  if (progress?.state !== 'snapshot') return
  if (status === 'failed') progress.abandonSnapshot()
  progress.becomeProbe()
  // Delivered: its answer is on the way. Failed: try again with the next heartbeat.
  progress.paused = true
}
