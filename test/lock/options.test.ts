import { describe, expect, test } from 'vitest'
import { acquireLock, makeLocked, tryAcquireLock, withLock } from '../../lib/index.ts'
import { memoryStore } from '../../lib/stores/memory/memory-store.ts'
import { World } from '../support/world.ts'

// In virtual time, which stands still: a lease of 1 ms lasts as long as the test.
const store = memoryStore({ runtime: new World().client() })
/** As a program without types would call it. */
type Untyped = (options: unknown, fn?: unknown) => Promise<unknown>
const run = async (options: unknown): Promise<unknown> => (withLock as Untyped)(options, () => 'ran')

describe('a wrong option is named by CONFIG_INVALID', () => {
  const { execute, read, now } = store
  const reader = { ...store, capabilities: { minLeaseMs: 3000, maxResultBytes: 1 }, execute, read, now }
  test.each([
    ['options', undefined],
    ['options', null],
    ['store', { store: undefined, key: 'k' }],
    ['store', { store: {}, key: 'k' }],
    ['key', { store }],
    ['leaseMs', { store, key: 'k', leaseMs: 0 }],
    ['leaseMs', { store, key: 'k', leaseMs: -1 }],
    ['leaseMs', { store, key: 'k', leaseMs: Number.NaN }],
    ['leaseMs', { store, key: 'k', leaseMs: Number.POSITIVE_INFINITY }],
    ['leaseMs', { store, key: 'k', leaseMs: 1.5 }],
    ['leaseMs', { store, key: 'k', leaseMs: '30000' }],
    ['leaseMs', { store, key: 'k', leaseMs: null }],
    ['leaseMs', { store, key: 'k', leaseMs: 86_400_001 }],
    ['leaseMs', { store: reader, key: 'k', leaseMs: 2999 }],
    ['waitMs', { store, key: 'k', waitMs: -1 }],
    ['waitMs', { store, key: 'k', waitMs: Number.NaN }],
    ['waitMs', { store, key: 'k', waitMs: true }],
    ['waitMs', { store, key: 'k', waitMs: 86_400_001 }],
    ['onHeld', { store, key: 'k', onHeld: 'wait' }],
    ['onStoreUnavailable', { store, key: 'k', onStoreUnavailable: true }],
    ['label', { store, key: 'k', label: 7 }],
    ['label', { store, key: 'k', label: 'x'.repeat(257) }],
    ['onEvent', { store, key: 'k', onEvent: 'log' }],
    ['context', { store, key: 'k', context: {} }],
    ['context', { store, key: 'k', context: null }],
    ['fair', { store, key: 'k', fair: 1 }],
    ['fair', { store, key: 'k', fair: true, mode: 'shared' }],
    ['fair', { store, key: 'k', fair: true, limit: 3 }],
    ['mode', { store, key: 'k', mode: 'read' }],
    ['limit', { store, key: 'k', limit: 3, mode: 'shared' }],
    ['limit', { store, key: 'k', limit: 3, mode: 'exclusive' }],
    ['limit', { store, key: 'k', limit: 0 }],
    ['limit', { store, key: 'k', limit: 1.5 }],
    ['limit', { store, key: 'k', limit: 1_000_001 }],
    ['limit', { store, key: 'k', limit: null }],
    ['weight', { store, key: 'k', weight: 1 }],
    ['weight', { store, key: 'k', limit: 3, weight: 4 }],
    ['weight', { store, key: 'k', limit: 3, weight: 0 }],
    ['reentrant', { store, key: 'k', reentrant: 'yes' }],
    ['keys', { store, key: 'k', keys: ['a', 'b'] }],
    ['keys', { store, keys: 'a' }],
    ['leaseMS', { store, key: 'k', leaseMS: 3000 }],
  ])('%s', async (option, options) => {
    const error = await run(options).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'CONFIG_INVALID', option, message: expect.stringContaining(`"${option}"`) })
  })

  test('makeLocked refuses at once, not at the first call', () => {
    expect(() => makeLocked(() => 1, { store, key: 'k', leaseMs: -5 })).toThrow(expect.objectContaining({ option: 'leaseMs' }))
    // @ts-expect-error one context for all calls
    expect(() => makeLocked(() => 1, { store, key: 'k', context: { getRemainingTimeInMillis: () => 1 } })).toThrow(/"context"/)
  })

  test('what an entrance does not heed it does not take', async () => {
    await expect((tryAcquireLock as Untyped)({ store, key: 'k', waitMs: 5 })).rejects.toMatchObject({ option: 'waitMs' })
    await expect((tryAcquireLock as Untyped)({ store, key: 'k', fair: true })).rejects.toMatchObject({ option: 'fair' })
    await expect((acquireLock as Untyped)({ store, key: 'k', onHeld: 'skip' })).rejects.toMatchObject({ option: 'onHeld' })
    await expect((acquireLock as Untyped)({ store, key: 'k', reentrant: true })).rejects.toMatchObject({ option: 'reentrant' })
  })
})

test('the least and the greatest values are taken, and undefined is no value', async () => {
  expect(await run({ store, key: 'k', leaseMs: 1, waitMs: 0, label: '', onHeld: undefined, fair: undefined })).toBe('ran')
  expect(await run({ store, key: 'k', leaseMs: 86_400_000, waitMs: 86_400_000, label: 'x'.repeat(256) })).toBe('ran')
})

test('a missing or invalid key is refused before anything is sent', async () => {
  await expect(run({ store, key: ['account', undefined] })).rejects.toMatchObject({ code: 'KEY_MISSING' })
  await expect(run({ store, key: () => undefined })).rejects.toMatchObject({ code: 'KEY_MISSING' })
  await expect(run({ store, key: undefined })).rejects.toMatchObject({ code: 'KEY_MISSING' })
  await expect(run({ store, key: async () => 'k' })).rejects.toMatchObject({ code: 'KEY_INVALID' })
})

test('keys name at least one lock, and at most 25', async () => {
  await expect(run({ store, keys: [] })).rejects.toMatchObject({ code: 'KEY_MISSING' })
  await expect(run({ store, keys: ['a', undefined] })).rejects.toMatchObject({ code: 'KEY_MISSING' })
  await expect(run({ store, keys: () => 'a' })).rejects.toMatchObject({ code: 'KEY_INVALID' })
  const many = Array.from({ length: 26 }, (_, index) => ['many', index])
  await expect(run({ store, keys: many })).rejects.toMatchObject({ code: 'KEY_INVALID' })
  expect(await run({ store, keys: [...many.slice(1), ...many.slice(1)] })).toBe('ran')
})

test('changing the options afterwards changes nothing', async () => {
  const options = { store, key: (id: string) => ['a', id], label: 'one' }
  const locked = makeLocked(async (_id: string) => (await store.read('lock/a/x' as never)) ?? {}, options)
  options.label = 'two'
  options.key = () => ['b']
  expect(await locked('x')).toMatchObject({ holder: { label: 'one' } })
})
