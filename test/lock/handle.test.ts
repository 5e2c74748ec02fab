import { inspect } from 'node:util'
import { describe, expect, test, vi } from 'vitest'
import { type AlonceEvent, acquireLock, isAlonceError, LockEndedError, tryAcquireLock } from '../../lib/index.ts'
import { lockKey } from '../../lib/store/key.ts'
import { memoryStore } from '../../lib/stores/memory/memory-store.ts'
import { faultyStore } from '../../lib/testing/faulty-store.ts'
import { World } from '../support/world.ts'

function setUp() {
  const world = new World()
  const memory = memoryStore({ runtime: world.client() })
  const client = world.client()
  const store = faultyStore(memory, { runtime: client })
  const events: AlonceEvent[] = []
  return { world, memory, client, store, wire: store.wire, events, onEvent: (event: AlonceEvent) => events.push(event) }
}

describe('a handle', () => {
  test('tells its name, fence, and the time for which it can be trusted', async () => {
    const { world, store } = setUp()
    const lock = await acquireLock({ store, key: ['account', 7], leaseMs: 9000 })
    expect([lock.name, lock.fence]).toEqual(['account/=7', 1])
    expect(lock.remainingMs()).toBe(9000)
    await world.advance(1000)
    expect(lock.remainingMs()).toBe(8000)
    await lock.release()
    expect(lock.remainingMs()).toBe(0)
  })

  test('shows no owner when it is printed', async () => {
    const { store } = setUp()
    const lock = await acquireLock({ store, key: 'k' })
    expect(lock.owner).not.toBe('')
    expect(inspect(lock, { depth: 9, showHidden: true })).not.toContain(lock.owner)
    expect(JSON.stringify(lock)).not.toContain(lock.owner)
  })

  test('is released by await using, also when that release fails', async () => {
    const { world, memory, store, wire, events, onEvent } = setUp()
    const block = async (): Promise<string> => {
      await using lock = await acquireLock({ store, key: 'k', onEvent })
      return `ran under ${lock.fence}`
    }
    expect(await block()).toBe('ran under 1')
    expect(await memory.read(lockKey('k'))).toMatchObject({ holder: undefined })
    wire.inject('drop-request', 'lock.release', 3)
    expect(await world.run(block())).toBe('ran under 2')
    expect(events.at(-1)).toMatchObject({ event: 'release-failed', code: 'STORE_UNAVAILABLE', fence: 2 })
  })

  test('that is released twice sends once', async () => {
    const { store, wire } = setUp()
    const lock = await acquireLock({ store, key: 'k' })
    await Promise.all([lock.release(), lock.release()])
    await lock.release()
    expect(wire.sent).toEqual(['lock.acquire', 'lock.release'])
  })

  test('ends its signal before the release is sent, so that nothing goes on under a lock that others may have', async () => {
    const { store, wire } = setUp()
    const lock = await acquireLock({ store, key: 'k' })
    const release = wire.hold('lock.release')
    const done = lock.release()
    expect(lock.signal.aborted).toBe(true)
    release.letGo()
    await done
  })

  test('throws an error with code and reason, that isAlonceError knows', async () => {
    const { store } = setUp()
    const lock = await acquireLock({ store, key: 'k' })
    await lock.release()
    expect(lock.signal.reason).toBeInstanceOf(LockEndedError)
    expect(isAlonceError(lock.signal.reason, 'LOCK_LOST')).toBe(true)
    expect(() => lock.assertHeld()).toThrow(lock.signal.reason)
    expect(lock.signal.reason).toMatchObject({ reason: 'released', key: 'k', fence: 1 })
    expect(() => lock.signal.throwIfAborted()).toThrow(/"k" \(fence 1\) was released/)
  })
})

describe('renewal', () => {
  test('happens at a third of the lease, with one request each, and leaves no timer behind', async () => {
    const { world, client, store, wire, events, onEvent } = setUp()
    const lock = await acquireLock({ store, key: 'k', leaseMs: 9000, onEvent })
    await world.advance(2999)
    expect(wire.sent).toEqual(['lock.acquire'])
    await world.advance(1)
    expect(wire.sent).toEqual(['lock.acquire', 'lock.renew'])
    expect(lock.remainingMs()).toBe(9000)
    await world.advance(6000)
    await lock.release()
    expect(client.pendingTimers).toBe(0)
    expect(events).toEqual([
      expect.objectContaining({ event: 'acquired', requests: 1, fence: 1 }),
      expect.objectContaining({ event: 'renewed', requests: 1, fence: 1 }),
      expect.objectContaining({ event: 'renewed', requests: 1, fence: 1 }),
      expect.objectContaining({ event: 'renewed', requests: 1, fence: 1 }),
      expect.objectContaining({ event: 'released', requests: 1, fence: 1, durationMs: 9000 }),
    ])
  })

  test('does not keep the process alive', async () => {
    const { client, store } = setUp()
    const after = vi.spyOn(client.timer, 'after')
    await acquireLock({ store, key: 'k', leaseMs: 9000 })
    expect(after.mock.calls.map(([, , ground]) => ground)).toEqual(['background'])
  })

  test('by hand prolongs the lease, and throws when the lock is over', async () => {
    const { world, store } = setUp()
    const lock = await acquireLock({ store, key: 'k', leaseMs: 9000 })
    await world.advance(1000)
    await lock.renew()
    expect(lock.remainingMs()).toBe(9000)
    await lock.release()
    await expect(lock.renew()).rejects.toMatchObject({ code: 'LOCK_LOST', reason: 'released' })
  })

  test('by hand that fails leaves the lease as it was', async () => {
    const { world, store, wire } = setUp()
    const lock = await acquireLock({ store, key: 'k', leaseMs: 9000 })
    await world.advance(1000)
    wire.cut('throttle')
    await expect(world.run(lock.renew())).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    wire.heal()
    expect(() => lock.assertHeld()).not.toThrow()
    expect(lock.remainingMs()).toBeLessThan(8000)
  })

  test('refused at its first sending ends the lock as lost; nothing more is sent, not even a release', async () => {
    const { world, memory, store, wire, events, onEvent } = setUp()
    const lock = await acquireLock({ store, key: 'k', leaseMs: 9000, onEvent })
    await memory.execute({ type: 'lock.break', key: lockKey('k'), owner: 'operator', fence: lock.fence })
    await world.advance(3000)
    expect(lock.signal.reason).toMatchObject({ code: 'LOCK_LOST', reason: 'lost' })
    await lock.release()
    await world.advance(9000)
    expect(wire.sent).toEqual(['lock.acquire', 'lock.renew'])
    expect(events.map((event) => event.event)).toEqual(['acquired', 'lost'])
  })

  test('refused at a second sending ends it as uncertain', async () => {
    const { world, memory, store, wire, onEvent } = setUp()
    const lock = await acquireLock({ store, key: 'k', leaseMs: 9000, onEvent })
    wire.inject('drop-answer', 'lock.renew')
    const second = wire.hold('lock.renew')
    await world.advance(3100)
    await second.arrived
    await memory.execute({ type: 'lock.break', key: lockKey('k'), owner: 'operator', fence: lock.fence })
    second.letGo()
    await world.settle()
    expect(lock.signal.reason).toMatchObject({ code: 'OUTCOME_UNCERTAIN', reason: 'uncertain' })
  })

  test('refused in a later call, after one without any answer, ends it as uncertain too', async () => {
    const { world, memory, store, wire, events, onEvent } = setUp()
    const lock = await acquireLock({ store, key: 'k', leaseMs: 30_000, onEvent })
    wire.inject('drop-answer', 'lock.renew', 3) // all that one call sends
    const next = wire.hold('lock.renew')
    await world.advance(12_000)
    await next.arrived
    await memory.execute({ type: 'lock.break', key: lockKey('k'), owner: 'operator', fence: lock.fence })
    next.letGo()
    await world.settle()
    expect(events.map((event) => event.event)).toEqual(['acquired', 'renewal-failed', 'lost'])
    expect(lock.signal.reason).toMatchObject({ reason: 'uncertain' })
  })

  test('backs off between failures, and keeps to a third of the lease after a success', async () => {
    const { world, store, wire, events, onEvent } = setUp()
    await acquireLock({ store, key: 'k', leaseMs: 30_000, onEvent })
    wire.inject('throttle', 'lock.renew', 9) // three calls of three requests each
    await world.advance(15_000)
    expect(events.map((event) => event.event)).toEqual([
      'acquired',
      'renewal-failed',
      'renewal-failed',
      'renewal-failed',
      'renewed',
    ])
    await world.advance(10_000)
    expect(events.filter((event) => event.event === 'renewed')).toHaveLength(2)
  })
})

describe('on Lambda', () => {
  const contextIn = (world: World, ms: number) => {
    const endsAt = world.now + ms
    return { getRemainingTimeInMillis: () => endsAt - world.now, awsRequestId: 'request-1' }
  }

  test('the lease is what is left of the invocation and a second, and is not renewed', async () => {
    const { world, memory, store, wire } = setUp()
    const lock = await acquireLock({ store, key: 'k', context: contextIn(world, 60_000) })
    expect(lock.remainingMs()).toBe(61_000)
    expect(await memory.read(lockKey('k'))).toMatchObject({ holder: { label: 'request-1' } })
    await world.advance(59_000)
    expect(wire.sent).toEqual(['lock.acquire'])
    expect(lock.signal.aborted).toBe(false)
    await world.advance(500)
    expect(lock.signal.reason).toMatchObject({ code: 'LEASE_EXPIRED', reason: 'deadline' })
    await lock.release()
    expect(await memory.read(lockKey('k'))).toMatchObject({ holder: undefined })
  })

  test('a frozen environment that thaws in another invocation is over at its first look', async () => {
    const { world, client, store, wire } = setUp()
    const lock = await acquireLock({ store, key: 'k', leaseMs: 600_000, context: contextIn(world, 60_000) })
    client.freeze()
    await world.advance(120_000)
    expect(() => lock.assertHeld()).toThrow(expect.objectContaining({ reason: 'deadline' }))
    client.thaw()
    await world.advance(600_000)
    expect(wire.sent).toEqual(['lock.acquire'])
  })

  test('a context that always says the same, as in a test of a handler, ends the lock when that time is over', async () => {
    const { world, store } = setUp()
    const lock = await acquireLock({ store, key: 'k', leaseMs: 600_000, context: { getRemainingTimeInMillis: () => 5000 } })
    await world.advance(4499)
    expect(() => lock.assertHeld()).not.toThrow()
    await world.advance(1)
    expect(lock.signal.reason).toMatchObject({ reason: 'deadline' })
  })

  test('a waiter that thaws in another invocation does not take the lock', async () => {
    const { world, client, memory, store, wire } = setUp()
    const other = await acquireLock({ store: memory, key: 'k' })
    const waiting = acquireLock({ store, key: 'k', context: contextIn(world, 60_000) })
    const refused = expect(waiting).rejects.toMatchObject({ code: 'LOCK_HELD' })
    await world.advance(100)
    client.freeze()
    await other.release()
    await world.advance(120_000)
    client.thaw()
    await world.advance(10_000)
    await refused
    expect(wire.sent.filter((type) => type === 'lock.acquire')).toHaveLength(1)
  })

  test('a context that has nothing sensible to say gives a bounded default lease, renewed', async () => {
    const { world, store } = setUp()
    for (const remaining of [0, -5, Number.NaN, Number.POSITIVE_INFINITY]) {
      const context = { getRemainingTimeInMillis: () => remaining }
      const lock = await acquireLock({ store, key: ['k', String(remaining)], context })
      expect(lock.remainingMs()).toBe(30_000)
      await world.advance(60_000)
      expect(() => lock.assertHeld()).not.toThrow()
      await lock.release()
    }
  })
})

test('a handle that is held elsewhere costs one request, and is told with its holder', async () => {
  const { store, wire, events, onEvent } = setUp()
  await acquireLock({ store, key: 'k', leaseMs: 9000, label: 'host-a' })
  expect(await tryAcquireLock({ store, key: 'k', onEvent })).toBeUndefined()
  await expect(acquireLock({ store, key: 'k', waitMs: 0 })).rejects.toMatchObject({
    code: 'LOCK_HELD',
    statusCode: 409,
    holder: 'host-a',
    fence: 1,
    retryAfterMs: 9000,
    headers: { 'Retry-After': '9' },
  })
  expect(wire.sent).toEqual(['lock.acquire', 'lock.acquire', 'lock.acquire'])
  expect(events).toEqual([expect.objectContaining({ event: 'held', holder: 'host-a', fence: 1, requests: 1 })])
})
