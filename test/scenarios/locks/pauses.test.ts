import { describe, expect, test } from 'vitest'
import { acquireLock, currentLock, makeLocked, tryAcquireLock, withLock } from '../../../lib/index.ts'
import { backends } from '../../support/backends.ts'
import { errorOf, forever, LEASE_MS, names, SURELY_OVER_MS, setUp } from './setting.ts'

describe.each(backends)('pauses and freezes, on $name', (backend) => {
  test('L1 a holder that sleeps past its lease knows it at its first look, is refused by the resource, and leaves its successor alone', async () => {
    const { world, process, record } = await setUp(backend)
    const [a, b] = [process(), process()]
    const slow = await world.run(acquireLock({ store: a.store, key: 'k', leaseMs: LEASE_MS, onEvent: a.onEvent }))

    a.client.freeze()
    await world.advance(SURELY_OVER_MS)
    const next = await world.run(acquireLock({ store: b.store, key: 'k', leaseMs: LEASE_MS }))

    // A's code goes on before any of its timers has fired: it still is frozen as far as they go.
    expect(slow.signal.aborted).toBe(false)
    expect(() => slow.assertHeld()).toThrow(expect.objectContaining({ code: 'LEASE_EXPIRED', reason: 'expired' }))
    expect(slow.remainingMs()).toBe(0)
    expect(slow.signal.aborted).toBe(true)
    a.client.thaw()

    const resource = fencedResource()
    expect(resource.write(next.fence, "B's")).toBe('written')
    expect(resource.write(slow.fence, "A's")).toBe('refused')

    await world.run(slow.release())
    expect((await record('k'))?.holder?.owner).toBe(next.owner)
    expect(() => next.assertHeld()).not.toThrow()
    expect(names(a.events)).toEqual(['acquired', 'lost'])
    await world.run(next.release())
  })

  test('L2 at the end of a run, by result or error, no timer is left, the signal is aborted, and the handle never renews', async () => {
    const { world, process } = await setUp(backend)
    const { client, store, wire } = process()
    const idle = client.pendingTimers
    const signals: AbortSignal[] = []
    const options = { store, key: 'k', leaseMs: LEASE_MS }

    const handle = await world.run(
      withLock(options, (lock) => {
        signals.push(lock.signal)
        return { lock } // an early return
      }),
    )
    await world.run(
      errorOf(
        withLock(options, async (lock) => {
          signals.push(lock.signal)
          throw new Error('the routine failed')
        }),
      ),
    )
    expect(signals.map((signal) => signal.reason.reason)).toEqual(['released', 'released'])
    expect(client.pendingTimers).toBe(idle)

    const sent = wire.sent.length
    client.freeze()
    await world.advance(LEASE_MS / 2)
    client.thaw()
    await world.advance(LEASE_MS)
    expect(wire.sent.length).toBe(sent)
    expect(await errorOf(handle.lock.renew())).toMatchObject({ code: 'LOCK_LOST', reason: 'released' })
    expect(wire.sent.length).toBe(sent)
  })

  test('L2 a frozen environment that thaws after its lease ended does not renew it', async () => {
    const { world, process, record } = await setUp(backend)
    const { client, store, wire, events, onEvent } = process()
    const held = await world.run(acquireLock({ store, key: 'k', leaseMs: LEASE_MS, onEvent }))
    client.freeze()
    await world.advance(SURELY_OVER_MS)
    client.thaw()
    await world.advance(LEASE_MS)

    expect(held.signal.reason).toMatchObject({ code: 'LEASE_EXPIRED', reason: 'expired' })
    expect(wire.sent).not.toContain('lock.renew')
    expect(names(events)).toEqual(['acquired', 'lost'])
    expect((await record('k'))?.fence).toBe(held.fence)
  })

  test('L3 a contender whose clock is 6 s ahead does not take a live 5 s lease', async () => {
    const { world, process } = await setUp(backend)
    const [a, b] = [process(), process({ wallOffsetMs: 6000 })]
    const held = await world.run(acquireLock({ store: a.store, key: 'k', leaseMs: 5000 }))
    a.client.freeze() // no renewal helps it
    for (let second = 0; second < 5; second++) {
      expect(await world.run(tryAcquireLock({ store: b.store, key: 'k' }))).toBeUndefined()
      await world.advance(990)
    }
    const taken = await world.run(acquireLock({ store: b.store, key: 'k', waitMs: 10_000 }))
    expect(taken.fence).toBeGreaterThan(held.fence)
    await world.run(taken.release())
  })

  test("L3 setting a holder's clock back by an hour does not stretch its trust", async () => {
    const { world, process } = await setUp(backend)
    const a = process()
    const held = await world.run(acquireLock({ store: a.store, key: 'k', leaseMs: LEASE_MS, onEvent: a.onEvent }))
    a.wire.cut()
    a.client.wallOffsetMs = -3_600_000
    expect(held.remainingMs()).toBeLessThanOrEqual(LEASE_MS)
    await world.advance(LEASE_MS)
    expect(held.signal.reason).toMatchObject({ reason: 'expired' })
    expect(() => held.assertHeld()).toThrow()
  })

  test('L12 when a process dies, the first fresh contender after the end of the lease takes over, however short it lives', async () => {
    const { world, process } = await setUp(backend)
    const a = process()
    const doomed = world.run(
      withLock({ store: a.store, key: 'k', leaseMs: LEASE_MS }, (lock) => lock.fence && forever()),
      1000,
    )
    await errorOf(doomed)
    a.client.kill()
    const diedAt = world.now

    let taken: number | undefined
    while (taken === undefined && world.now < diedAt + 2 * LEASE_MS) {
      // Each contender is a new process that tries once, and is gone.
      const contender = process()
      const lock = await world.run(tryAcquireLock({ store: contender.store, key: 'k' }))
      if (lock) taken = world.now - diedAt
      contender.client.kill()
      await world.advance(500)
    }
    expect(taken).toBeGreaterThan(LEASE_MS - 2000)
    expect(taken).toBeLessThanOrEqual(LEASE_MS + 4000)
  })

  test('L12 one who waits while the holder is dead takes over right after the end of the lease', async () => {
    const { world, process } = await setUp(backend)
    const [a, b] = [process(), process()]
    await world.run(acquireLock({ store: a.store, key: 'k', leaseMs: LEASE_MS }))
    a.client.kill()
    const startedAt = world.now
    await world.run(acquireLock({ store: b.store, key: 'k', waitMs: 2 * LEASE_MS }))
    expect(world.now - startedAt).toBeGreaterThanOrEqual(LEASE_MS)
    expect(world.now - startedAt).toBeLessThanOrEqual(LEASE_MS + 4500)
    const writes = b.wire.sent.filter((type) => type === 'lock.acquire').length
    expect(writes).toBeLessThanOrEqual(3)
  })

  test('L17 waiting stops before the invocation does', async () => {
    const { world, process } = await setUp(backend)
    const [a, b] = [process(), process()]
    await world.run(acquireLock({ store: a.store, key: 'k', leaseMs: LEASE_MS, label: 'host-a' }))
    const endsAt = world.now + 4000
    const context = { getRemainingTimeInMillis: () => endsAt - world.now }
    const refused = await world.run(errorOf(acquireLock({ store: b.store, key: 'k', waitMs: 60_000, context })))
    expect(refused).toMatchObject({ code: 'LOCK_HELD', holder: 'host-a' })
    expect(endsAt - world.now).toBeGreaterThanOrEqual(800)
    expect(endsAt - world.now).toBeLessThan(1500)
  })

  test('L17 holding stops with the invocation: its signal aborts before the end, and a leftover of it renews no more', async () => {
    const { world, process } = await setUp(backend)
    const [a, b] = [process(), process()]
    const endsAt = world.now + 60_000
    const context = { getRemainingTimeInMillis: () => endsAt - world.now }
    let aborted: { readonly reason: unknown; readonly leftMs: number } | undefined
    const handler = makeLocked(
      async (_event: string, _context: typeof context) => {
        const { signal } = currentLock()
        signal.addEventListener('abort', () => {
          aborted ??= { reason: signal.reason.reason, leftMs: endsAt - world.now }
        })
        await forever()
      },
      { store: a.store, key: (event) => event, leaseMs: LEASE_MS },
    )
    void handler('k', context)
    await world.advance(61_000)
    expect(aborted?.reason).toBe('deadline')
    expect(aborted?.leftMs).toBeGreaterThan(0)
    expect(aborted?.leftMs).toBeLessThanOrEqual(600)
    expect(a.wire.sent.filter((type) => type === 'lock.renew').length).toBeGreaterThanOrEqual(3)

    const renewals = a.wire.sent.length
    await world.run(acquireLock({ store: b.store, key: 'k', waitMs: SURELY_OVER_MS }))
    expect(a.wire.sent.length).toBe(renewals)
  })
})

/** A resource that keeps the rule of fencing: nothing from a smaller fence than the largest seen. */
function fencedResource(): { write(fence: number, value: string): 'written' | 'refused' } {
  let largest = 0
  return {
    write(fence) {
      if (fence < largest) return 'refused'
      largest = fence
      return 'written'
    },
  }
}
