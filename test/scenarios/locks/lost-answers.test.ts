import { describe, expect, test } from 'vitest'
import { acquireLock, tryAcquireLock, withLock } from '../../../lib/index.ts'
import { lockKey } from '../../../lib/store/key.ts'
import { backends } from '../../support/backends.ts'
import { errorOf, LEASE_MS, names, setUp } from './setting.ts'

describe.each(backends)('lost and late answers, on $name', (backend) => {
  test('L5 a grant whose answer comes when its lease is nearly used up is given back, and fails', async () => {
    const { world, process, record } = await setUp(backend)
    const a = process()
    await a.store.read(lockKey('k')) // so that it knows the store's clock
    a.wire.inject('drop-answer', 'lock.acquire')
    const again = a.wire.hold('lock.acquire')
    const refused = errorOf(acquireLock({ store: a.store, key: 'k', leaseMs: LEASE_MS }))
    await world.advance(1000)
    await again.arrived
    a.client.freeze() // so that no time-out of the client's ends the wait for the answer
    await world.advance(LEASE_MS - 2500)
    again.letGo()
    await world.settle()
    a.client.thaw()

    expect(await world.run(refused)).toMatchObject({ code: 'LEASE_EXPIRED' })
    expect((await record('k'))?.holder).toBeUndefined()
  })

  test('L15 a lease shorter than the latency fails with the numbers', async () => {
    const { world, process, record } = await setUp(backend)
    const a = process()
    await a.store.read(lockKey('k')) // so that it knows the store's clock
    a.wire.inject('drop-answer', 'lock.acquire')
    const again = a.wire.hold('lock.acquire')
    const refused = errorOf(acquireLock({ store: a.store, key: 'k', leaseMs: 3000 }))
    await world.advance(100)
    await again.arrived
    a.client.freeze()
    await world.advance(4900)
    again.letGo()
    await world.settle()
    a.client.thaw()

    const error = await world.run(refused)
    expect(error).toMatchObject({ code: 'LEASE_EXPIRED', message: expect.stringMatching(/3000 ms.*answer took \d+ ms.*-\d+ ms/) })
    expect((await record('k'))?.holder).toBeUndefined()
  })

  test('L6 the acquire is applied and its answer lost: held, without a wait, under one fence', async () => {
    const { world, process, record } = await setUp(backend)
    const a = process()
    a.wire.inject('drop-answer', 'lock.acquire')
    const startedAt = world.now
    const lock = await world.run(acquireLock({ store: a.store, key: 'k', leaseMs: LEASE_MS, onEvent: a.onEvent }))
    expect(world.now - startedAt).toBeLessThan(1000)
    expect(await record('k')).toMatchObject({ fence: lock.fence, holder: { owner: lock.owner } })
    expect(a.wire.sent).toEqual(['lock.acquire', 'lock.acquire'])
    expect(a.events).toEqual([expect.objectContaining({ event: 'acquired', requests: 2 })])
    await world.run(lock.release())
    expect((await record('k'))?.holder).toBeUndefined()
  })

  test('L6 an acquire that never gets an answer leaves nothing behind that others would have to wait for', async () => {
    const { world, process, record } = await setUp(backend)
    const a = process()
    a.wire.inject('drop-answer', 'lock.acquire', 100)
    const error = await world.run(errorOf(acquireLock({ store: a.store, key: 'k', leaseMs: LEASE_MS })))
    expect(error).toMatchObject({ code: 'STORE_UNAVAILABLE', maybeApplied: true })
    expect((await record('k'))?.holder).toBeUndefined()
  })

  test('L7 the renewal is applied and its answer lost: still held', async () => {
    const { world, process } = await setUp(backend)
    const [a, b] = [process(), process()]
    const lock = await world.run(acquireLock({ store: a.store, key: 'k', leaseMs: LEASE_MS, onEvent: a.onEvent }))
    a.wire.inject('drop-answer', 'lock.renew')
    await world.advance(LEASE_MS * 3)
    expect(() => lock.assertHeld()).not.toThrow()
    expect(lock.signal.aborted).toBe(false)
    expect(names(a.events)).not.toContain('lost')
    expect(await world.run(tryAcquireLock({ store: b.store, key: 'k' }))).toBeUndefined()
    await world.run(lock.release())
  })

  test('L7 no renewal is answered for a while, though all are applied: still held', async () => {
    const { world, process } = await setUp(backend)
    const a = process()
    const lock = await world.run(acquireLock({ store: a.store, key: 'k', leaseMs: LEASE_MS, onEvent: a.onEvent }))
    a.wire.inject('drop-answer', 'lock.renew', 12) // more than one call sends
    await world.advance(LEASE_MS * 2)
    expect(names(a.events)).toContain('renewal-failed')
    expect(names(a.events)).toContain('renewed')
    expect(lock.signal.aborted).toBe(false)
    await world.run(lock.release())
  })

  test('L8 a renewal that arrives after the release does not bring the lock back', async () => {
    const { world, process, record } = await setUp(backend)
    const a = process()
    const lock = await world.run(acquireLock({ store: a.store, key: 'k', leaseMs: LEASE_MS, onEvent: a.onEvent }))
    const renewal = a.wire.hold('lock.renew')
    const renewed = errorOf(lock.renew())
    await renewal.arrived
    await world.run(lock.release())
    renewal.letGo()
    expect(await world.run(renewed)).toMatchObject({ code: 'LOCK_LOST', reason: 'released' })
    expect((await record('k'))?.holder).toBeUndefined()
    await world.advance(LEASE_MS)
    expect((await record('k'))?.holder).toBeUndefined()
    expect(names(a.events)).toEqual(['acquired', 'released'])
  })

  test('L8 a release that arrives after the renewal frees the lock, and the duplicate of the renewal changes nothing', async () => {
    const { world, process, record } = await setUp(backend)
    const a = process()
    const lock = await world.run(acquireLock({ store: a.store, key: 'k', leaseMs: LEASE_MS, onEvent: a.onEvent }))
    const release = a.wire.hold('lock.release')
    const duplicate = a.wire.capture('lock.renew')
    const renewed = lock.renew()
    const released = lock.release() // sent while the renewal is under way
    await world.run(errorOf(renewed))
    release.letGo()
    await world.run(released)
    await duplicate.deliver()
    expect((await record('k'))?.holder).toBeUndefined()
    await world.advance(2 * LEASE_MS)
    expect((await record('k'))?.holder).toBeUndefined()
    expect(a.wire.sent.filter((type) => type === 'lock.renew')).toHaveLength(1)
    expect(names(a.events)).not.toContain('lost')
  })

  test('L8 a late duplicate of the acquire does not bring a released lock back', async () => {
    const { world, process, record } = await setUp(backend)
    const a = process()
    const ghost = a.wire.capture('lock.acquire')
    await world.run(withLock({ store: a.store, key: 'k', leaseMs: LEASE_MS }, () => 'done'))
    await world.run(ghost.deliver())
    expect((await record('k'))?.holder).toBeUndefined()
  })
})
