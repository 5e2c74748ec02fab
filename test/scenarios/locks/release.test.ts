import { describe, expect, test } from 'vitest'
import { acquireLock, type Lock, makeLocked, releaseAll, tryAcquireLock, withLock } from '../../../lib/index.ts'
import { lockKey } from '../../../lib/store/key.ts'
import { backends } from '../../support/backends.ts'
import { errorOf, LEASE_MS, names, type Process, SURELY_OVER_MS, setUp } from './setting.ts'

describe.each(backends)('releases, on $name', (backend) => {
  test.each([
    ['its result', async () => "A's result", { value: "A's result" }],
    ['its error', () => Promise.reject(new Error("A's error")), { error: new Error("A's error") }],
  ])('L10 releasing what another holds now changes nothing and does not hide %s', async (_what, finish, expected) => {
    const { world, process, record } = await setUp(backend)
    const [a, b] = [process(), process()]
    const gate = Promise.withResolvers<void>()
    const run = outcomeOf(
      withLock({ store: a.store, key: 'k', leaseMs: LEASE_MS, onEvent: a.onEvent }, async () => {
        await gate.promise
        return finish()
      }),
    )
    await world.advance(10)
    a.client.freeze()
    await world.advance(SURELY_OVER_MS)
    const other = await world.run(acquireLock({ store: b.store, key: 'k', leaseMs: LEASE_MS }))
    const before = await record('k')
    gate.resolve()
    await world.settle()
    a.client.thaw()

    expect(await world.run(run)).toEqual(expected)
    expect(await record('k')).toEqual(before)
    expect(other.signal.aborted).toBe(false)
    expect(names(a.events)).toEqual(['acquired', 'lost'])
    await world.run(other.release())
  })

  test.each([
    ['its result', async () => 7, { value: 7 }],
    ['its error', () => Promise.reject(new TypeError('boom')), { error: new TypeError('boom') }],
  ])('L10 a release that can not be sent does not hide %s', async (_what, finish, expected) => {
    const { world, process } = await setUp(backend)
    const { store, wire, events, onEvent, client } = process()
    const idle = client.pendingTimers
    const run = outcomeOf(
      withLock({ store, key: 'k', leaseMs: LEASE_MS, onEvent }, async () => {
        wire.cut()
        return finish()
      }),
    )
    expect(await world.run(run)).toEqual(expected)
    expect(events.at(-1)).toMatchObject({ event: 'release-failed', code: 'STORE_UNAVAILABLE' })
    expect(client.pendingTimers).toBe(idle)
  })

  test('L10 a manual release that failed may be tried again, and then succeeds', async () => {
    const { world, process, record } = await setUp(backend)
    const { store, wire } = process()
    const lock = await world.run(acquireLock({ store, key: 'k', leaseMs: LEASE_MS }))
    wire.cut('drop-answer')
    expect(await world.run(errorOf(lock.release()))).toMatchObject({ code: 'STORE_UNAVAILABLE', maybeApplied: true })
    wire.heal()
    await world.run(lock.release())
    await world.run(lock.release())
    expect((await record('k'))?.holder).toBeUndefined()
  })

  test('L11 fences rise across releases, clean-up and deletion by hand', async () => {
    const { world, shared, process } = await setUp(backend)
    const { store } = process()
    const fences: number[] = []
    for (let round = 0; round < 6; round++) {
      fences.push(await world.run(withLock({ store, key: 'k' }, (lock) => lock.fence)))
      if (round % 2 === 1) await shared.remove(lockKey('k'))
      await world.advance(5000)
    }
    expect(fences.every((fence, index) => index === 0 || fence > (fences[index - 1] ?? 0))).toBe(true)
  })

  test('L11 whose lock is deleted by hand is told at the next renewal, and the next fence is larger', async () => {
    const { world, shared, process } = await setUp(backend)
    const [a, b] = [process(), process()]
    const held = await world.run(acquireLock({ store: a.store, key: 'k', leaseMs: LEASE_MS, onEvent: a.onEvent }))
    await world.advance(5000)
    await shared.remove(lockKey('k'))
    const next = await world.run(acquireLock({ store: b.store, key: 'k', leaseMs: LEASE_MS }))
    await world.advance(LEASE_MS / 3)
    expect(held.signal.reason).toMatchObject({ code: 'LOCK_LOST', reason: 'lost' })
    expect(next.fence).toBeGreaterThan(held.fence)
    expect(a.events.at(-1)).toMatchObject({ event: 'lost', reason: 'lost', fence: held.fence })
    await world.run(next.release())
  })

  test('L20 an outage in the middle of a lease, shorter than the rest of it, is survived', async () => {
    const { world, process } = await setUp(backend)
    const [a, b] = [process(), process()]
    const held = await world.run(acquireLock({ store: a.store, key: 'k', leaseMs: LEASE_MS, onEvent: a.onEvent }))
    await world.advance(LEASE_MS / 3 - 500)
    a.wire.cut('throttle')
    await world.advance(LEASE_MS / 2)
    a.wire.heal()
    await world.advance(LEASE_MS)
    expect(() => held.assertHeld()).not.toThrow()
    expect(held.signal.aborted).toBe(false)
    expect(await world.run(tryAcquireLock({ store: b.store, key: 'k' }))).toBeUndefined()
    const told = names(a.events)
    expect(told).toContain('renewal-failed')
    expect(told.lastIndexOf('renewed')).toBeGreaterThan(told.lastIndexOf('renewal-failed'))
    await world.run(held.release())
  })

  test.each(['throttle', 'drop-request', 'drop-answer'] as const)(
    'L20 an outage (%s) until the end of the lease: renewals go on with back-off, then the signal aborts, before another can have the lock',
    async (fault) => {
      const { world, process } = await setUp(backend)
      const [a, b] = [process(), process()]
      const held = await world.run(acquireLock({ store: a.store, key: 'k', leaseMs: LEASE_MS, onEvent: a.onEvent }))
      a.wire.cut(fault)
      const taken = acquireLock({ store: b.store, key: 'k', waitMs: 5 * LEASE_MS }).then((lock) => {
        expect(held.signal.aborted).toBe(true)
        return lock
      })
      // A store that knows its time to a second gives so much more of a lease.
      await world.advance(LEASE_MS + 1000)
      expect(held.signal.reason).toMatchObject({ code: 'LEASE_EXPIRED', reason: 'expired' })
      const failures = names(a.events).filter((name) => name === 'renewal-failed').length
      expect(failures).toBeGreaterThanOrEqual(3)
      expect(failures).toBeLessThanOrEqual(30)
      const next = await world.run(taken)
      expect(next.fence).toBeGreaterThan(held.fence)

      const sent = a.wire.sent.length
      await world.advance(LEASE_MS)
      expect(a.wire.sent.length - sent).toBeLessThanOrEqual(3) // what was under way
      await world.run(next.release())
    },
  )

  test('L21 releaseAll releases each lock, whatever happens to another', async () => {
    const { world, process, record } = await setUp(backend)
    const a = process()
    const take = (key: string): Promise<Lock> => world.run(acquireLock({ store: a.store, key, leaseMs: LEASE_MS }))
    const locks = [await take('k1'), await take('k2'), await take('k3')]
    await world.run((await take('k4')).release())
    a.wire.inject('drop-request', 'lock.release', 1)
    const stuck = a.wire.hold('lock.release')

    const all = releaseAll(a.store)
    await stuck.arrived
    await world.settle()
    expect((await record('k3'))?.holder).toBeUndefined()
    expect(locks.map((lock) => lock.signal.reason.reason)).toEqual(['released', 'released', 'released'])
    stuck.letGo()
    expect(await world.run(all)).toEqual({ released: 3, failed: [] })
    for (const key of ['k1', 'k2', 'k3']) expect((await record(key))?.holder).toBeUndefined()
  })

  test('L21 releaseAll says what it could not release, and never throws', async () => {
    const { world, process, record } = await setUp(backend)
    const a = process()
    for (const key of ['k1', 'k2']) await world.run(acquireLock({ store: a.store, key, leaseMs: LEASE_MS }))
    a.wire.cut()
    const all = await world.run(releaseAll(a.store))
    expect(all).toMatchObject({ released: 0, failed: [{ code: 'STORE_UNAVAILABLE' }, { code: 'STORE_UNAVAILABLE' }] })
    expect((await record('k1'))?.holder).toBeDefined()
    a.wire.heal()
    expect(await world.run(releaseAll(a.store))).toEqual({ released: 0, failed: [] })
  })

  const entrances: readonly (readonly [string, (process: Process, fn: () => unknown) => Promise<unknown>])[] = [
    ['withLock', ({ store }, fn) => withLock({ store, key: 'k' }, fn)],
    ['makeLocked', ({ store }, fn) => makeLocked(fn, { store, key: 'k' })()],
  ]
  test.each(entrances)('L22 whatever the routine throws comes out of %s unchanged, and the lock is free', async (_name, run) => {
    const { world, process, record } = await setUp(backend)
    const a = process()
    const throwing = (thrown: unknown, late: boolean): (() => unknown) =>
      late
        ? () => Promise.reject(thrown)
        : () => {
            throw thrown
          }
    for (const thrown of [new RangeError('boom'), 'a text', 0, null, undefined, { code: 'E_OWN' }]) {
      for (const late of [false, true]) {
        const outcome = await world.run(outcomeOf(run(a, throwing(thrown, late))))
        expect('error' in outcome && outcome.error).toBe(thrown)
        expect((await record('k'))?.holder).toBeUndefined()
      }
    }
  })
})

type Outcome = { readonly value: unknown } | { readonly error: unknown }
const outcomeOf = (promise: Promise<unknown>): Promise<Outcome> =>
  promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  )
