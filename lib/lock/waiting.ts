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

export function backOffFurther({ stepMs, since }: BackOff, { fence, inVain }: Sight): BackOff {
  const losses = Math.max(0, fence - since)
  const capMs = Math.min(CALM_CAP_MS + losses * CAP_PER_LOSS_MS, CROWDED_CAP_MS)
  // A write in vain is the surest sign of a crowd, and what it costs.
  return { stepMs: Math.min(stepMs * (inVain ? 4 : 2), capMs), capMs, since }
}

export interface Draw {
  readonly now: Interval
  /** The jitter, in [0, 1). */
  readonly fraction: number
}

export function delayMs(backOff: BackOff, holder: Holder, { now, fraction }: Draw): number {
  const usual = backOff.stepMs * (0.5 + fraction / 2)
  // A dead holder is worth a look right after its lease's end, though not by all in the same millisecond.
  const untilEnd = holder.expiresAtMs - now.earliest + 1
  return untilEnd > 0 ? Math.min(usual, untilEnd + (fraction * backOff.capMs) / 4) : usual
}

/** By the store's clock, and only when nobody's clock can still be before the end: a write has a chance. */
export const looksFree = (holder: Holder | undefined, now: Interval): boolean =>
  holder === undefined || now.earliest > holder.expiresAtMs
