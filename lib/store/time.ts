/**
 * The store's time, as an interval: nobody outside the store knows it to the millisecond.
 *
 * Both ends are epoch milliseconds. A grantor takes over only what `earliest` has passed, a holder trusts its lease only
 * while `latest` has not: whoever is unsure errs on the safe side, and two who are unsure can't both be right.
 */
export interface Interval {
  readonly earliest: number
  readonly latest: number
}

/** Before the store's first reply: nothing can be taken over, and no lease can be trusted. */
export const UNKNOWN_TIME: Interval = /* @__PURE__ */ Object.freeze({
  earliest: Number.NEGATIVE_INFINITY,
  latest: Number.POSITIVE_INFINITY,
})

/** The time of a store that has its own clock (memory, Raft). */
export const exactly = (ms: number): Interval => ({ earliest: ms, latest: ms })

/** When, and in which sending, a command reaches a record. */
export interface Moment extends Interval {
  /** The latest time at which this command can have been *first* sent: a ghost is older than the release that it would undo. */
  readonly sentAtMs: number
  /** True when an earlier sending of the same command may have been applied already. It decides between `lost` and "I don't know". */
  readonly resent: boolean
  /** What a new record's fence and version start from: larger than any fence that a deleted record of this key ever had. */
  readonly seed: number
  /** A grant's fence is at least this: a store that is not told what its write made of the last fence names the next one. */
  readonly leastFence?: number | undefined
}

export const DAY_MS = 86_400_000
