import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Reading, ServerClock } from '../../lib/store/server-clock.ts'
import { UNKNOWN_TIME } from '../../lib/store/time.ts'

const START = Date.UTC(2026, 0, 15, 12)

/** A process whose clocks a test moves by hand; `trueMs` is the server's time. */
class Process {
  trueMs = START
  readonly reading = { monotonic: 5000, wall: START }
  readonly clock = { monotonic: () => this.reading.monotonic, wall: () => this.reading.wall }

  /** Time passes; the clocks run as fast as `rate` says. */
  pass(ms: number, rate = 1): void {
    this.trueMs += ms
    this.reading.monotonic += ms * rate
    this.reading.wall += ms * rate
  }
  /** Frozen: the monotonic clock stops. */
  freeze(ms: number): void {
    this.trueMs += ms
    this.reading.wall += ms
  }
  now(): Reading {
    return { ...this.reading }
  }
  /** A round trip, stamped in whole seconds somewhere on its way. */
  roundTrip(clock: ServerClock, { there, back, skewMs = 0 }: { there: number; back: number; skewMs?: number }): void {
    const sent = this.now()
    this.pass(there)
    const stampMs = Math.floor((this.trueMs + skewMs) / 1000) * 1000
    this.pass(back)
    clock.observe({ stampMs, sent, received: this.now() })
  }
}

const clockOf = (process: Process): ServerClock => new ServerClock(process.clock, 1000)

describe('a server’s clock from its time stamps', () => {
  test('before the first reply nothing is known', () => {
    const clock = clockOf(new Process())
    expect(clock.known).toBe(false)
    expect(clock.read()).toBe(UNKNOWN_TIME)
  })

  test('right after a reply the interval is a second and the round trip wide', () => {
    const process = new Process()
    const clock = clockOf(process)
    process.roundTrip(clock, { there: 40, back: 60 })
    // 0.1 % of the 100 ms widens it by one more on each side.
    expect(clock.read()).toEqual({ earliest: START, latest: START + 1000 + 100 + 1 })
  })

  test('it moves with our clocks, and widens by 0.1 % of the age', () => {
    const process = new Process()
    const clock = clockOf(process)
    process.roundTrip(clock, { there: 0, back: 0 })
    process.pass(100_000)
    expect(clock.read()).toEqual({ earliest: START + 99_900, latest: START + 101_100 })
  })

  test('an environment frozen for an hour still knows a latest that is late enough, and an earliest that is early enough', () => {
    const process = new Process()
    const clock = clockOf(process)
    process.roundTrip(clock, { there: 10, back: 10 })
    process.freeze(3_600_000)
    const { earliest, latest } = clock.read()
    expect(earliest).toBe(START)
    expect(latest).toBeGreaterThanOrEqual(process.trueMs)
  })

  test('a wall clock set back an hour does not stretch the interval’s end back', () => {
    const process = new Process()
    const clock = clockOf(process)
    process.roundTrip(clock, { there: 10, back: 10 })
    process.pass(5000)
    process.reading.wall -= 3_600_000
    expect(clock.read().latest).toBeGreaterThanOrEqual(process.trueMs)
    expect(clock.read().earliest).toBe(START)
  })

  test('intervals are replaced, not intersected: hosts may differ', () => {
    const process = new Process()
    const clock = clockOf(process)
    process.roundTrip(clock, { there: 0, back: 0, skewMs: 2000 })
    process.roundTrip(clock, { there: 0, back: 0, skewMs: -2000 })
    expect(clock.read()).toEqual({ earliest: START - 2000, latest: START - 1000 })
  })

  test('a reply that was overtaken by a fresher one is left aside', () => {
    const process = new Process()
    const clock = clockOf(process)
    const early = process.now()
    process.pass(10_000)
    process.roundTrip(clock, { there: 0, back: 0 })
    const fresh = clock.read()
    clock.observe({ stampMs: START, sent: early, received: process.now() })
    expect(clock.read()).toEqual(fresh)
  })

  test('a stamp that is no number is left aside', () => {
    const process = new Process()
    const clock = clockOf(process)
    clock.observe({ stampMs: Number.NaN, sent: process.now(), received: process.now() })
    expect(clock.known).toBe(false)
  })

  const step = fc.oneof(
    fc.record({ kind: fc.constant('trip' as const), there: fc.nat(5000), back: fc.nat(5000) }),
    fc.record({
      kind: fc.constant('pass' as const),
      ms: fc.nat(900_000),
      drift: fc.double({ min: -9e-4, max: 9e-4, noNaN: true }),
    }),
    fc.record({ kind: fc.constant('freeze' as const), ms: fc.nat(900_000) }),
    fc.record({ kind: fc.constant('set-wall' as const), byMs: fc.integer({ min: -7_200_000, max: 7_200_000 }) }),
  )

  test('the true time is always inside, whatever the round trips, freezes and drift', () => {
    fc.assert(
      fc.property(fc.nat(999), fc.array(step, { maxLength: 30 }), (phase, steps) => {
        const process = new Process()
        process.trueMs += phase
        const clock = clockOf(process)
        for (const next of steps) {
          if (next.kind === 'trip') process.roundTrip(clock, next)
          else if (next.kind === 'pass') process.pass(next.ms, 1 + next.drift)
          else if (next.kind === 'freeze') process.freeze(next.ms)
          if (!clock.known) continue
          const { earliest, latest } = clock.read()
          expect(earliest).toBeLessThanOrEqual(process.trueMs)
          expect(latest).toBeGreaterThanOrEqual(process.trueMs)
        }
      }),
      { numRuns: 500 },
    )
  })

  test('a wall clock that is set while nothing freezes keeps the true time inside', () => {
    fc.assert(
      fc.property(fc.nat(999), fc.array(step, { maxLength: 30 }), (phase, steps) => {
        const process = new Process()
        process.trueMs += phase
        const clock = clockOf(process)
        for (const next of steps) {
          if (next.kind === 'trip') process.roundTrip(clock, next)
          else if (next.kind === 'pass') process.pass(next.ms, 1 + next.drift)
          else if (next.kind === 'set-wall') process.reading.wall += next.byMs
          if (!clock.known) continue
          const { earliest, latest } = clock.read()
          expect(earliest).toBeLessThanOrEqual(process.trueMs)
          expect(latest).toBeGreaterThanOrEqual(process.trueMs)
        }
      }),
      { numRuns: 500 },
    )
  })
})
