import { expect, test } from 'vitest'
import type { Command } from '../../../lib/store/command.ts'
import { lockKey } from '../../../lib/store/key.ts'
import type { RecordKey } from '../../../lib/store/record.ts'
import { DAY_MS } from '../../../lib/store/time.ts'
import { type MemoryStore, memoryStore } from '../../../lib/stores/memory/memory-store.ts'
import { type SimulatedClient, World } from '../../support/world.ts'

const key = lockKey('resource')
const acquire = (owner: string, leaseMs = 1000) => ({ type: 'lock.acquire', key, owner, leaseMs }) as const

function open(): { world: World; client: SimulatedClient; store: MemoryStore } {
  const world = new World()
  const client = world.client()
  return { world, client, store: memoryStore({ runtime: client }) }
}

async function fenceOf(store: MemoryStore, owner: string): Promise<number> {
  const reply = await store.execute(acquire(owner))
  return reply.outcome === 'acquired' ? reply.fence : Number.NaN
}

test('L11 V2 fences of a key rise over its deletion, again and again, with no time passing', async () => {
  const { store } = open()
  const fences: number[] = []
  for (const owner of ['A', 'B', 'C', 'D']) {
    fences.push(await fenceOf(store, owner))
    store.delete(key)
  }
  expect(fences).toEqual([...new Set(fences)].sort((a, b) => a - b))
})

test('V2 a key whose versions ran ahead of its fences, and another key’s traffic, leave no gap for an old fence or version', async () => {
  const { store, world } = open()
  const fence = await fenceOf(store, 'A')
  const renew: Command = { type: 'lock.renew', key, owner: 'A', fence: fence as never, leaseMs: 5000 }
  for (let renewals = 0; renewals < 5; renewals++) {
    await world.advance(100)
    await store.execute(renew)
  }
  const before = await store.read(key)
  store.delete(key)
  await fenceOf(store, 'B')
  const after = await store.read(key)
  expect(after?.version).toBeGreaterThan(before?.version ?? Number.POSITIVE_INFINITY)
  expect(after?.fence).toBeGreaterThan(before?.fence ?? Number.POSITIVE_INFINITY)
})

test('reading shows the record as it is, and creates none', async () => {
  const { store } = open()
  expect(await store.read(key)).toBeUndefined()
  await store.execute(acquire('A'))
  expect(await store.read(key)).toMatchObject({ kind: 'lock', holder: { owner: 'A' } })
  store.delete(key)
  expect(await store.read(key)).toBeUndefined()
})

test('a call is one request, and says so', async () => {
  const { store } = open()
  let requests = 0
  const onRequest = (): unknown => requests++
  await store.execute(acquire('A'), { onRequest })
  await store.execute(acquire('B'), { onRequest })
  await store.read(key, { onRequest })
  expect(requests).toBe(3)
})

/** The clean-up looks once in 1024 commands: this many of another key make sure that it has looked. */
async function makeItSweep(store: MemoryStore): Promise<void> {
  const other = lockKey('busy')
  for (let commands = 0; commands < 1024; commands++) await store.execute({ type: 'lock.release', key: other, owner: 'nobody' })
}

test('records are swept once they may be purged, and not before', async () => {
  const { world, store } = open()
  await store.execute(acquire('A'))
  await world.advance(1000 + DAY_MS)
  await makeItSweep(store)
  expect(await store.read(key)).toBeDefined()
  await world.advance(1)
  await makeItSweep(store)
  expect(await store.read(key)).toBeUndefined()
})

test('V2 fences rise over a sweep too', async () => {
  const { world, store } = open()
  const fence = await fenceOf(store, 'A')
  await world.advance(1001 + DAY_MS)
  await makeItSweep(store)
  expect(await store.read(key)).toBeUndefined()
  expect(await fenceOf(store, 'B')).toBeGreaterThan(fence)
})

test('V7 an attempt begun with hold is never swept', async () => {
  const { world, store } = open()
  const held = 'once/charge/aa' as RecordKey
  await store.execute({ type: 'once.begin', key: held, owner: 'A', leaseMs: 1000, retainMs: 1000, hold: true })
  await world.advance(400 * DAY_MS)
  await makeItSweep(store)
  expect(await store.read(held)).toMatchObject({ status: 'in-progress', owner: 'A' })
})

test('its clock is the monotonic one: a wall clock that jumps neither ends a lease nor keeps it', async () => {
  const { world, client, store } = open()
  await store.execute(acquire('A'))
  client.wallOffsetMs = 3_600_000
  expect((await store.execute(acquire('B'))).outcome).toBe('held')
  client.wallOffsetMs = -3_600_000
  await world.advance(1001)
  expect((await store.execute(acquire('B'))).outcome).toBe('acquired')
})

test('it knows its time exactly, in whole milliseconds', () => {
  const { world, store } = open()
  expect(store.now()).toEqual({ earliest: world.now, latest: world.now })
  expect(Number.isInteger(memoryStore().now().earliest)).toBe(true)
})

test('a record of the other kind under the key is refused, and stays', async () => {
  const { store } = open()
  await store.execute(acquire('A'))
  await expect(store.execute({ type: 'once.abandon', key, owner: 'A' })).rejects.toMatchObject({ code: 'RECORD_UNREADABLE' })
  expect(await store.read(key)).toMatchObject({ kind: 'lock' })
})
