import { advanceCommit } from './commit.ts'
import { NO_TERM } from './entry.ts'
import type { MsgAppResp } from './messages.ts'
import type { Progress } from './progress.ts'
import type { RaftState } from './raft-state.ts'
import { broadcastAppend, sendAppend } from './replication.ts'
import { continueTransfer } from './transfer.ts'

/** A leader hears how a follower took its entries. */
export function handleAppendResponse(raft: RaftState, progress: Progress, message: MsgAppResp): void {
  progress.recentActive = true
  if (message.reject) handleRejection(raft, progress, message)
  else handleAcknowledgement(raft, progress, message)
}

/** The logs do not agree there: go back to where they can, and try again (thesis §3.5). */
function handleRejection(raft: RaftState, progress: Progress, message: MsgAppResp): void {
  const { hintIndex, hintTerm } = message
  const agreement = hintTerm === NO_TERM ? hintIndex : raft.log.possibleAgreement(hintIndex, hintTerm).index
  if (!progress.retreat(message.index, agreement)) return
  if (progress.state === 'replicate') progress.becomeProbe()
  sendAppend(raft, progress, 'always')
}

function handleAcknowledgement(raft: RaftState, progress: Progress, message: MsgAppResp): void {
  // A probed follower may acknowledge what was known already: it is back all the same.
  const isNews = progress.acknowledge(message.index) || (progress.match === message.index && progress.state === 'probe')
  if (!isNews) return
  resume(raft, progress, message)
  const isOther = progress.id !== raft.id
  if (advanceCommit(raft)) broadcastAppend(raft)
  else if (isOther && progress.canBumpCommit(raft.log.committed)) sendAppend(raft, progress, 'always')
  // There may be room for several messages now.
  if (isOther) while (sendAppend(raft, progress, 'if-entries')) {}
  continueTransfer(raft, progress)
}

function resume(raft: RaftState, progress: Progress, message: MsgAppResp): void {
  switch (progress.state) {
    case 'probe':
      progress.becomeReplicate()
      break
    case 'replicate':
      progress.inflights.freeTo(message.index)
      break
    case 'snapshot':
      // Whichever snapshot it installed, from us or from elsewhere: it is enough that the log takes over from there.
      if (progress.match + 1 < raft.log.firstIndex) return
      progress.becomeProbe()
      progress.becomeReplicate()
  }
}
