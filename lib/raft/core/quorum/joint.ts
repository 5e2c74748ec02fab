import type { LogIndex, MemberId } from '../entry.ts'
import { type AckedIndex, committedIndex, type VoteResult, voteResult } from './majority.ts'

/** Joint consensus (thesis §4.3): agreement needs a majority of the old and a majority of the new configuration. */
export interface JointQuorum {
  /** The voters of the new configuration; the only ones outside of a transition. */
  readonly voters: readonly MemberId[]
  /** The voters of the configuration that is being left; empty outside of a transition. */
  readonly votersOutgoing: readonly MemberId[]
}

export function jointCommittedIndex(quorum: JointQuorum, acked: AckedIndex): LogIndex {
  const incoming = committedIndex(quorum.voters, acked)
  const outgoing = committedIndex(quorum.votersOutgoing, acked)
  return incoming < outgoing ? incoming : outgoing
}

/** Won when both halves are won, lost as soon as one is. */
export function jointVoteResult(quorum: JointQuorum, votes: ReadonlyMap<MemberId, boolean>): VoteResult {
  const incoming = voteResult(quorum.voters, votes)
  const outgoing = voteResult(quorum.votersOutgoing, votes)
  if (incoming === outgoing) return incoming
  return incoming === 'lost' || outgoing === 'lost' ? 'lost' : 'pending'
}
