import { describe, expect, test } from 'vitest'
import { onceKey } from '../../lib/idempotency/key.ts'
import { type Begun, beginOperation, type Running } from '../../lib/idempotency/operation.ts'
import { type IdempotencyOptions, planOf } from '../../lib/idempotency/options.ts'
import type { OnceRecord } from '../../lib/store/record.ts'
import { memoryStore } from '../../lib/stores/memory/memory-store.ts'
import { World } from '../support/world.ts'

/** What a middleware does by hand: begin, then one of complete, fail and stop. */
function seam(options: Partial<IdempotencyOptions> = {}) {
  const world = new World()
  const client = world.client()
  const store = memoryStore({ runtime: client })
  const events: string[] = []
  const onEvent: IdempotencyOptions['onEvent'] = ({ event }) => void events.push(event)
  const plan = planOf({ store, operation: 'charge', key: (id) => id as string, onEvent, ...options })
  const begin = (): Promise<Begun> => beginOperation(plan, { args: ['p1'] })
  const record = async (): Promise<OnceRecord | undefined> =>
    (await store.read(onceKey('charge', { key: 'p1' }))) as OnceRecord | undefined
  return { world, client, events, begin, record }
}

function running(begun: Begun): Running {
  if (begun.kind !== 'run') throw new Error(`expected a run, and it is ${begun.kind}`)
  return begun.running
}

describe('the seam for middleware', () => {
  test('run, complete, replay', async () => {
    const s = seam()
    const first = running(await s.begin())
    expect(await first.complete({ a: 1 })).toEqual({ a: 1 })
    expect(await s.begin()).toEqual({ kind: 'replay', value: { a: 1 } })
    expect(s.client.pendingTimers).toBe(0)
  })

  test('of complete and fail the first counts: a later middleware’s throw gives nothing back', async () => {
    const s = seam()
    const first = running(await s.begin())
    await first.complete(undefined)
    const completed = await s.record()
    await first.fail(new Error('of a later middleware'))
    expect(await first.complete('another')).toBe('another')
    expect(await s.record()).toBe(completed)
    expect(s.events).toEqual(['started', 'completed'])
    expect(await s.begin()).toEqual({ kind: 'replay', value: undefined })
  })

  test('a completion that runs while fail() is called is not undone', async () => {
    const s = seam()
    const first = running(await s.begin())
    await Promise.all([first.complete('charged'), first.fail(new Error('late'))])
    expect(await s.begin()).toEqual({ kind: 'replay', value: 'charged' })
  })

  test('fail gives the record back, once', async () => {
    const s = seam()
    const first = running(await s.begin())
    await first.fail(new Error('declined'))
    await first.fail(new Error('declined'))
    expect(s.events).toEqual(['started', 'abandoned'])
    const second = running(await s.begin())
    expect(second.handle.attempt).toBe(2)
  })

  test('stop ends timers and signal, and gives nothing back', async () => {
    const s = seam({ leaseMs: 3000 })
    const first = running(await s.begin())
    expect(s.client.pendingTimers).toBeGreaterThan(0)
    first.stop()
    first.stop()
    expect(s.client.pendingTimers).toBe(0)
    expect(first.handle.signal.aborted).toBe(true)
    expect(await s.record()).toMatchObject({ status: 'in-progress' })
    await expect(s.begin()).rejects.toMatchObject({ code: 'IN_PROGRESS' })
  })

  test('a function that goes on after stop may still complete what nobody has taken', async () => {
    const s = seam()
    const first = running(await s.begin())
    first.stop()
    expect(await first.complete('late')).toBe('late')
    expect(await s.begin()).toEqual({ kind: 'replay', value: 'late' })
  })

  test('rethrow: a final error', async () => {
    const s = seam({ failure: 'store' })
    await running(await s.begin()).fail(new RangeError('declined'))
    expect(await s.begin()).toMatchObject({ kind: 'rethrow', error: { name: 'RangeError', message: 'declined' } })
  })

  test('unprotected: a handle without a record', async () => {
    const s = seam({ key: undefined, onMissingKey: 'run-unprotected' })
    const begun = await s.begin()
    if (begun.kind !== 'unprotected') throw new Error(begun.kind)
    const { handle } = begun
    expect(handle).toMatchObject({ isProtected: false, fence: 0, attempt: 1 })
    await handle.extend(1000)
    await expect(handle.retireDownstreamKey('x')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    expect(() => handle.downstreamKey('')).toThrow(expect.objectContaining({ code: 'KEY_INVALID' }))
    expect(await s.record()).toBeUndefined()
  })

  test('nothing is shared between two attempts of one plan', async () => {
    const s = seam({ key: (id) => id as string })
    const one = running(await s.begin())
    await one.fail(new Error('declined'))
    const two = running(await s.begin())
    expect(two.handle.signal).not.toBe(one.handle.signal)
    expect(one.handle.signal.aborted).toBe(true)
    expect(two.handle.signal.aborted).toBe(false)
    await one.complete('of the first')
    expect(await s.record()).toMatchObject({ status: 'in-progress', attempt: 2 })
  })

  test('extend takes the store’s leases only', async () => {
    const s = seam()
    const { handle } = running(await s.begin())
    for (const ms of [0, Number.NaN, 86_400_001])
      await expect(async () => handle.extend(ms)).rejects.toMatchObject({ option: 'ms' })
  })
})
