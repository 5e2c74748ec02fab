import type { Fence, Holder } from '../store/record.ts'
import type { Interval } from '../store/time.ts'

/**
 * How long to wait between two looks at a lock that another holds.
 *
 * A look is a read; the write that it may lead to is what costs. When the lock becomes free, whoever looks before the next
 * holder's write has landed writes in vain: with n contenders looking every d ms and writes of w ms, that is n * w / d of
 * them. So a lone waiter looks often, and one who sees that others were quicker looks less and less often.
 */
export interface BackOff {
  /** The next delay is drawn from its upper half. */
  readonly stepMs: number
  readonly capMs: number
  /** The grant that was in our way at first: each one since then went to somebody quicker. */
  readonly since: Fence
  /** The end of the lease that we have woken up for: a clock that counts in seconds may put it off by a moment, again and again. */
  readonly wokenFor?: number | undefined
}

const FIRST_STEP_MS = 20
const CALM_CAP_MS = 250
const CROWDED_CAP_MS = 1000
/** Who has lost n times has, at a guess, n competitors. */
const CAP_PER_LOSS_MS = 50

export const startBackOff = (fence: Fence): BackOff => ({ stepMs: FIRST_STEP_MS, capMs: CALM_CAP_MS, since: fence })

/** What a look showed: under which fence the lock is held, and whether it looked free and the write came too late. */
export interface Sight {
  readonly fence: Fence
  readonly inVain: boolean
}

export function backOffFurther({ stepMs, since, wokenFor }: BackOff, { fence, inVain }: Sight): BackOff {
  const losses = Math.max(0, fence - since)
  const capMs = Math.min(CALM_CAP_MS + losses * CAP_PER_LOSS_MS, CROWDED_CAP_MS)
  // A write in vain is the surest sign of a crowd, and what it costs.
  return { stepMs: Math.min(stepMs * (inVain ? 4 : 2), capMs), capMs, since, wokenFor }
}

export interface Draw {
  readonly now: Interval
  /** The jitter, in [0, 1). */
  readonly fraction: number
}

/** How long to sleep now, and the back-off that remembers for what. */
export interface Pause {
  readonly ms: number
  readonly backOff: BackOff
}

export function pauseOf(backOff: BackOff, holder: Holder, { now, fraction }: Draw): Pause {
  const ms = backOff.stepMs * (0.5 + fraction / 2)
  // A dead holder is worth a look right after its lease's end, though not by all in the same millisecond.
  const untilEnd = holder.expiresAtMs - now.earliest + 1
  const atEndMs = untilEnd + (fraction * backOff.capMs) / 4
  if (untilEnd <= 0 || atEndMs >= ms || backOff.wokenFor === holder.expiresAtMs) return { ms, backOff }
  return { ms: atEndMs, backOff: { ...backOff, wokenFor: holder.expiresAtMs } }
}

/** A place in the queue: nobody competes for it, so what counts is to notice one's turn soon, and not to read too often before. */
export interface Turn {
  /** How many are before us. */
  readonly ahead: number
  /** How long a turn takes, as far as we have seen; `undefined`: we have not seen one end. */
  readonly turnMs: number | undefined
  /** For how long we have been where we are. */
  readonly hereMs: number
}

const SOONEST_LOOK_MS = 20
const LATEST_LOOK_MS = 1000
const NEXT_LATEST_LOOK_MS = 250
/** The next one is late by at most this part of what its turn took to come. */
const LATE_SHARE = 0.06
const TURN_GUESS_MS = 100

/** Half of the time that those before us need, at a guess: a few of them may go sooner. */
export function turnPauseMs({ ahead, turnMs, hereMs }: Turn, fraction: number): number {
  const due = ahead === 0 ? hereMs * LATE_SHARE : (ahead * (turnMs ?? Math.max(TURN_GUESS_MS, hereMs))) / 2
  const ms = Math.min(due, ahead === 0 ? NEXT_LATEST_LOOK_MS : LATEST_LOOK_MS)
  return Math.max(SOONEST_LOOK_MS, ms) * (0.75 + fraction / 4)
}
