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
  /** The last grant seen. Another one means that somebody was quicker. */
  readonly fence: Fence
}

const FIRST_STEP_MS = 20
const CALM_CAP_MS = 250
const CROWDED_CAP_MS = 1000

export const startBackOff = (fence: Fence): BackOff => ({ stepMs: FIRST_STEP_MS, capMs: CALM_CAP_MS, fence })

/** After a look, or a refused write: the lock is held under `fence`. */
export function backOffFurther(backOff: BackOff, fence: Fence): BackOff {
  const beaten = fence !== backOff.fence
  const capMs = beaten ? Math.min(backOff.capMs * 2, CROWDED_CAP_MS) : backOff.capMs
  return { stepMs: Math.min(backOff.stepMs * 2, capMs), capMs, fence }
}

/** `fraction` in [0, 1) is the jitter. */
export function delayMs(backOff: BackOff, holder: Holder, { now, fraction }: { now: Interval; fraction: number }): number {
  const usual = backOff.stepMs * (0.5 + fraction / 2)
  // A dead holder is worth a look right after its lease's end, though not by all in the same millisecond.
  const untilEnd = holder.expiresAtMs - now.earliest + 1
  return untilEnd > 0 ? Math.min(usual, untilEnd + (fraction * backOff.capMs) / 4) : usual
}

/** By the store's clock, and only when nobody's clock can still be before the end: a write has a chance. */
export const looksFree = (holder: Holder | undefined, now: Interval): boolean =>
  holder === undefined || now.earliest > holder.expiresAtMs
