import { describe, expect, test } from 'vitest'
import { acquireLock, tryAcquireLock, withLock } from '../../../lib/index.ts'
import { sleep } from '../../../lib/runtime/runtime.ts'
import { lockKey } from '../../../lib/store/key.ts'
import { backends } from '../../support/backends.ts'
import { distant } from './distant.ts'
import { errorOf, LEASE_MS, names, type Process, SURELY_OVER_MS, setUp } from './setting.ts'

/** What one transaction gives that taking them in turn does not. */
describe.each(backends)('several locks in one transaction, on $name', (backend) => {
  /** Its store's clock is known: what a process's first request costs is tested where the store is. */
  async function stage() {
    const { process, world, ...setting } = await setUp(backend)
    const started = async (): Promise<Process> => {
      const one = process()
      await world.run(one.store.read(lockKey('any')))
      one.wire.sent.length = 0
      return one
    }
    return { ...setting, world, started }
  }

  test('L16 free locks are one request, however often they were held before; each is released by its own', async () => {
    const { world, started, record } = await stage()
    const [a, b] = [await started(), await started()]
    const lock = await world.run(acquireLock({ store: a.store, keys: ['x', 'y', 'z'], leaseMs: LEASE_MS, onEvent: a.onEvent }))
    expect(a.wire.sent).toEqual(['acquire-all'])
    expect(a.events.map(({ event, requests }) => [event, requests])).toEqual([
      ['acquired', 1],
      ['acquired', 0],
      ['acquired', 0],
    ])
    for (const one of lock.locks) expect((await record(one.name))?.fence).toBe(one.fence)
    await world.run(lock.release())
    expect(a.wire.sent).toEqual(['acquire-all', 'lock.release', 'lock.release', 'lock.release'])
    await world.advance(3000)
    const next = await world.run(acquireLock({ store: b.store, keys: ['z', 'x'], leaseMs: LEASE_MS }))
    expect(b.wire.sent).toEqual(['acquire-all'])
    expect(next.fences['x']).toBeGreaterThan(lock.fences['x'] ?? Number.POSITIVE_INFINITY)
    await world.run(next.release())
  })

  test('L16 all or none: who waits for several holds none of them meanwhile, and gets them when they are free', async () => {
    const { world, started, record } = await stage()
    const [a, b, c] = [await started(), await started(), await started()]
    const held = await world.run(acquireLock({ store: b.store, key: 'y', leaseMs: LEASE_MS }))
    const waiting = acquireLock({ store: a.store, keys: ['x', 'y'], leaseMs: LEASE_MS, waitMs: 20_000, onEvent: a.onEvent })
    await world.advance(2000)
    const free = await world.run(tryAcquireLock({ store: c.store, key: 'x', leaseMs: LEASE_MS }))
    expect(free).toBeDefined()
    await world.advance(2000)
    await world.run(Promise.all([free?.release(), held.release()]))
    const lock = await world.run(waiting)
    expect((await record('x'))?.fence).toBe(lock.fences['x'])
    expect((await record('y'))?.fence).toBe(lock.fences['y'])
    expect(names(a.events)).toEqual(['waited', 'acquired', 'acquired'])
    // It waited by reading, and wrote when the lock that was in its way looked free.
    expect(a.wire.sent.filter((type) => type !== 'read')).toEqual(['acquire-all', 'acquire-all'])
    await world.run(lock.release())
  })

  test('L16 the one that is held is named, at the end of the wait, and nothing was written', async () => {
    const { world, started, record } = await stage()
    const [a, b] = [await started(), await started()]
    const held = await world.run(acquireLock({ store: b.store, key: 'y', leaseMs: LEASE_MS, label: 'b' }))
    const before = await record('y')
    const options = { store: a.store, keys: ['z', 'y', 'x'], leaseMs: LEASE_MS, onEvent: a.onEvent } as const
    expect(await world.run(tryAcquireLock(options))).toBeUndefined()
    expect(a.wire.sent).toEqual(['acquire-all'])
    expect(await world.run(errorOf(acquireLock({ ...options, waitMs: 1000 })))).toMatchObject({
      code: 'LOCK_HELD',
      key: 'y',
      holder: 'b',
    })
    expect(names(a.events)).toEqual(['held', 'waited', 'held'])
    expect(await record('y')).toEqual(before)
    for (const key of ['x', 'z']) expect(await record(key)).toBeUndefined()
    await world.run(held.release())
  })

  test('L12 a dead holder’s lock is taken over with the others when its lease has ended', async () => {
    const { world, started } = await stage()
    const [a, b] = [await started(), await started()]
    const dead = await world.run(acquireLock({ store: b.store, key: 'y', leaseMs: LEASE_MS }))
    b.client.kill()
    const options = { store: a.store, keys: ['x', 'y'], leaseMs: LEASE_MS, waitMs: SURELY_OVER_MS, onEvent: a.onEvent }
    const lock = await world.run(acquireLock(options))
    expect(lock.fences['y']).toBeGreaterThan(dead.fence)
    expect(a.events.filter(({ event }) => event === 'acquired').map(({ reason }) => reason)).toEqual([undefined, 'took-over'])
    await world.run(lock.release())
  })

  test('L6 an answer is lost: the locks are ours, each granted once', async () => {
    const { world, started, record } = await stage()
    const a = await started()
    a.wire.inject('drop-answer', 'acquire-all')
    const lock = await world.run(acquireLock({ store: a.store, keys: ['x', 'y'], leaseMs: LEASE_MS }))
    for (const one of lock.locks) expect((await record(one.name))?.fence).toBe(one.fence)
    await world.run(lock.release())
  })

  test('an outage whose answers are lost leaves nothing held', async () => {
    const { world, started, record } = await stage()
    const a = await started()
    a.wire.inject('drop-answer', 'acquire-all', 99)
    const failure = await world.run(errorOf(acquireLock({ store: a.store, keys: ['x', 'y'], leaseMs: LEASE_MS })))
    expect(failure).toMatchObject({ code: 'STORE_UNAVAILABLE', maybeApplied: true })
    for (const key of ['x', 'y']) {
      expect((await record(key))?.holder).toBeUndefined()
      expect((await record(key))?.tombstone?.reason).toBeUndefined()
    }
  })

  test('who waits goes on through an outage, while there is time', async () => {
    const { world, started } = await stage()
    const [a, b] = [await started(), await started()]
    const held = await world.run(acquireLock({ store: b.store, key: 'y', leaseMs: LEASE_MS }))
    const waiting = acquireLock({ store: a.store, keys: ['x', 'y'], leaseMs: LEASE_MS, waitMs: 25_000 })
    await world.advance(500)
    a.wire.inject('throttle', 'acquire-all', 6)
    await world.run(held.release())
    const lock = await world.run(waiting)
    expect(lock.locks).toHaveLength(2)
    expect(a.wire.sent.filter((type) => type === 'acquire-all')).toHaveLength(8)
    await world.run(lock.release())
  })

  test('L16 they are never all free at once: who waits takes them in turn in the end', async () => {
    const { world, started } = await stage()
    const [a, b, c] = [await started(), await started(), await started()]
    let going = true
    /** Free for 150 ms of every 500. */
    const busy = async ({ store, client }: Process, key: string): Promise<void> => {
      while (going) {
        await withLock({ store, key, leaseMs: LEASE_MS, waitMs: 60_000 }, () => sleep(client.timer, 350))
        await sleep(client.timer, 150)
      }
    }
    const first = busy(b, 'x')
    await world.advance(250)
    const second = busy(c, 'y')
    await world.advance(100)
    const lock = await world.run(acquireLock({ store: a.store, keys: ['x', 'y'], leaseMs: LEASE_MS, waitMs: 60_000 }), 60_000)
    expect(a.wire.sent.filter((type) => type === 'acquire-all')).toHaveLength(8)
    expect(a.wire.sent).toContain('lock.acquire')
    going = false
    await world.run(Promise.all([lock.release(), first, second]))
  })

  test('L18 a writer that waits for several is not starved by readers: it queues for the lock that they share', async () => {
    const { world, started } = await stage()
    const [a, b, c] = [await started(), await started(), await started()]
    const reader = { key: 'y', mode: 'shared', leaseMs: LEASE_MS } as const
    const reading = await world.run(acquireLock({ ...reader, store: b.store }))
    const writing = acquireLock({ store: a.store, keys: ['x', 'y'], leaseMs: LEASE_MS, waitMs: 20_000 })
    await world.advance(1000)
    expect(await world.run(tryAcquireLock({ ...reader, store: c.store }))).toBeUndefined()
    await world.run(reading.release())
    const both = await world.run(writing)
    await world.run(both.release())
  })

  test('L5 grants that arrive with their leases nearly used up are given back, and it fails', async () => {
    const { world, started, record } = await stage()
    const a = await started()
    const slow = distant(a.store, LEASE_MS * 0.95)
    const late = await world.run(errorOf(acquireLock({ store: slow, keys: ['x', 'y'], leaseMs: LEASE_MS })))
    expect(late).toMatchObject({ code: 'LEASE_EXPIRED' })
    for (const key of ['x', 'y']) expect((await record(key))?.holder).toBeUndefined()
  })

  test('shared locks and permits are taken together as well, and each is left by its own', async () => {
    const { world, started, record } = await stage()
    const [a, b] = [await started(), await started()]
    const options = { keys: ['x', 'y'], limit: 2, leaseMs: LEASE_MS } as const
    const [one, two] = [
      await world.run(acquireLock({ ...options, store: a.store })),
      await world.run(acquireLock({ ...options, store: b.store })),
    ]
    expect(await world.run(tryAcquireLock({ ...options, store: a.store }))).toBeUndefined()
    await world.run(two.renew())
    await world.run(one.release())
    expect((await record('x'))?.pool?.weight).toBe(1)
    const three = await world.run(acquireLock({ ...options, store: a.store }))
    for (const lock of three.locks) expect((await record(lock.name))?.fence).toBe(lock.fence)
    await world.run(Promise.all([two.release(), three.release()]))
  })

  test('fair locks are taken in turn: a place in a queue is waited for alone', async () => {
    const { world, started } = await stage()
    const a = await started()
    const lock = await world.run(acquireLock({ store: a.store, keys: ['x', 'y'], fair: true, leaseMs: LEASE_MS }))
    expect(a.wire.sent).not.toContain('acquire-all')
    await world.run(lock.release())
  })

  test('L17 the wait is bounded by the invocation', async () => {
    const { world, started } = await stage()
    const [a, b] = [await started(), await started()]
    await world.run(acquireLock({ store: b.store, key: 'y', leaseMs: LEASE_MS }))
    const endsAtMs = world.now + 2000
    const context = { getRemainingTimeInMillis: () => endsAtMs - world.now }
    const refused = errorOf(acquireLock({ store: a.store, keys: ['x', 'y'], context, waitMs: 60_000 }))
    expect(await world.run(refused)).toMatchObject({ code: 'LOCK_HELD' })
    expect(endsAtMs - world.now).toBeGreaterThanOrEqual(400)
  })
})
