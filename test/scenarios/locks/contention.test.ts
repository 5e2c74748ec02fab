import { describe, expect, test } from 'vitest'
import type { KeyPart } from '../../../lib/index.ts'
import { acquireLock, tryAcquireLock, withLock } from '../../../lib/index.ts'
import { sleep } from '../../../lib/runtime/runtime.ts'
import { lockKey } from '../../../lib/store/key.ts'
import { backends } from '../../support/backends.ts'
import { distant, overriding, type Stills } from './distant.ts'
import { errorOf, LEASE_MS, SURELY_OVER_MS, setUp } from './setting.ts'

const CONTENDERS = 100

interface Storm {
  readonly contenders?: number
  readonly holdMs: number
  readonly stills?: Stills
}

describe.each(backends)('contention, on $name', (backend) => {
  /** A crowd that comes at once, at the end of a line that takes 5 ms each way. */
  async function drain({ contenders = CONTENDERS, holdMs, stills }: Storm) {
    const { world, process } = await setUp(backend)
    const all = Array.from({ length: contenders }, () => process())
    const fences: number[] = []
    let holders = 0
    const since = world.now
    const runs = all.map(({ client, store }) =>
      withLock({ store: distant(store, 5, stills), key: 'k', leaseMs: LEASE_MS, waitMs: 600_000 }, async (lock) => {
        expect(++holders).toBe(1)
        fences.push(lock.fence)
        await sleep(client.timer, holdMs)
        holders--
      }),
    )
    await world.run(Promise.all(runs))
    expect(fences).toHaveLength(contenders)
    expect(fences).toEqual([...new Set(fences)].sort((a, b) => a - b))
    const sent = all.flatMap(({ wire }) => wire.sent)
    const reads = sent.filter((type) => type === 'read').length
    return {
      writes: (sent.length - reads) / contenders,
      reads: reads / contenders,
      // Where each hand-over takes one answer's time, as an uncontended one does.
      share: (contenders * (holdMs + 10)) / (world.now - since),
    }
  }

  test('L13 100 contenders who hold for 500 ms each: nobody starves, at most 4 writes and 45 reads a grant', async () => {
    const { writes, reads, share } = await drain({ holdMs: 500 })
    expect(writes).toBeLessThanOrEqual(4)
    expect(reads).toBeLessThanOrEqual(45)
    expect(share).toBeGreaterThanOrEqual(1 / 1.1)
  }, 120_000)

  test('L13 100 contenders who hold for 20 ms each: nobody starves, at most 5 writes a grant', async () => {
    const { writes, share } = await drain({ holdMs: 20 })
    expect(writes).toBeLessThanOrEqual(5)
    expect(share).toBeGreaterThanOrEqual(0.5)
  }, 120_000)

  test('L13 contenders, and a store that stands still now and then: not all write when it goes on', async () => {
    const contenders = backend.name === 'memory' ? CONTENDERS : 25
    const { writes } = await drain({ contenders, holdMs: 500, stills: { forMs: 300, everyMs: 1700 } })
    expect(writes).toBeLessThanOrEqual(4)
  }, 120_000)

  test('L12 a waiter that knows when a dead holder’s lease ends takes over soon after, and does not look ever more often before', async () => {
    const { world, process } = await setUp(backend)
    const [a, b] = [process(), process()]
    await world.run(acquireLock({ store: a.store, key: 'k', leaseMs: LEASE_MS }))
    a.client.kill()
    const waiting = acquireLock({ store: b.store, key: 'k', leaseMs: LEASE_MS, waitMs: 2 * LEASE_MS })
    await world.advance(LEASE_MS - 1000)
    b.wire.sent.length = 0
    const since = world.now
    await world.run(waiting)
    expect(world.now - since).toBeLessThan(SURELY_OVER_MS - LEASE_MS + 1000)
    const seconds = (world.now - since) / 1000
    expect(b.wire.sent.length / seconds).toBeLessThan(8)
  })

  test('L23 names that look alike once joined do not collide', async () => {
    const { world, process } = await setUp(backend)
    const { store } = process()
    const keys: readonly KeyPart[] = [
      'a/b',
      ['a', 'b'],
      ['a/b', ''],
      ['a', 'b', ''],
      ['', 'a', 'b'],
      ['ab'],
      ['a', ['b']],
      'a%2Fb',
      'a b',
      'a+b',
      1,
      '1',
      '=1',
      [1, 1],
      [11],
      true,
      'true',
      { a: 'b' },
      '{"a":"b"}',
      'A',
      'a',
      '../a',
      '',
    ]
    const locks = []
    for (const key of keys) locks.push(await world.run(tryAcquireLock({ store, key, leaseMs: LEASE_MS })))
    expect(locks.map((lock, index) => (lock ? 'held' : keys[index]))).toEqual(keys.map(() => 'held'))
    expect(new Set(locks.map((lock) => lock?.name)).size).toBe(keys.length)
    expect(await world.run(tryAcquireLock({ store, key: ['a', 'b'] }))).toBeUndefined()
    for (const lock of locks) await world.run(lock?.release() ?? Promise.resolve())
  })

  test('L25 a waiter that reads stale data can not steal', async () => {
    const { world, process, record } = await setUp(backend)
    const [a, b] = [process(), process()]
    const free = await a.store.read(lockKey('k'))
    const held = await world.run(acquireLock({ store: a.store, key: 'k', leaseMs: LEASE_MS }))
    const stale = overriding(b.store, { read: async () => free })

    const refused = await world.run(errorOf(acquireLock({ store: stale, key: 'k', waitMs: 10_000 })))
    expect(refused).toMatchObject({ code: 'LOCK_HELD', fence: held.fence })
    expect(b.wire.sent.filter((type) => type === 'lock.acquire').length).toBeGreaterThan(1)
    expect(await record('k')).toMatchObject({ fence: held.fence, holder: { owner: held.owner } })
    expect(() => held.assertHeld()).not.toThrow()
    await world.run(held.release())
  })

  test('L25 a waiter that reads that the lock is held, when it is free, gets it all the same once it reads the truth', async () => {
    const { world, process } = await setUp(backend)
    const [a, b] = [process(), process()]
    const held = await world.run(acquireLock({ store: a.store, key: 'k', leaseMs: LEASE_MS }))
    const old = await a.store.read(lockKey('k'))
    await world.run(held.release())
    let reads = 0
    const stale = overriding(b.store, { read: async (key, options) => (++reads < 3 ? old : b.store.read(key, options)) })
    const other = await world.run(tryAcquireLock({ store: a.store, key: 'k', leaseMs: LEASE_MS }))
    const waiting = acquireLock({ store: stale, key: 'k', waitMs: 20_000 })
    await world.advance(20)
    await world.run(other?.release() ?? Promise.resolve())
    expect((await world.run(waiting)).fence).toBeGreaterThan(held.fence)
  })
})
