import { describe, expect, test } from 'vitest'
import { acquireLock, releaseAll, tryAcquireLock, withLock } from '../../../lib/index.ts'
import { sleep } from '../../../lib/runtime/runtime.ts'
import { type Backend, backends } from '../../support/backends.ts'
import { distant, overriding } from './distant.ts'
import { errorOf, LEASE_MS, names, type Process, SURELY_OVER_MS, setUp } from './setting.ts'

const fair = ({ store }: Process) => ({ store, key: 'k', leaseMs: LEASE_MS, fair: true }) as const

/** On DynamoDB Local a smaller crowd: each look of a waiter is a real request. */
const crowdOf = ({ name }: Backend): number => (name === 'memory' ? 100 : 25)

describe.each(backends)('fair locks, on $name', (backend) => {
  test.each([20, 500])(
    'L13 fair: contenders who hold for %d ms each are served in the order of arrival, with at most 3 writes a grant',
    async (holdMs) => {
      const { world, process } = await setUp(backend)
      const crowd = Array.from({ length: crowdOf(backend) }, () => process())
      const served: number[] = []
      const fences: number[] = []
      let holders = 0
      const first = world.now
      const runs: Promise<unknown>[] = []
      for (const [index, one] of crowd.entries()) {
        const options = { ...fair(one), store: distant(one.store, 5), waitMs: 600_000 }
        runs.push(
          withLock(options, async (lock) => {
            expect(++holders).toBe(1)
            served.push(index)
            fences.push(lock.fence)
            await sleep(one.client.timer, holdMs)
            holders--
          }),
        )
        await world.advance(1) // so that there is an order of arrival
      }
      await world.run(Promise.all(runs))

      expect(served).toEqual(crowd.map((_, index) => index))
      expect(fences).toEqual([...fences].sort((a, b) => a - b))
      const writes = crowd.flatMap(({ wire }) => wire.sent).filter((type) => type !== 'read').length
      expect(writes / crowd.length).toBeLessThanOrEqual(3)
      if (holdMs === 500) expect((crowd.length * holdMs) / (world.now - first)).toBeGreaterThanOrEqual(0.9)
    },
    120_000,
  )

  test('L13 fair: a crowd that comes at once, to a lock that nobody has had: at most 3 writes a grant', async () => {
    const { world, process } = await setUp(backend)
    const crowd = Array.from({ length: crowdOf(backend) }, () => process())
    const since = world.now
    const runs = crowd.map((one) =>
      withLock({ ...fair(one), store: distant(one.store, 5), waitMs: 600_000 }, () => sleep(one.client.timer, 500)),
    )
    await world.run(Promise.all(runs))
    const sent = crowd.flatMap(({ wire }) => wire.sent)
    const reads = sent.filter((type) => type === 'read').length
    // A place, and the release that hands over; where a store is asked by conditional writes, a refusal first: it looked free to all.
    expect((sent.length - reads) / crowd.length).toBeLessThanOrEqual(backend.name === 'memory' ? 2 : 3)
    expect(reads / crowd.length).toBeLessThanOrEqual(40)
    expect((crowd.length * 500) / (world.now - since)).toBeGreaterThanOrEqual(0.9)
  }, 120_000)

  test('L13 fair: the releasing write hands over, and the next one claims it when its first renewal is due', async () => {
    const { world, process, record } = await setUp(backend)
    const [a, b] = [process(), process()]
    const held = await world.run(acquireLock(fair(a)))
    const waiting = acquireLock({ ...fair(b), label: 'host-b', onEvent: b.onEvent })
    await world.advance(100)
    await world.run(held.release())
    const handed = await record('k')
    expect(handed).toMatchObject({ holder: { label: 'host-b' }, queue: [] })
    const lock = await world.run(waiting)
    expect([lock.fence, lock.owner]).toEqual([handed?.fence, handed?.holder?.owner])
    expect(b.events.at(-1)).toMatchObject({ event: 'acquired', reason: 'handed-over' })
    expect(b.wire.sent.filter((type) => type === 'lock.renew')).toEqual([])
    await world.advance(LEASE_MS)
    expect(() => lock.assertHeld()).not.toThrow()
    expect(names(b.events).filter((name) => name === 'renewed').length).toBeLessThanOrEqual(4)
    await world.run(lock.release())
    expect((await record('k'))?.holder).toBeUndefined()
  })

  test('L13 fair: who does not queue does not overtake those who do', async () => {
    const { world, process } = await setUp(backend)
    const [a, b, c] = [process(), process(), process()]
    const held = await world.run(acquireLock(fair(a)))
    const order: string[] = []
    const waiting = withLock({ ...fair(b), waitMs: 60_000 }, async () => {
      order.push('fair')
      await sleep(b.client.timer, 300)
    })
    await world.advance(50)
    const other = withLock({ store: c.store, key: 'k', leaseMs: LEASE_MS, waitMs: 60_000 }, () => order.push('unfair'))
    await world.advance(1000)
    await world.run(held.release())
    expect(await world.run(tryAcquireLock({ store: c.store, key: 'k' }))).toBeUndefined()
    await world.run(Promise.all([waiting, other]))
    expect(order).toEqual(['fair', 'unfair'])
  })

  test('L12 fair: when a holder dies, the lock goes to the head of the queue', async () => {
    const { world, process } = await setUp(backend)
    const [a, b, c] = [process(), process(), process()]
    await world.run(acquireLock(fair(a)))
    const order: string[] = []
    const runs = [b, c].map(async (one, index) => {
      await sleep(one.client.timer, index * 10)
      await withLock({ ...fair(one), waitMs: 120_000, onEvent: one.onEvent }, () => order.push(index === 0 ? 'b' : 'c'))
    })
    await world.advance(1000)
    a.client.kill()
    await world.run(Promise.all(runs))
    expect(order).toEqual(['b', 'c'])
    expect(b.events.find((event) => event.event === 'acquired')).toMatchObject({ reason: 'took-over' })
  })

  test('L12 fair: who waits for long gives a sign of life, well before the last one ends', async () => {
    const { world, process, record } = await setUp(backend)
    const [a, b] = [process(), process()]
    const held = await world.run(acquireLock(fair(a)))
    const waiting = acquireLock({ ...fair(b), waitMs: 600_000 })
    await world.advance(1000)
    const signOf = async () => (await record('k'))?.queue?.[0]?.aliveUntilMs ?? 0
    const first = await signOf()
    await world.advance(45_000)
    expect(await signOf()).toBeGreaterThan(first + 30_000)
    expect(b.wire.sent.filter((type) => type === 'lock.acquire')).toHaveLength(2)
    await world.run(held.release())
    await world.run((await world.run(waiting)).release())
  })

  test('L12 fair: dead waiters cost the time to claim once, and are dropped', async () => {
    const { world, process, record } = await setUp(backend)
    const [a, b] = [process(), process()]
    const dead = [process(), process(), process(), process()]
    const held = await world.run(acquireLock(fair(a)))
    for (const one of dead) {
      void acquireLock({ ...fair(one), waitMs: 5000 })
      await world.advance(20)
    }
    const waiting = acquireLock({ ...fair(b), waitMs: 120_000 })
    await world.advance(20)
    for (const one of dead) one.client.kill()
    await world.advance(SURELY_OVER_MS / 2)
    await world.run(held.release())
    const releasedAt = world.now
    const lock = await world.run(waiting)
    expect(world.now - releasedAt).toBeLessThan(10_000)
    expect((await record('k'))?.queue).toEqual([])
    await world.run(lock.release())
  })

  test('L17 fair: who gives up leaves the queue, and is handed nothing', async () => {
    const { world, process, record } = await setUp(backend)
    const [a, b, c] = [process(), process(), process()]
    const held = await world.run(acquireLock(fair(a)))
    const giving = errorOf(acquireLock({ ...fair(b), waitMs: 1000 }))
    await world.advance(50)
    const waiting = acquireLock({ ...fair(c), waitMs: 60_000 })
    expect(await world.run(giving)).toMatchObject({ code: 'LOCK_HELD' })
    expect((await record('k'))?.queue).toHaveLength(1)
    await world.run(held.release())
    await world.run((await world.run(waiting)).release())
  })

  test('L13 fair: with waitMs 0 nobody takes a place', async () => {
    const { world, process, record } = await setUp(backend)
    const [a, b] = [process(), process()]
    const held = await world.run(acquireLock(fair(a)))
    expect(await world.run(errorOf(acquireLock({ ...fair(b), waitMs: 0 })))).toMatchObject({ code: 'LOCK_HELD' })
    expect((await record('k'))?.queue ?? []).toEqual([])
    await world.run(held.release())
  })

  test('L1 fair: a waiter that froze past its turn does not take what is another’s by then', async () => {
    const { world, process } = await setUp(backend)
    const [a, b, c] = [process(), process(), process()]
    const held = await world.run(acquireLock(fair(a)))
    const frozen = acquireLock({ ...fair(b), waitMs: 600_000 })
    await world.advance(50)
    const waiting = acquireLock({ ...fair(c), waitMs: 600_000 })
    await world.advance(50)
    b.client.freeze()
    await world.run(held.release())
    const lock = await world.run(waiting)
    b.client.thaw()
    await world.advance(5000)
    expect(() => lock.assertHeld()).not.toThrow()
    await world.run(lock.release())
    const late = await world.run(frozen)
    expect(late.fence).toBeGreaterThan(lock.fence)
    await world.run(late.release())
  })

  test('L6 fair: the answer to taking a place is lost: one place all the same', async () => {
    const { world, process, record } = await setUp(backend)
    const [a, b] = [process(), process()]
    const held = await world.run(acquireLock(fair(a)))
    b.wire.inject('drop-answer', 'lock.acquire')
    const waiting = acquireLock({ ...fair(b), waitMs: 60_000 })
    await world.advance(2000)
    expect((await record('k'))?.queue).toHaveLength(1)
    await world.run(held.release())
    await world.run((await world.run(waiting)).release())
  })

  test('L22 fair: whatever ends the wait, nobody is handed the lock in its name', async () => {
    const { world, process, record } = await setUp(backend)
    const [a, b] = [process(), process()]
    const held = await world.run(acquireLock(fair(a)))
    let broken = false
    const store = overriding(b.store, {
      read: (key, options) => (broken ? Promise.reject(new TypeError('a bug')) : b.store.read(key, options)),
    })
    const waiting = errorOf(acquireLock({ ...fair(b), store, waitMs: 600_000 }))
    await world.advance(100)
    expect((await record('k'))?.queue).toHaveLength(1)
    broken = true
    expect(await world.run(waiting)).toEqual(new TypeError('a bug'))
    expect((await record('k'))?.queue).toEqual([])
    expect(await world.run(releaseAll(store))).toEqual({ released: 0, failed: [] })
    await world.run(held.release())
  })

  test('L21 releaseAll takes waiters out of the queue, too', async () => {
    const { world, process, record } = await setUp(backend)
    const [a, b] = [process(), process()]
    const held = await world.run(acquireLock(fair(a)))
    const giving = errorOf(acquireLock({ ...fair(b), waitMs: 600_000 }))
    await world.advance(100)
    expect(await world.run(releaseAll(b.store))).toEqual({ released: 1, failed: [] })
    expect(await world.run(giving)).toMatchObject({ code: 'LOCK_HELD' })
    expect((await record('k'))?.queue).toEqual([])
    await world.run(held.release())
  })

  test('L13 fair: a queue that is full refuses the next at once', async () => {
    if (backend.name !== 'memory') return
    const { world, process } = await setUp(backend)
    const one = process()
    await world.run(acquireLock(fair(one)))
    for (let index = 0; index < 128; index++) void acquireLock({ ...fair(one), waitMs: 60_000 }).catch(() => undefined)
    await world.advance(5)
    const startedAt = world.now
    const refused = await world.run(errorOf(acquireLock({ ...fair(one), waitMs: 60_000 })))
    expect(refused).toMatchObject({ code: 'LOCK_HELD', message: expect.stringContaining('as many as may wait') })
    expect(world.now).toBe(startedAt)
    one.client.kill()
  })
})
