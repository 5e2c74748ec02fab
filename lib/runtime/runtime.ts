import { type Clock, systemClock } from './clock.ts'
import { type Random, systemRandom } from './random.ts'
import { systemTimer, type Timer } from './timer.ts'

/** All that a program takes from its surroundings besides the network: simulated twins take its place in tests. */
export interface Runtime {
  readonly clock: Clock
  readonly random: Random
  readonly timer: Timer
}

export const systemRuntime: Runtime = { clock: systemClock, random: systemRandom, timer: systemTimer }

/** Resolves after `ms`, or as soon as `signal` aborts; the caller looks at the signal. */
export function sleep(timer: Timer, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const done = (): void => {
      cancel()
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const cancel = timer.after(ms, done)
    signal?.addEventListener('abort', done, { once: true })
  })
}
