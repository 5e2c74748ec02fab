import type { Clock } from '../runtime/clock.ts'
import { boundedWait, type LambdaContext, remainingMs } from '../runtime/invocation.ts'

/** The end of an invocation, fixed at begin: it belongs to this call, whatever becomes of the context object. */
export interface Deadline {
  /** Milliseconds left, 0 when over; `undefined` where there is no end. */
  remaining(): number | undefined
  /** `ms`, or what the invocation can spare if that is less. */
  spare(ms: number): number
}

export function freezeDeadline(clock: Clock, context: LambdaContext | undefined): Deadline {
  const total = remainingMs(context)
  const wall = clock.wall()
  const monotonic = clock.monotonic()
  const remaining = (): number | undefined => {
    if (total === undefined) return undefined
    // A frozen environment stops the monotonic clock and not the wall clock; a clock set back does the opposite.
    const elapsed = Math.max(clock.wall() - wall, clock.monotonic() - monotonic)
    return Math.max(0, total - elapsed)
  }
  return { remaining, spare: (ms) => boundedWait(ms, remaining()) }
}
