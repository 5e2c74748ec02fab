import { expect, test } from 'vitest'
import { lockKey } from '../lib/store/key.ts'
import { memoryStore } from '../lib/stores/memory/memory-store.ts'
import { World } from './support/world.ts'

test('virtual time moves the memory store, and nothing else does', async () => {
  const world = new World()
  const store = memoryStore({ runtime: world.client() })
  const key = lockKey('a')
  const first = await store.execute({ type: 'lock.acquire', key, owner: 'A', leaseMs: 1000 })
  await world.advance(1000)
  const early = await store.execute({ type: 'lock.acquire', key, owner: 'B', leaseMs: 1000 })
  await world.advance(1)
  const late = await store.execute({ type: 'lock.acquire', key, owner: 'B', leaseMs: 1000 })
  expect([first.outcome, early.outcome, late.outcome]).toEqual(['acquired', 'held', 'acquired'])
})

test('a frozen client fires no timer and fires the due ones when it thaws', async () => {
  const world = new World()
  const client = world.client()
  let fired = 0
  client.timer.after(10, () => fired++)
  client.freeze()
  await world.advance(100)
  expect(fired).toBe(0)
  client.thaw()
  expect(fired).toBe(1)
})
