import { describe, expect, test } from 'vitest'
import { acquireLock, type Lock, tryAcquireLock, withLock } from '../../../lib/index.ts'
import { sleep } from '../../../lib/runtime/runtime.ts'
import { lockKey } from '../../../lib/store/key.ts'
import { backends } from '../../support/backends.ts'
import { distant } from './distant.ts'
import { errorOf, LEASE_MS, names, type Process, SURELY_OVER_MS, setUp } from './setting.ts'

const shared = ({ store }: Process) => ({ store, key: 'k', leaseMs: LEASE_MS, mode: 'shared' }) as const
const alone = ({ store }: Process) => ({ store, key: 'k', leaseMs: LEASE_MS }) as const
const permit = ({ store }: Process, limit: number, weight = 1) => ({ store, key: 'k', leaseMs: LEASE_MS, limit, weight }) as const

describe.each(backends)('readers, writers and permits, on $name', (backend) => {
  test('L18 readers hold together, a writer alone', async () => {
    const { world, process } = await setUp(backend)
    const [r1, r2, w] = [process(), process(), process()]
    const first = await world.run(acquireLock(shared(r1)))
    const second = await world.run(acquireLock(shared(r2)))
    expect(second.fence).toBeGreaterThan(first.fence)
    expect(await world.run(tryAcquireLock(alone(w)))).toBeUndefined()
    await world.run(first.release())
    expect(await world.run(tryAcquireLock(alone(w)))).toBeUndefined()
    await world.run(second.release())
    const writer = await world.run(acquireLock(alone(w)))
    expect(writer.fence).toBeGreaterThan(second.fence)
    expect(await world.run(tryAcquireLock(shared(r1)))).toBeUndefined()
    await world.run(writer.release())
    await world.run((await world.run(acquireLock(shared(r1)))).release())
  })

  test('L18 a writer that waits is not starved by readers that never leave all at once', async () => {
    const { world, process } = await setUp(backend)
    const [r1, r2, w] = [process(), process(), process()]
    let reads = 0
    let written = false
    // Each reader takes the lock again the moment it is free of its last read: one of them is always in.
    const readOn = async (reader: Process, offsetMs: number): Promise<void> => {
      await sleep(reader.client.timer, offsetMs)
      while (!written) {
        await withLock({ ...shared(reader), waitMs: 60_000 }, () => sleep(reader.client.timer, 200))
        reads++
      }
    }
    const readers = [readOn(r1, 0), readOn(r2, 100)]
    await world.advance(1000)
    const readsBefore = reads
    const startedAt = world.now
    await world.run(
      withLock({ ...alone(w), waitMs: 60_000 }, async (lock) => {
        const record = await w.store.read(lockKey('k'))
        expect(record).toMatchObject({ holder: { owner: lock.owner }, pool: { weight: 0 } })
        written = true
      }),
    )
    expect(readsBefore).toBeGreaterThan(4)
    expect(world.now - startedAt).toBeLessThan(1500)
    await world.run(Promise.all(readers))
  })

  test('L18 a writer that died while it waited stops readers no longer than its wait would have taken', async () => {
    const { world, process } = await setUp(backend)
    const [r, w] = [process(), process()]
    const reader = await world.run(acquireLock(shared(r)))
    void acquireLock({ ...alone(w), waitMs: 5000 })
    await world.advance(100)
    expect(await world.run(tryAcquireLock(shared(r)))).toBeUndefined()
    w.client.kill()
    const next = await world.run(acquireLock({ ...shared(r), waitMs: 20_000 }))
    await world.run(Promise.all([reader.release(), next.release()]))
  })

  test('L18 a writer that gave up stops nobody', async () => {
    const { world, process, record } = await setUp(backend)
    const [r, w] = [process(), process()]
    const reader = await world.run(acquireLock(shared(r)))
    expect(await world.run(errorOf(acquireLock({ ...alone(w), waitMs: 500 })))).toMatchObject({
      code: 'LOCK_HELD',
      message: expect.stringContaining('is shared by another'),
    })
    expect((await record('k'))?.queue).toEqual([])
    const next = await world.run(tryAcquireLock(shared(w)))
    expect(next).toBeDefined()
    await world.run(Promise.all([reader.release(), next?.release()]))
  })

  test('L18 never more permits than the limit, whatever their weights, and all of them come back', async () => {
    const { world, process, record } = await setUp(backend)
    const LIMIT = 5
    let weight = 0
    let most = 0
    const runs = Array.from({ length: 30 }, (_, index) => {
      const one = process()
      const own = 1 + (index % 3)
      return withLock({ ...permit(one, LIMIT, own), waitMs: 600_000 }, async () => {
        weight += own
        most = Math.max(most, weight)
        await sleep(one.client.timer, 100)
        weight -= own
      })
    })
    await world.run(Promise.all(runs))
    expect(most).toBe(LIMIT)
    expect((await record('k'))?.pool).toEqual({ limit: LIMIT, weight: 0, members: {} })
  })

  test('L13 100 contenders for 10 permits, 200 ms each: at most 5 writes a grant, and no renewal needs a second try', async () => {
    const { world, process } = await setUp(backend)
    const crowd = Array.from({ length: backend.name === 'memory' ? 100 : 50 }, () => process())
    const onlooker = process()
    await world.run(withLock(permit(onlooker, 10), () => undefined))
    const runs = crowd.map((one) =>
      withLock({ ...permit(one, 10), store: distant(one.store, 5), waitMs: 600_000 }, async (lock) => {
        await sleep(one.client.timer, 100)
        await lock.renew()
        await sleep(one.client.timer, 100)
      }),
    )
    await world.run(Promise.all(runs))
    const sent = crowd.flatMap(({ wire }) => wire.sent)
    expect(sent.filter((type) => type === 'lock.renew')).toHaveLength(crowd.length)
    expect(sent.filter((type) => type !== 'read').length / crowd.length).toBeLessThanOrEqual(5)
  })

  test('L18 a crashed permit holder blocks its permits no longer than its lease', async () => {
    const { world, process } = await setUp(backend)
    const [a, b] = [process(), process()]
    await world.run(acquireLock(permit(a, 1)))
    a.client.kill()
    expect(await world.run(tryAcquireLock(permit(b, 1)))).toBeUndefined()
    await world.advance(SURELY_OVER_MS)
    const taken = await world.run(acquireLock({ ...permit(b, 1), onEvent: b.onEvent }))
    expect(b.events.at(-1)).toMatchObject({ event: 'acquired', reason: 'took-over' })
    await world.run(taken.release())
  })

  test('L18 another limit waits until all permits are back, and says so when the wait is over', async () => {
    const { world, process } = await setUp(backend)
    const [a, b] = [process(), process()]
    const old = await world.run(acquireLock(permit(a, 2)))
    const refused = await world.run(errorOf(acquireLock({ ...permit(b, 9), waitMs: 300 })))
    expect(refused).toMatchObject({ code: 'LOCK_HELD', message: expect.stringContaining('with another limit than 9') })
    const waiting = acquireLock(permit(b, 9))
    await world.advance(100)
    await world.run(old.release())
    await world.run((await world.run(waiting)).release())
  })

  test('L7 L17 a member renews itself without a second try while others come and go, and stops at its end', async () => {
    const { world, process } = await setUp(backend)
    const [a, ...others] = [process(), process(), process(), process()] as [Process, ...Process[]]
    const held = await world.run(acquireLock({ ...shared(a), onEvent: a.onEvent }))
    a.wire.inject('drop-answer', 'lock.renew')
    const churn = others.map(async (other) => {
      for (let round = 0; round < 20; round++) await withLock(shared(other), () => sleep(other.client.timer, 900))
    })
    await world.run(Promise.all(churn))
    await world.advance(2 * LEASE_MS)
    expect(() => held.assertHeld()).not.toThrow()
    expect(names(a.events)).not.toContain('renewal-failed')
    await world.run(held.release())
    expect(names(a.events).at(-1)).toBe('released')
  })

  test('a share and a permit cost one request each when others have had them before, two at the very first, and one each to renew and release', async () => {
    const { world, process } = await setUp(backend)
    const [a, b] = [process(), process()]
    for (const [options, key] of [
      [{ mode: 'shared' }, 'readers'],
      [{ limit: 3 }, 'permits'],
    ] as const) {
      await b.store.read(lockKey(key))
      const take = ({ store }: Process): Promise<Lock> => world.run(acquireLock({ store, key, leaseMs: LEASE_MS, ...options }))
      const first = await take(a)
      expect(a.wire.sent.length).toBeLessThanOrEqual(2)
      b.wire.sent.length = 0
      const second = await take(b)
      await world.advance(1000)
      await world.run(second.renew())
      await world.run(second.release())
      expect(b.wire.sent).toEqual(['lock.acquire', 'lock.renew', 'lock.release'])
      await world.run(first.release())
      a.wire.sent.length = 0
      await world.run((await take(a)).release())
      expect(a.wire.sent).toEqual(['lock.acquire', 'lock.release'])
      a.wire.sent.length = 0
    }
  })
})
