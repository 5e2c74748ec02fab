import { expect, test } from 'vitest'
import { lockKey } from '../../lib/store/key.ts'
import type { SendOptions, Store } from '../../lib/store/store.ts'
import { memoryStore } from '../../lib/stores/memory/memory-store.ts'
import { type Fault, type FaultyStore, faultyStore } from '../../lib/testing/index.ts'
import { World } from '../support/world.ts'

const key = lockKey('resource')
const acquire = (owner: string) => ({ type: 'lock.acquire', key, owner, leaseMs: 5000 }) as const
const release = (owner: string) => ({ type: 'lock.release', key, owner }) as const

/** A faulty store, and what reached the store behind its wire: for each arrival whether it said that it was a second sending. */
function open(attempts = 3): { world: World; store: FaultyStore; inner: Store; arrivals: (boolean | undefined)[] } {
  const world = new World()
  const inner = memoryStore({ runtime: world.client() })
  const arrivals: (boolean | undefined)[] = []
  const watched: Store = {
    name: inner.name,
    capabilities: inner.capabilities,
    runtime: inner.runtime,
    now: () => inner.now(),
    read: (readKey) => inner.read(readKey),
    execute: (command, options: SendOptions = {}) => {
      arrivals.push(options.resent)
      return inner.execute(command, options)
    },
  }
  return { world, store: faultyStore(watched, { attempts }), inner, arrivals }
}

const losses: readonly { readonly fault: Fault; readonly arrivals: readonly boolean[] }[] = [
  { fault: 'drop-answer', arrivals: [false, true] },
  { fault: 'drop-request', arrivals: [true] },
  { fault: 'throttle', arrivals: [false] },
]

test.each(losses)('$fault: sent twice, arrived as $arrivals (is it a second sending?)', async ({ fault, arrivals: expected }) => {
  const { world, store, arrivals } = open()
  store.wire.inject(fault, 'lock.acquire')
  expect(await world.run(store.execute(acquire('A')))).toMatchObject({ outcome: 'acquired' })
  expect(store.wire.sent).toEqual(['lock.acquire', 'lock.acquire'])
  expect(arrivals).toEqual(expected)
})

test.each([
  { fault: 'drop-request', maybeApplied: true },
  { fault: 'drop-answer', maybeApplied: true },
  { fault: 'throttle', maybeApplied: false },
] as const)('an outage by $fault ends in STORE_UNAVAILABLE, maybeApplied: $maybeApplied', async ({ fault, maybeApplied }) => {
  const { world, store } = open()
  store.wire.cut(fault)
  await expect(world.run(store.execute(acquire('A')))).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', maybeApplied })
  expect(store.wire.sent).toHaveLength(3)
  store.wire.heal()
  expect(await world.run(store.read(key))).toEqual(
    fault === 'drop-answer' ? expect.objectContaining({ kind: 'lock' }) : undefined,
  )
})

test('faults meet the commands that they name, as often as they say', async () => {
  const { world, store } = open()
  store.wire.inject('drop-request', 'lock.release', 2)
  await world.run(store.execute(acquire('A')))
  expect(store.wire.sent).toEqual(['lock.acquire'])
  expect(await world.run(store.execute(release('A')))).toEqual({ outcome: 'released' })
  expect(store.wire.sent).toEqual(['lock.acquire', 'lock.release', 'lock.release', 'lock.release'])
})

test('a held request lies on the wire until it is let go, and arrives late', async () => {
  const { world, store, inner } = open()
  const held = store.wire.hold('lock.acquire')
  const waiting = store.execute(acquire('A'))
  await held.arrived
  await world.advance(60_000)
  expect(await inner.read(key)).toBeUndefined()
  held.letGo()
  expect(await world.run(waiting)).toMatchObject({ outcome: 'acquired' })
})

test('a call takes no longer than its timeoutMs: a held request may still arrive, and is not sent again', async () => {
  const { world, store, inner } = open()
  const held = store.wire.hold('lock.acquire')
  const started = world.now
  const refused = world.run(store.execute(acquire('A'), { timeoutMs: 800 }))
  await expect(refused).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', maybeApplied: true })
  expect(world.now - started).toBe(800)
  held.letGo()
  await world.settle()
  expect(await inner.read(key)).toMatchObject({ holder: { owner: 'A' } })
  expect(store.wire.sent).toHaveLength(1)
})

test('a captured request can be delivered again, as the bytes that it was', async () => {
  const { world, store, inner, arrivals } = open()
  const ghost = store.wire.capture('lock.acquire')
  await world.run(store.execute(acquire('A')))
  await world.run(store.execute(release('A')))
  const before = await inner.read(key)
  await ghost.deliver()
  expect(await inner.read(key)).toBe(before)
  expect(arrivals).toEqual([false, false, false])
})

test('what can’t be delivered again because it was never sent says so', async () => {
  await expect(open().store.wire.capture('once.begin').deliver()).rejects.toThrow('no matching request has been sent yet')
})

test('errors of the store itself pass as they are, and are not sent again', async () => {
  const { world, store } = open()
  await world.run(store.execute(acquire('A')))
  const foreign = { type: 'once.abandon', key, owner: 'A' } as const
  await expect(world.run(store.execute(foreign))).rejects.toMatchObject({ code: 'RECORD_UNREADABLE' })
  expect(store.wire.sent).toEqual(['lock.acquire', 'once.abandon'])
})

test('the caller’s own words about a re-sent command reach the store', async () => {
  const { world, store, arrivals } = open()
  await world.run(store.execute(release('A'), { resent: true, firstSentAtMs: 1 }))
  expect(arrivals).toEqual([true])
})
