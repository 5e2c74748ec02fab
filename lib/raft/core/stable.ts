import { bytesOf, dataBytesOf, type LogIndex, ORIGIN } from './entry.ts'
import type { MsgStorageAppendResp, MsgStorageApplyResp } from './messages.ts'
import type { RaftState } from './raft-state.ts'
import { leaveJointIfDue } from './switch-configuration.ts'

/**
 * A write is durable.
 *
 * Entries of a request from an earlier term are not taken for stable, though they were written: in the meantime they may
 * have been replaced, and replaced back, while the write in between is still under way and would undo what we take for
 * stable (entries keep their term, so index and term look the same). A later request vouches for them: each names the end
 * of the log as it was then, whether it wrote anything or not, and each new term makes one.
 */
export function handleStorageAppended(raft: RaftState, message: MsgStorageAppendResp): void {
  const { index, logTerm: term, snapshot } = message
  if (index !== ORIGIN && message.term === raft.term) raft.log.unstable.stableTo({ term, index })
  // A snapshot holds what is committed: no later term changes it.
  if (snapshot === undefined) return
  raft.log.unstable.stableSnapshot(snapshot.index)
  advanceApplied(raft, snapshot.index, 0)
}

/** The state machine has applied `entries`. */
export function handleStorageApplied(raft: RaftState, { entries }: MsgStorageApplyResp): void {
  const last = entries.at(-1)
  if (last === undefined) return
  advanceApplied(raft, last.index, bytesOf(entries))
  raft.uncommittedBytes = Math.max(0, raft.uncommittedBytes - dataBytesOf(entries))
}

function advanceApplied(raft: RaftState, index: LogIndex, bytes: number): void {
  const { applied } = raft.log
  raft.log.appliedTo(index > applied ? index : applied, bytes)
  leaveJointIfDue(raft)
}
