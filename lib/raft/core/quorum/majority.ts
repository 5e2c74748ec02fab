import { type LogIndex, type MemberId, ORIGIN } from '../entry.ts'

/** `pending` is an answer of its own: neither side has a majority yet, and either still can have one. */
export type VoteResult = 'won' | 'pending' | 'lost'

/** The highest index that a member is known to hold; undefined before its first word. */
export type AckedIndex = (voter: MemberId) => LogIndex | undefined

/** More than any index: an empty half of a joint quorum holds nothing back. */
export const UNBOUNDED: LogIndex = Number.POSITIVE_INFINITY as LogIndex

/** A majority of n: any two have a member in common (thesis §3.4). */
export const majorityOf = (voters: readonly MemberId[]): number => Math.floor(voters.length / 2) + 1

/**
 * The largest N that a majority of the voters holds (the paper's figure 2: "a majority of matchIndex[i] >= N").
 *
 * Quadratic on purpose: groups have three to seven voters, and comparing them allocates nothing.
 */
export function committedIndex(voters: readonly MemberId[], acked: AckedIndex): LogIndex {
  if (voters.length === 0) return UNBOUNDED
  const majority = majorityOf(voters)
  let committed = ORIGIN
  for (const voter of voters) {
    const candidate = acked(voter) ?? ORIGIN
    if (candidate > committed && holdersOf(candidate, voters, acked) >= majority) committed = candidate
  }
  return committed
}

function holdersOf(index: LogIndex, voters: readonly MemberId[], acked: AckedIndex): number {
  let holders = 0
  for (const voter of voters) if ((acked(voter) ?? ORIGIN) >= index) holders++
  return holders
}

/** Without voters every vote is won, so that the empty half of a joint quorum leaves the decision to the other. */
export function voteResult(voters: readonly MemberId[], votes: ReadonlyMap<MemberId, boolean>): VoteResult {
  if (voters.length === 0) return 'won'
  let granted = 0
  let missing = 0
  for (const voter of voters) {
    const vote = votes.get(voter)
    if (vote === undefined) missing++
    else if (vote) granted++
  }
  const majority = majorityOf(voters)
  if (granted >= majority) return 'won'
  return granted + missing >= majority ? 'pending' : 'lost'
}
