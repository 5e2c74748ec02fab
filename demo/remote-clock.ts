import type { Clock } from '../lib/runtime/clock.ts'
import { type Interval, UNKNOWN_TIME } from '../lib/store/time.ts'

interface Learnt {
  readonly store: Interval
  /** Monotonic readings around the request whose answer it was. */
  readonly sentAt: number
  readonly receivedAt: number
}

/** The store tells whole milliseconds. */
const GRAIN_MS = 1
/** How far two clocks may run apart, as a share of the time since the last answer. */
const DRIFT = 0.001

/** The clock of a store in another process: what its last answer said, carried on by our own monotonic clock. */
export class RemoteClock {
  readonly #clock: Clock
  #learnt: Learnt | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** A reading of our own clock, to be taken before a request is sent. */
  reading(): number {
    return this.#clock.monotonic()
  }

  learn({ store, sentAt }: { readonly store: Interval; readonly sentAt: number }): void {
    // Answers may pass each other: the one to the latest request counts.
    if (this.#learnt && this.#learnt.sentAt > sentAt) return
    this.#learnt = { store, sentAt, receivedAt: this.#clock.monotonic() }
  }

  now(): Interval {
    if (!this.#learnt) return UNKNOWN_TIME
    const { store, sentAt, receivedAt } = this.#learnt
    const now = this.#clock.monotonic()
    const drift = (now - sentAt) * DRIFT
    return {
      earliest: Math.floor(store.earliest + (now - receivedAt) - drift),
      latest: Math.ceil(store.latest + GRAIN_MS + (now - sentAt) + drift),
    }
  }
}
