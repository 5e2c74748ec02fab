import { describe, expect, test } from 'vitest'
import type { KeyPart } from '../../../lib/index.ts'
import { acquireLock, tryAcquireLock, withLock } from '../../../lib/index.ts'
import { sleep } from '../../../lib/runtime/runtime.ts'
import { lockKey } from '../../../lib/store/key.ts'
import type { Store } from '../../../lib/store/store.ts'
import { backends } from '../../support/backends.ts'
import { errorOf, LEASE_MS, setUp } from './setting.ts'

const CONTENDERS = 100

describe.each(backends)('contention, on $name', (backend) => {
  test.each([20, 500])(
    'L13 100 contenders who hold for %d ms each: nobody starves, at most 5 writes a grant',
    async (holdMs) => {
      const { world, process } = await setUp(backend)
      const all = Array.from({ length: CONTENDERS }, () => process())
      const fences: number[] = []
      let holders = 0
      const runs = all.map(({ client, store }) =>
        withLock({ store: distant(store, 5), key: 'k', leaseMs: LEASE_MS, waitMs: 600_000 }, async (lock) => {
          expect(++holders).toBe(1)
          fences.push(lock.fence)
          await sleep(client.timer, holdMs)
          holders--
        }),
      )
      await world.run(Promise.all(runs))

      expect(fences).toHaveLength(CONTENDERS)
      expect(fences).toEqual([...new Set(fences)].sort((a, b) => a - b))
      const writes = all.flatMap(({ wire }) => wire.sent).filter((type) => type !== 'read').length
      expect(writes / CONTENDERS).toBeLessThanOrEqual(5)
    },
    120_000,
  )

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

/** `store` with some of its methods replaced. */
const overriding = (store: Store, replaced: Partial<Store>): Store => ({
  name: store.name,
  capabilities: store.capabilities,
  runtime: store.runtime,
  now: () => store.now(),
  execute: (command, options) => store.execute(command, options),
  read: (key, options) => store.read(key, options),
  ...replaced,
})

/** `store` at the end of a line that takes `ms` each way. */
function distant(store: Store, ms: number): Store {
  const travel = async <T>(send: () => Promise<T>): Promise<T> => {
    await sleep(store.runtime.timer, ms)
    const answer = await send()
    await sleep(store.runtime.timer, ms)
    return answer
  }
  return overriding(store, {
    execute: (command, options) => travel(() => store.execute(command, options)),
    read: (key, options) => travel(() => store.read(key, options)),
  })
}
