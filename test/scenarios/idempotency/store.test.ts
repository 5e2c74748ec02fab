import { AlonceError, type ErrorCode, makeIdempotent, type SendOptions, type Store, withIdempotency } from 'alonce'
import { describe, expect, test } from 'vitest'
import { backends } from '../../support/backends.ts'
import { type Actor, LEASE, outcome, stage, work } from './stage.ts'

const options = (actor: Actor) => ({ store: actor.store, operation: 'charge', key: 'p1', onEvent: actor.onEvent }) as const

/** A store that notes what time each request was given, and fails as told. */
function watched(inner: Store, fail?: ErrorCode) {
  const timeouts: (number | undefined)[] = []
  const store: Store = {
    name: inner.name,
    capabilities: inner.capabilities,
    runtime: inner.runtime,
    now: () => inner.now(),
    read: (key, given) => inner.read(key, given),
    execute: async (command, given: SendOptions = {}) => {
      timeouts.push(given.timeoutMs)
      if (fail) throw new AlonceError(fail, 'as told')
      return inner.execute(command, given)
    },
  }
  return { store, timeouts }
}

describe.each(backends)('a store in trouble: $name', (backend) => {
  test.each(['throttle', 'drop-request', 'drop-answer'] as const)('I33 %s at begin: rejected', async (fault) => {
    const s = await stage(backend)
    const a = s.actor()
    a.wire.cut(fault)
    let runs = 0
    const ended = await s.world.run(outcome(withIdempotency(options(a), async () => ++runs)))
    expect(ended).toMatchObject({ error: { code: 'STORE_UNAVAILABLE', statusCode: 503 } })
    expect(runs).toBe(0)
    expect(a.named('rejected')).toMatchObject([{ code: 'STORE_UNAVAILABLE' }])
  })

  test.each(['throttle', 'drop-request', 'drop-answer'] as const)(
    'I33 %s at begin: run unprotected, as configured',
    async (fault) => {
      const s = await stage(backend)
      const a = s.actor()
      a.wire.cut(fault)
      const ended = await s.world.run(
        withIdempotency({ ...options(a), onStoreUnavailable: 'run-unprotected' }, async (operation) => ({
          isProtected: operation.isProtected,
          fence: operation.fence,
          downstream: operation.downstreamKey('charge'),
        })),
      )
      expect(ended).toMatchObject({ isProtected: false, fence: 0 })
      expect(a.named('run-unprotected')).toMatchObject([{ reason: 'store-unavailable', code: 'STORE_UNAVAILABLE' }])
      expect(a.named('rejected')).toEqual([])

      // The other system sees the same key as from a protected attempt, and can tell a duplicate.
      a.wire.heal()
      await s.world.advance(60_000)
      const later = withIdempotency(options(a), async (operation) => operation.downstreamKey('charge'))
      expect(await s.world.run(later)).toBe(ended.downstream)
    },
  )

  test.each(['STORE_NOT_FOUND', 'STORE_DENIED', 'STORE_SCHEMA', 'RECORD_UNREADABLE'] as const)(
    'I33 %s is never a reason to run unprotected',
    async (code) => {
      const s = await stage(backend)
      const a = s.actor()
      const { store } = watched(a.store, code)
      let runs = 0
      const call = withIdempotency({ ...options(a), store, onStoreUnavailable: 'run-unprotected' }, async () => ++runs)
      expect(await s.world.run(outcome(call))).toMatchObject({ error: { code } })
      expect(runs).toBe(0)
    },
  )

  test('I33 begin, hand-back and completion stay within the invocation’s remaining time', async () => {
    const s = await stage(backend)
    const { store, timeouts } = watched(s.actor().store)
    const charge = makeIdempotent(async (_id: string, _context: unknown) => 'charged', {
      store,
      operation: 'charge',
      key: (id) => id,
    })
    await s.world.run(charge('p1', s.lambda(2000)))
    expect(timeouts).toHaveLength(2)
    for (const timeoutMs of timeouts) {
      expect(timeoutMs).toBeGreaterThanOrEqual(100)
      expect(timeoutMs).toBeLessThanOrEqual(1600)
    }
  })

  test('I33 a completion that is not taken holds the answer up only as long as the invocation can spare', async () => {
    const s = await stage(backend)
    const a = s.actor()
    const charge = makeIdempotent(
      async (_id: string, _context: unknown) => {
        a.wire.cut('throttle')
        return 'charged'
      },
      { store: a.store, operation: 'charge', key: (id) => id, onEvent: a.onEvent },
    )
    const startedAt = s.world.now
    expect(await s.world.run(charge('p1', s.lambda(4000)))).toBe('charged')
    expect(s.world.now - startedAt).toBeLessThan(4000)
    expect(a.named('completion-failed')).toHaveLength(1)
  })

  test('I33 whoever knows of a running attempt does not run unprotected when the store goes away', async () => {
    const s = await stage(backend)
    const [a, b] = [s.actor(), s.actor()]
    const job = work()
    const first = withIdempotency({ ...options(a), leaseMs: LEASE }, job.run)
    await s.world.run(job.begun)
    let runs = 0
    const waiter = withIdempotency(
      { ...options(b), waitMs: 20_000, onStoreUnavailable: 'run-unprotected' },
      async () => `run ${++runs}`,
    )
    await s.world.advance(1000)
    b.wire.cut()
    await s.world.advance(5000)
    expect(runs).toBe(0)
    // It has only been deaf for a while, and still gets the result.
    job.finish('of A')
    await s.world.run(first)
    b.wire.heal()
    expect(await s.world.run(waiter)).toBe('of A')
  })

  test('I33 nor does it when its own begin after the wait is not answered', async () => {
    const s = await stage(backend)
    const [a, b] = [s.actor(), s.actor()]
    const job = work()
    const first = outcome(withIdempotency({ ...options(a), leaseMs: LEASE }, job.run))
    await s.world.run(job.begun)
    let runs = 0
    const waiter = outcome(
      withIdempotency({ ...options(b), waitMs: 20_000, onStoreUnavailable: 'run-unprotected' }, async () => ++runs),
    )
    await s.world.advance(1000)
    b.wire.inject('drop-request', 'once.begin', 100)
    job.fail(new Error('declined'))
    await s.world.run(first)
    expect(await s.world.run(waiter)).toMatchObject({ error: { code: 'STORE_UNAVAILABLE' } })
    expect(runs).toBe(0)
  })

  test.each([0, -5, Number.NaN, undefined])('I35 remaining time %s: a bounded default lease', async (remaining) => {
    const s = await stage(backend)
    const a = s.actor()
    const job = work()
    const context = remaining === undefined ? undefined : { getRemainingTimeInMillis: () => remaining }
    const call = withIdempotency({ ...options(a), context }, job.run)
    await s.world.run(job.begun)
    const { expiresAtMs = 0 } = (await s.record('charge', 'p1')) ?? {}
    expect(expiresAtMs - s.world.now).toBeGreaterThan(0)
    expect(expiresAtMs - s.world.now).toBeLessThanOrEqual(33_000)
    job.finish('charged')
    expect(await s.world.run(call)).toBe('charged')
  })

  test('first call, replay and in progress cost 2, 1 and 1 requests, and the events count them', async () => {
    const s = await stage(backend)
    const [a, b, c] = [s.actor(), s.actor(), s.actor()]
    const job = work()
    const first = withIdempotency(options(a), job.run)
    await s.world.run(job.begun)
    await s.world.run(outcome(withIdempotency(options(b), async () => 'again')))
    job.finish('charged')
    await s.world.run(first)
    await s.world.run(withIdempotency(options(c), async () => 'again'))
    expect([a.wire.sent, b.wire.sent, c.wire.sent]).toEqual([['once.begin', 'once.complete'], ['once.begin'], ['once.begin']])
    const counted = [a, b, c].map((actor) => actor.events.map(({ event, requests }) => [event, requests]))
    expect(counted).toEqual([
      [
        ['started', 1],
        ['completed', 1],
      ],
      [['rejected', 1]],
      [['replayed', 1]],
    ])
  })
})
