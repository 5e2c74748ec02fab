import { describe, expect, test } from 'vitest'
import { type AlonceEvent, acquireLock } from '../../lib/index.ts'
import { backOffFurther, delayMs, looksFree, startBackOff } from '../../lib/lock/waiting.ts'
import { lockKey } from '../../lib/store/key.ts'
import type { Fence } from '../../lib/store/record.ts'
import { exactly } from '../../lib/store/time.ts'
import { memoryStore } from '../../lib/stores/memory/memory-store.ts'
import { faultyStore } from '../../lib/testing/faulty-store.ts'
import { World } from '../support/world.ts'

const fence = (value: number): Fence => value as Fence
const holder = { owner: 'A', expiresAtMs: 100_000 }

describe('the back-off', () => {
  const stepAfter = (looks: readonly { readonly fence: number; readonly inVain?: boolean }[]): number =>
    looks.reduce(
      (backOff, look) => backOffFurther(backOff, { fence: fence(look.fence), inVain: look.inVain ?? false }),
      startBackOff(fence(1)),
    ).stepMs

  test('of a lone waiter grows to a quarter of a second', () => {
    expect(stepAfter([])).toBe(20)
    expect(stepAfter([{ fence: 1 }])).toBe(40)
    expect(stepAfter(Array(10).fill({ fence: 1 }))).toBe(250)
  })

  test('of one who sees others win grows with their number, to a second', () => {
    expect(stepAfter([...Array(10).fill({ fence: 1 }), ...Array(3).fill({ fence: 4 })])).toBe(400)
    expect(stepAfter([...Array(10).fill({ fence: 1 }), ...Array(5).fill({ fence: 90 })])).toBe(1000)
  })

  test('grows faster after a write in vain', () => {
    expect(stepAfter([{ fence: 2, inVain: true }])).toBe(80)
  })

  test('draws the delay from the upper half of the step', () => {
    const backOff = startBackOff(fence(1))
    expect(delayMs(backOff, holder, { now: exactly(0), fraction: 0 })).toBe(10)
    expect(delayMs(backOff, holder, { now: exactly(0), fraction: 0.999 })).toBeCloseTo(20, 1)
  })

  test('knows the end of the lease: a look soon after it, but not by all at once', () => {
    const backOff = { stepMs: 1000, capMs: 1000, since: fence(1) }
    expect(delayMs(backOff, holder, { now: exactly(99_900), fraction: 0 })).toBe(101)
    expect(delayMs(backOff, holder, { now: exactly(99_900), fraction: 0.5 })).toBe(101 + 125)
  })

  test('before the first reply the end of the lease is unknown, and the usual delay holds', () => {
    const now = { earliest: Number.NEGATIVE_INFINITY, latest: Number.POSITIVE_INFINITY }
    expect(delayMs(startBackOff(fence(1)), holder, { now, fraction: 0 })).toBe(10)
    expect(looksFree(holder, now)).toBe(false)
  })

  test('a lease is over for others only after its last millisecond', () => {
    expect(looksFree(holder, exactly(100_000))).toBe(false)
    expect(looksFree(holder, exactly(100_001))).toBe(true)
    expect(looksFree(undefined, exactly(0))).toBe(true)
  })
})

describe('waiting', () => {
  function setUp() {
    const world = new World()
    const memory = memoryStore({ runtime: world.client() })
    const store = faultyStore(memory, { runtime: world.client() })
    const events: AlonceEvent[] = []
    return { world, memory, store, events, onEvent: (event: AlonceEvent) => events.push(event) }
  }

  test('reads, and writes when the lock looks free; the events tell for how long', async () => {
    const { world, memory, store, events, onEvent } = setUp()
    const other = await acquireLock({ store: memory, key: 'k' })
    const waiting = acquireLock({ store, key: 'k', onEvent })
    await world.advance(1000)
    await other.release()
    const lock = await world.run(waiting)
    expect(lock.fence).toBe(2)
    expect(store.wire.sent.filter((type) => type !== 'read')).toEqual(['lock.acquire', 'lock.acquire'])
    expect(store.wire.sent.at(-2)).toBe('read')
    const requests = store.wire.sent.length
    expect(events).toEqual([
      expect.objectContaining({ event: 'waited', requests }),
      expect.objectContaining({ event: 'acquired', requests, fence: 2 }),
    ])
    expect(events[0]?.durationMs).toBeGreaterThanOrEqual(1000)
    expect(events[0]?.durationMs).toBeLessThanOrEqual(1250)
  })

  test('ends with the wait, after a last look', async () => {
    const { world, memory, store, events, onEvent } = setUp()
    await acquireLock({ store: memory, key: 'k', label: 'host-a' })
    const startedAt = world.now
    const refused = acquireLock({ store, key: 'k', waitMs: 777, onEvent })
    await expect(world.run(refused)).rejects.toMatchObject({ code: 'LOCK_HELD', holder: 'host-a' })
    expect(world.now - startedAt).toBe(777)
    expect(store.wire.sent.filter((type) => type === 'lock.acquire')).toHaveLength(1)
    expect(events.map((event) => event.event)).toEqual(['waited', 'held'])
  })

  test('an outage while waiting is no news: the lock is not taken to be free, and the wait goes on', async () => {
    const { world, memory, store } = setUp()
    const other = await acquireLock({ store: memory, key: 'k' })
    const waiting = acquireLock({ store, key: 'k', waitMs: 10_000 })
    await world.advance(100)
    store.wire.cut()
    await world.advance(3000)
    store.wire.heal()
    await other.release()
    expect((await world.run(waiting)).fence).toBe(2)
  })

  test('an outage to the end of the wait is LOCK_HELD: that much is known', async () => {
    const { world, memory, store } = setUp()
    await acquireLock({ store: memory, key: 'k' })
    const waiting = acquireLock({ store, key: 'k', waitMs: 2000 })
    const refused = expect(waiting).rejects.toMatchObject({ code: 'LOCK_HELD', fence: 1 })
    await world.advance(100)
    store.wire.cut()
    await world.advance(5000)
    await refused
  })

  test('a ghost is asked anew under another owner, three times at most', async () => {
    const { memory } = setUp()
    const owners: string[] = []
    const stale = (times: number) =>
      Object.assign(Object.create(memory), {
        name: memory.name,
        capabilities: memory.capabilities,
        runtime: memory.runtime,
        now: () => memory.now(),
        execute: async (command: Parameters<typeof memory.execute>[0]) => {
          if (command.type === 'lock.acquire') owners.push(command.owner)
          return owners.length <= times ? { outcome: 'stale' } : memory.execute(command)
        },
      }) as typeof memory
    const lock = await acquireLock({ store: stale(2), key: lockKey('k') })
    expect(new Set(owners).size).toBe(3)
    expect(lock.owner).toBe(owners[2])
    owners.length = 0
    await expect(acquireLock({ store: stale(99), key: 'other' })).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    expect(owners).toHaveLength(3)
  })

  test('who takes over from a dead holder is told so', async () => {
    const { world, memory, store, events, onEvent } = setUp()
    await memory.execute({ type: 'lock.acquire', key: lockKey('k'), owner: 'dead', leaseMs: 1000 })
    await world.advance(1001)
    await acquireLock({ store, key: 'k', onEvent })
    expect(events).toEqual([expect.objectContaining({ event: 'acquired', reason: 'took-over', fence: 2, requests: 1 })])
  })
})
