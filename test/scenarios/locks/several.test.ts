import { describe, expect, test } from 'vitest'
import { acquireLock, currentLock, type Lock, makeLocked, tryAcquireLock, withLock } from '../../../lib/index.ts'
import { sleep } from '../../../lib/runtime/runtime.ts'
import { lockKey } from '../../../lib/store/key.ts'
import type { Backend } from '../../support/backends.ts'
import { backends } from '../../support/backends.ts'
import { distant, overriding } from './distant.ts'
import { errorOf, LEASE_MS, setUp } from './setting.ts'

/** A store that can take several locks in one transaction, and the same without that. */
const ways = backends.flatMap((backend): readonly (Backend & { readonly way: string })[] => [
  { ...backend, way: 'together' },
  { ...backend, way: 'in turn', open: inTurn(backend) },
])

function inTurn(backend: Backend): Backend['open'] {
  return async (world) => {
    const shared = await backend.open(world)
    const connect: typeof shared.connect = (client) => {
      const { store, wire } = shared.connect(client)
      return { store: overriding(store, {}), wire }
    }
    return { ...shared, connect }
  }
}

describe.each(ways)('several locks at once, $way, on $name', (backend) => {
  test('L16 two locks taken in opposite order by two clients: no deadlock', async () => {
    const { world, process } = await setUp(backend)
    const [a, b] = [process(), process()]
    let holders = 0
    let rounds = 0
    const transfer = async (one: typeof a, keys: readonly string[]): Promise<void> => {
      for (let round = 0; round < 5; round++) {
        await withLock({ store: distant(one.store, 5), keys, leaseMs: LEASE_MS, waitMs: 60_000 }, async () => {
          expect(++holders).toBe(1)
          await sleep(one.client.timer, 50)
          holders--
          rounds++
        })
      }
    }
    await world.run(Promise.all([transfer(a, ['x', 'y']), transfer(b, ['y', 'x'])]), 60_000)
    expect(rounds).toBe(10)
  })

  test('L16 all or none: what was taken is given back when one can not be had, and others are not kept waiting', async () => {
    const { world, process, record } = await setUp(backend)
    const [a, b] = [process(), process()]
    const held = await world.run(acquireLock({ store: b.store, key: 'y', leaseMs: LEASE_MS }))
    const refused = await world.run(
      errorOf(acquireLock({ store: a.store, keys: ['z', 'x', 'y'], leaseMs: LEASE_MS, waitMs: 500 })),
    )
    expect(refused).toMatchObject({ code: 'LOCK_HELD', key: 'y' })
    for (const key of ['x', 'z']) expect((await record(key))?.holder).toBeUndefined()
    expect(await world.run(tryAcquireLock({ store: a.store, keys: ['x', 'y'] }))).toBeUndefined()
    expect((await record('x'))?.holder).toBeUndefined()
    await world.run(held.release())
  })

  test('L16 all or none: an outage in the middle gives back what was taken', async () => {
    const { world, process, record } = await setUp(backend)
    const a = process()
    if (backend.way === 'together') {
      a.wire.inject('drop-answer', 'acquire-all', 99)
    } else {
      a.wire.hold('lock.acquire').letGo() // the first one passes
      a.wire.inject('throttle', 'lock.acquire', 99)
    }
    expect(await world.run(errorOf(acquireLock({ store: a.store, keys: ['x', 'y'], leaseMs: LEASE_MS })))).toMatchObject({
      code: 'STORE_UNAVAILABLE',
    })
    expect((await record('x'))?.tombstone).toBeDefined()
    expect((await record('x'))?.holder).toBeUndefined()
  })

  test('one handle for all: a fence for each, and a signal that aborts when any is lost', async () => {
    const { world, shared, process } = await setUp(backend)
    const a = process()
    const lock = await world.run(acquireLock({ store: a.store, keys: [['account', 7], 'x', ['account', 7]], leaseMs: LEASE_MS }))
    expect(lock.name).toBe('account/=7, x')
    expect(Object.keys(lock.fences)).toEqual(['account/=7', 'x'])
    expect(lock.locks.map((one) => one.fence)).toEqual(Object.values(lock.fences))
    for (const use of [() => lock.fence, () => lock.owner, () => lock.guard(), () => lock.fenced({} as never)]) {
      expect(use).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID', option: 'keys' }))
    }
    expect(lock.remainingMs()).toBeGreaterThan(LEASE_MS / 2)
    await world.run(lock.renew())
    await shared.remove(lockKey('x'))
    await world.advance(LEASE_MS / 2)
    expect(lock.signal.reason).toMatchObject({ code: 'LOCK_LOST', reason: 'lost', key: 'x' })
    expect(() => lock.assertHeld()).toThrow(expect.objectContaining({ key: 'x' }))
    expect(lock.remainingMs()).toBe(0)
    await world.run(lock.release())
    expect(lock.locks.every((one) => one.signal.aborted)).toBe(true)
  })

  test('each lock is released, whatever happens to another', async () => {
    const { world, process, record } = await setUp(backend)
    const a = process()
    const lock = await world.run(acquireLock({ store: a.store, keys: ['x', 'y'], leaseMs: LEASE_MS }))
    // The last one taken is released first.
    const stuck = a.wire.hold('lock.release')
    const released = lock.release()
    await stuck.arrived
    await world.settle()
    expect((await record('x'))?.holder).toBeUndefined()
    stuck.letGo()
    await world.run(released)
    expect((await record('y'))?.holder).toBeUndefined()
  })

  test('makeLocked takes keys of the arguments', async () => {
    const { world, process } = await setUp(backend)
    const { store } = process()
    const transfer = makeLocked(async (_from: string, _to: string) => Object.keys(currentLock().fences), {
      store,
      keys: (from, to) => [
        ['account', from],
        ['account', to],
      ],
    })
    expect(await world.run(transfer('b', 'a'))).toEqual(['account/a', 'account/b'])
    expect(await world.run(transfer('a', 'a'))).toEqual(['account/a'])
  })
})

describe.each(ways)('locks taken again, $way, on $name', (backend) => {
  test('code under a lock takes it again: the same grant, no request, released by the last to leave', async () => {
    const { world, process, record } = await setUp(backend)
    const { store, wire } = process()
    const options = { store, key: 'k', leaseMs: LEASE_MS, reentrant: true } as const
    const fences: number[] = []
    const depth = makeLocked(async (n: number): Promise<void> => {
      fences.push(currentLock().fence)
      if (n > 0) await depth(n - 1)
      expect((await record('k'))?.holder).toBeDefined()
      expect(() => currentLock().assertHeld()).not.toThrow()
    }, options)
    await world.run(depth(3))
    expect(new Set(fences).size).toBe(1)
    expect(fences).toHaveLength(4)
    expect(wire.sent).toEqual(['lock.acquire', 'lock.release'])
    expect((await record('k'))?.holder).toBeUndefined()
  })

  test('an inner taker that outlives the outer one keeps the lock', async () => {
    const { world, process, record } = await setUp(backend)
    const { store } = process()
    const options = { store, key: 'k', leaseMs: LEASE_MS, reentrant: true } as const
    const gate = Promise.withResolvers<void>()
    let inner: Promise<unknown> = Promise.resolve()
    let handle: Lock | undefined
    await world.run(
      withLock(options, async (outer) => {
        handle = outer
        inner = withLock(options, () => gate.promise)
        await world.settle()
      }),
    )
    expect(handle?.signal.reason).toMatchObject({ reason: 'released' })
    expect((await record('k'))?.holder).toBeDefined()
    gate.resolve()
    await world.run(inner)
    expect((await record('k'))?.holder).toBeUndefined()
  })

  test('other code does not get in: re-entrance is of the async context, not of the process', async () => {
    const { world, process } = await setUp(backend)
    const { store } = process()
    const options = { store, key: 'k', leaseMs: LEASE_MS, waitMs: 0, reentrant: true } as const
    const gate = Promise.withResolvers<void>()
    const outer = withLock(options, () => gate.promise)
    await world.advance(10)
    expect(await world.run(errorOf(withLock(options, () => 1)))).toMatchObject({ code: 'LOCK_HELD' })
    gate.resolve()
    await world.run(outer)
  })

  test('it is off unless both takers ask for it', async () => {
    const { world, process } = await setUp(backend)
    const { store } = process()
    const once = { store, key: 'k', leaseMs: LEASE_MS, waitMs: 0 } as const
    const again = { ...once, reentrant: true } as const
    for (const [outer, inner] of [
      [once, again],
      [again, once],
    ] as const) {
      const refused = withLock(outer, () => withLock(inner, () => 1))
      expect(await world.run(errorOf(refused))).toMatchObject({ code: 'LOCK_HELD' })
    }
  })

  test('another mode of the same lock is refused at once: it would wait for itself', async () => {
    const { world, process } = await setUp(backend)
    const { store } = process()
    const reader = { store, key: 'k', leaseMs: LEASE_MS, mode: 'shared', reentrant: true } as const
    const writer = { store, key: 'k', leaseMs: LEASE_MS, reentrant: true } as const
    expect(await world.run(withLock(reader, () => withLock(reader, () => 'read')))).toBe('read')
    const upgrade = withLock(reader, () => withLock(writer, () => 1))
    expect(await world.run(errorOf(upgrade))).toMatchObject({ code: 'CONFIG_INVALID', option: 'reentrant' })
  })

  test('under a lock that is lost the inner code does not run', async () => {
    const { world, shared, process } = await setUp(backend)
    const { store } = process()
    const options = { store, key: 'k', leaseMs: LEASE_MS, reentrant: true } as const
    const run = withLock(options, async (outer) => {
      await shared.remove(lockKey('k'))
      await outer.renew().catch(() => undefined)
      return withLock(options, () => 'ran')
    })
    expect(await world.run(errorOf(run))).toMatchObject({ code: 'LOCK_LOST' })
  })

  test('with several keys, those that are held are entered again and the others taken', async () => {
    const { world, process, record } = await setUp(backend)
    const { store, wire } = process()
    const options = { store, leaseMs: LEASE_MS, reentrant: true } as const
    await world.run(
      withLock({ ...options, key: 'x' }, (outer) =>
        withLock({ ...options, keys: ['x', 'y'] }, async (both) => {
          expect(both.fences['x']).toBe(outer.fence)
          expect((await record('y'))?.holder).toBeDefined()
        }),
      ),
    )
    expect(wire.sent).toEqual(['lock.acquire', 'lock.acquire', 'lock.release', 'lock.release'])
  })
})
