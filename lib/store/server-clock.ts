import type { Clock } from '../runtime/clock.ts'
import { type Interval, UNKNOWN_TIME } from './time.ts'

/** Both clocks of this process at one moment. */
export interface Reading {
  readonly monotonic: number
  readonly wall: number
}

export const readingOf = (clock: Clock): Reading => ({ monotonic: clock.monotonic(), wall: clock.wall() })

/** A time stamp of the server's, and between which moments of ours it was made. */
export interface Observation {
  /** Epoch milliseconds, cut down to the clock's resolution. */
  readonly stampMs: number
  readonly sent: Reading
  readonly received: Reading
}

/** How much faster or slower than the server's our clocks may run: 0.1 %, ten times what quartz is allowed. */
export const DRIFT = 0.001

/**
 * A server's clock as an interval, from the time stamps of its replies. After Marzullo and Owicki, "Maintaining the time in
 * a distributed system" (1983), with Cristian's bound on the round trip (1989).
 *
 * The stamp was made some time between sending and receiving. So `latest` is carried on since the request was *sent*, by
 * the clock of ours that advanced more, and `earliest` since the reply was *received*, by the one that advanced less: a
 * frozen process stops its monotonic clock, an operator turns back its wall clock, rarely both at once.
 *
 * Intervals are replaced, never intersected: a fleet's hosts differ by some milliseconds, and the intersection of many
 * replies is soon empty.
 */
export class ServerClock {
  readonly #clock: Clock
  readonly #resolutionMs: number
  #last: Observation | undefined

  /** `resolutionMs`: what the stamps are cut down to, 1000 for an HTTP `Date` header. */
  constructor(clock: Clock, resolutionMs: number) {
    this.#clock = clock
    this.#resolutionMs = resolutionMs
  }

  /** An answer that overtook another is the fresher one, whichever arrived last. */
  observe(observation: Observation): void {
    if (!Number.isFinite(observation.stampMs)) return
    if (this.#last && observation.sent.monotonic < this.#last.sent.monotonic) return
    this.#last = observation
  }

  get known(): boolean {
    return this.#last !== undefined
  }

  /** The server's time now, in whole milliseconds; `UNKNOWN_TIME` before the first observation. */
  read(): Interval {
    if (!this.#last) return UNKNOWN_TIME
    const { stampMs, sent, received } = this.#last
    const now = readingOf(this.#clock)
    const age = longest(sent, now)
    const widening = DRIFT * age
    const earliest = stampMs + Math.max(0, shortest(received, now) - widening)
    return { earliest: Math.floor(earliest), latest: Math.ceil(stampMs + this.#resolutionMs + age + widening) }
  }
}

/** No more than the time that really passed, whichever of our clocks stopped or was turned back. */
export const shortest = (from: Reading, to: Reading): number => Math.min(to.monotonic - from.monotonic, to.wall - from.wall)

/** No less than the time that really passed. */
export const longest = (from: Reading, to: Reading): number => Math.max(to.monotonic - from.monotonic, to.wall - from.wall)
