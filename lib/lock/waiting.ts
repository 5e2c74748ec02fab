import type { Holder } from '../store/record.ts'
import type { Interval } from '../store/time.ts'
import { CALM_CAP_MS, type Crowd, crowdCapMs, type Sight, seeCrowd, startCrowd } from './crowd.ts'

/**
 * How long to wait between two looks at a lock that another holds.
 *
 * A look is a read; the write that it may lead to is what costs. So a lone waiter looks often, and one who sees that others were
 * quicker looks less and less often (see `Crowd`).
 */
export interface BackOff extends Rhythm {
  readonly crowd: Crowd
}

export interface Rhythm {
  /** The next delay is drawn from its upper half. */
  readonly stepMs: number
  readonly capMs: number
  /** The end of the lease that we have woken up for: a clock that counts in seconds may put it off by a moment, again and again. */
  readonly wokenFor?: number | undefined
}

const FIRST_STEP_MS = 20

export const startBackOff = (sight: Sight): BackOff => ({ stepMs: FIRST_STEP_MS, capMs: CALM_CAP_MS, crowd: startCrowd(sight) })

/** What a look showed, how long it took to be answered, and whether it looked free and the write came too late. */
export interface Look extends Sight {
  readonly answerMs: number
  readonly inVain: boolean
}

export function backOffFurther({ stepMs, wokenFor, crowd: before }: BackOff, look: Look): BackOff {
  const crowd = seeCrowd(before, look, look.answerMs)
  const capMs = crowdCapMs(crowd)
  // A write in vain is the surest sign of a crowd, and what it costs.
  return { stepMs: Math.min(stepMs * (look.inVain ? 4 : 2), capMs), capMs, wokenFor, crowd }
}

export interface Draw {
  readonly now: Interval
  /** The jitter, in [0, 1). */
  readonly fraction: number
}

/** How long to sleep now, and the back-off that remembers for what. */
export interface Pause<R extends Rhythm> {
  readonly ms: number
  readonly backOff: R
}

export function pauseOf<R extends Rhythm>(backOff: R, holder: Holder, { now, fraction }: Draw): Pause<R> {
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
const LATEST_LOOK_MS = 2000
const NEXT_LATEST_LOOK_MS = 250
/** The next one is late by at most this part of a turn, or of what its own took to come. */
const LATE_SHARE = 0.08
const TURN_GUESS_MS = 100

/** Half of the time that those before us need, at a guess: a few of them may go sooner. */
export function turnPauseMs({ ahead, turnMs, hereMs }: Turn, fraction: number): number {
  const due = ahead === 0 ? Math.max(hereMs, turnMs ?? 0) * LATE_SHARE : (ahead * (turnMs ?? Math.max(TURN_GUESS_MS, hereMs))) / 2
  const ms = Math.min(due, ahead === 0 ? NEXT_LATEST_LOOK_MS : LATEST_LOOK_MS)
  return Math.max(SOONEST_LOOK_MS, ms) * (0.75 + fraction / 4)
}
