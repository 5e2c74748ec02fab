import type { Clock } from '../../runtime/clock.ts'
import { type Reading, readingOf, ServerClock } from '../../store/server-clock.ts'
import { type Interval, type Moment, UNKNOWN_TIME } from '../../store/time.ts'

/** The moment of a command as far as the clock knows it: the call adds when it was first sent, and whether again. */
export type Instant = Pick<Moment, 'earliest' | 'latest' | 'seed'> & { readonly basis: Basis }

/**
 * What a time rests on.
 *
 * - `server`: DynamoDB's own clock, by the `Date` of its replies;
 * - `guess`: our wall clock, before the first reply; to be checked by that reply;
 * - `wall`: our wall clock for good, because replies carry no `Date`: something between us and DynamoDB strips it.
 */
export type Basis = 'server' | 'guess' | 'wall'

/** Added to a guess, because a `Date` is cut down to seconds: so a right clock's guess needs no second request. */
const GUESS_MARGIN_MS = 1000
/** A lease that is this much too short is left so: less than the 0.3 s between Lambda's last kill and the lease's end. */
const SHORT_BY_MS = 250

/** DynamoDB's time, guarded against hosts whose clocks differ. */
export class TableClock {
  readonly #clock: Clock
  readonly #guardMs: number
  readonly #server: ServerClock
  /** Our own wall clock at the first reply, carried on as the server's would be: what our leases are counted by then. */
  readonly #own: ServerClock

  constructor(clock: Clock, guardMs: number) {
    this.#clock = clock
    this.#guardMs = guardMs
    this.#server = new ServerClock(clock, 1000)
    this.#own = new ServerClock(clock, 1)
  }

  /**
   * A definite reply, with its `Date` or without. The first one decides for good: a holder must not count the end of its
   * lease by one clock after its beginning by another.
   */
  observe(sent: Reading, received: Reading, dateMs: number | undefined): void {
    if (dateMs !== undefined && !this.#own.known) this.#server.observe({ stampMs: dateMs, sent, received })
    else if (!this.#server.known && !this.#own.known) this.#own.observe({ stampMs: Math.floor(sent.wall), sent, received })
  }

  get basis(): Basis {
    if (this.#server.known) return 'server'
    return this.#own.known ? 'wall' : 'guess'
  }

  /** Without a `Date`, `earliest` is good for waiting only; what is taken over is decided by sightings. */
  now(): Interval {
    if (this.basis === 'guess') return UNKNOWN_TIME
    const { earliest, latest } = (this.#server.known ? this.#server : this.#own).read()
    return { earliest: earliest - this.#guardMs, latest }
  }

  /** The instant that commands are decided on: nothing can be taken over on our own clock's word. */
  instant(): Instant {
    const { basis } = this
    if (basis === 'guess') {
      const latest = Math.ceil(this.#clock.wall()) + GUESS_MARGIN_MS
      return { earliest: 0, latest, seed: latest, basis }
    }
    const { earliest, latest } = this.now()
    return { earliest: basis === 'server' ? Math.max(0, earliest) : 0, latest, seed: latest, basis }
  }

  /** Whether a guess made at `sent` turned out near enough for its expiry and its seed to stand. */
  confirms(guess: Instant, sent: Reading): boolean {
    if (this.basis !== 'server') return false
    const { latest } = this.#server.read()
    const elapsedMs = readingOf(this.#clock).monotonic - sent.monotonic
    return guess.latest >= latest - elapsedMs - SHORT_BY_MS && guess.latest <= latest + GUESS_MARGIN_MS + this.#guardMs
  }

  reading(): Reading {
    return readingOf(this.#clock)
  }
}
