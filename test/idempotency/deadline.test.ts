import { expect, test } from 'vitest'
import { freezeDeadline } from '../../lib/idempotency/deadline.ts'
import { World } from '../support/world.ts'

test('the deadline belongs to the call, whatever becomes of the context', async () => {
  const world = new World()
  const context = { getRemainingTimeInMillis: () => 10_000 }
  const deadline = freezeDeadline(world.client().clock, context)
  context.getRemainingTimeInMillis = () => 900_000
  await world.advance(4000)
  expect(deadline.remaining()).toBe(6000)
  await world.advance(7000)
  expect(deadline.remaining()).toBe(0)
})

test('time that passes while the environment is frozen counts, though the monotonic clock stood still', async () => {
  const world = new World()
  const client = world.client()
  const deadline = freezeDeadline(client.clock, { getRemainingTimeInMillis: () => 10_000 })
  client.freeze()
  await world.advance(8000)
  client.thaw()
  expect(deadline.remaining()).toBe(2000)
})

test('a wall clock that is set back gives no time', async () => {
  const world = new World()
  const client = world.client()
  const deadline = freezeDeadline(client.clock, { getRemainingTimeInMillis: () => 10_000 })
  client.wallOffsetMs = -3_600_000
  await world.advance(8000)
  expect(deadline.remaining()).toBe(2000)
})

test('without an invocation there is no end, and everything may be spent', () => {
  const deadline = freezeDeadline(new World().client().clock, undefined)
  expect(deadline.remaining()).toBeUndefined()
  expect(deadline.spare(5000)).toBe(5000)
})

test('a fifth of what is left, and at least 250 ms, stays for the answer', () => {
  const { clock } = new World().client()
  const spare = (remaining: number) => freezeDeadline(clock, { getRemainingTimeInMillis: () => remaining }).spare(60_000)
  expect([spare(10_000), spare(1000), spare(200)]).toEqual([8000, 750, 0])
})
