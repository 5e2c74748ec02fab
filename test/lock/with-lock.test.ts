import { describe, expect, test, vi } from 'vitest'
import { type AlonceEvent, acquireLock, currentLock, makeLocked, withLock } from '../../lib/index.ts'
import { AlonceError } from '../../lib/store/errors.ts'
import { lockKey } from '../../lib/store/key.ts'
import { memoryStore } from '../../lib/stores/memory/memory-store.ts'
import { faultyStore } from '../../lib/testing/faulty-store.ts'
import { World } from '../support/world.ts'

function setUp() {
  const world = new World()
  const memory = memoryStore({ runtime: world.client() })
  const store = faultyStore(memory, { runtime: world.client() })
  const events: AlonceEvent[] = []
  return { world, memory, store, wire: store.wire, events, onEvent: (event: AlonceEvent) => events.push(event) }
}

describe('withLock', () => {
  test('holds while the routine runs, returns its result, and costs two requests', async () => {
    const { memory, store, wire, events, onEvent } = setUp()
    const result = await withLock({ store, key: 'k', onEvent }, async (lock) => {
      expect(await memory.read(lockKey('k'))).toMatchObject({ holder: { owner: lock.owner } })
      return { fence: lock.fence }
    })
    expect(result).toEqual({ fence: 1 })
    expect(await memory.read(lockKey('k'))).toMatchObject({ holder: undefined })
    expect(wire.sent).toEqual(['lock.acquire', 'lock.release'])
    expect(events.map((event) => event.event)).toEqual(['acquired', 'released'])
  })

  test('a routine that returns nothing gives undefined', async () => {
    const { store } = setUp()
    expect(await withLock({ store, key: 'k' }, () => undefined)).toBeUndefined()
  })

  test('onHeld: skip gives undefined after the wait, and does not run', async () => {
    const { world, memory, store, events, onEvent } = setUp()
    await acquireLock({ store: memory, key: 'nightly', label: 'host-a' })
    const fn = vi.fn(() => 1)
    const startedAt = world.now
    expect(await world.run(withLock({ store, key: 'nightly', onHeld: 'skip', waitMs: 300, onEvent }, fn))).toBeUndefined()
    expect(fn).not.toHaveBeenCalled()
    expect(world.now - startedAt).toBe(300)
    expect(events.at(-1)).toMatchObject({ event: 'skipped', holder: 'host-a', fence: 1 })
  })

  test('onHeld: reject throws LOCK_HELD, and does not run', async () => {
    const { memory, store } = setUp()
    await acquireLock({ store: memory, key: 'k' })
    const fn = vi.fn()
    await expect(withLock({ store, key: 'k', waitMs: 0 }, fn)).rejects.toMatchObject({ code: 'LOCK_HELD' })
    expect(fn).not.toHaveBeenCalled()
  })

  test("a lost lock does not take the routine's result away", async () => {
    const { memory, store, events, onEvent } = setUp()
    const result = await withLock({ store, key: 'k', onEvent }, async (lock) => {
      await memory.execute({ type: 'lock.break', key: lockKey('k'), owner: 'operator', fence: lock.fence })
      await memory.execute({ type: 'lock.acquire', key: lockKey('k'), owner: 'other', leaseMs: 1000 })
      return 'done'
    })
    expect(result).toBe('done')
    expect(events.at(-1)).toMatchObject({ event: 'lost', reason: 'lost' })
  })
})

describe('when the store can not be reached', () => {
  test('reject throws STORE_UNAVAILABLE, and does not run', async () => {
    const { world, store, wire } = setUp()
    wire.cut()
    const fn = vi.fn()
    await expect(world.run(withLock({ store, key: 'k' }, fn))).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    expect(fn).not.toHaveBeenCalled()
  })

  test('run-unprotected runs without a lock, and says so', async () => {
    const { world, store, wire, events, onEvent } = setUp()
    wire.cut('throttle')
    const run = withLock({ store, key: 'k', onStoreUnavailable: 'run-unprotected', onEvent }, (lock) => ({ lock }))
    expect(await world.run(run)).toEqual({ lock: undefined })
    expect(events).toEqual([expect.objectContaining({ event: 'run-unprotected', code: 'STORE_UNAVAILABLE' })])
  })

  test('run-unprotected without a listener warns with one line of JSON', async () => {
    const { world, store, wire } = setUp()
    wire.cut('throttle')
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined)
    await world.run(withLock({ store, key: 'k', onStoreUnavailable: 'run-unprotected' }, () => 1))
    expect(warn.mock.calls.map(([line]) => JSON.parse(String(line)).alonce)).toEqual(['run-unprotected'])
    warn.mockRestore()
  })

  test.each(['STORE_NOT_FOUND', 'STORE_DENIED', 'STORE_SCHEMA', 'RECORD_UNREADABLE'] as const)(
    'run-unprotected is not for %s: a mistake in the set-up is no outage',
    async (code) => {
      const { store } = setUp()
      const wrong = { ...store, execute: () => Promise.reject(new AlonceError(code, 'as configured')) }
      const fn = vi.fn()
      const run = withLock({ store: wrong, key: 'k', onStoreUnavailable: 'run-unprotected' }, fn)
      await expect(run).rejects.toMatchObject({ code })
      expect(fn).not.toHaveBeenCalled()
    },
  )

  test("run-unprotected does not run twice when the routine itself throws the store's error", async () => {
    const { store } = setUp()
    const fn = vi.fn(() => Promise.reject(new AlonceError('STORE_UNAVAILABLE', 'of another store')))
    const run = withLock({ store, key: 'k', onStoreUnavailable: 'run-unprotected' }, fn)
    await expect(run).rejects.toMatchObject({ message: 'of another store' })
    expect(fn).toHaveBeenCalledTimes(1)
  })
})

describe('currentLock', () => {
  test('is the innermost lock, across awaits, and is gone afterwards', async () => {
    const { store } = setUp()
    await withLock({ store, key: 'outer' }, async (outer) => {
      expect(currentLock()).toBe(outer)
      await withLock({ store, key: 'inner' }, async (inner) => {
        await Promise.resolve()
        expect(currentLock()).toBe(inner)
      })
      expect(currentLock()).toBe(outer)
    })
    expect(() => currentLock()).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
  })

  test('of two runs at once are apart', async () => {
    const { store } = setUp()
    const seen = ['a', 'b'].map((key) =>
      withLock({ store, key }, async () => {
        await new Promise(setImmediate)
        return currentLock().name
      }),
    )
    expect(await Promise.all(seen)).toEqual(['a', 'b'])
  })

  test('of an unprotected run is none, never the outer one', async () => {
    const { world, memory, store, wire } = setUp()
    wire.cut('throttle')
    const run = withLock({ store: memory, key: 'outer' }, () =>
      withLock({ store, key: 'inner', onStoreUnavailable: 'run-unprotected', onEvent: () => undefined }, () => currentLock()),
    )
    await expect(world.run(run)).rejects.toThrow(/runs unprotected/)
  })
})

describe('makeLocked', () => {
  test('keeps arguments, result, this and name; the key sees the arguments', async () => {
    const { store } = setUp()
    const account = {
      id: 7,
      settle: makeLocked(
        function settle(this: { id: number }, prefix: string, amount: number) {
          return `${prefix} ${this.id} ${amount} under ${currentLock().name}`
        },
        { store, key: (prefix) => ['account', prefix] },
      ),
    }
    expect(await account.settle('A', 3)).toBe('A 7 3 under account/A')
    expect(account.settle.name).toBe('settle')
  })

  test.each([
    [0, () => 1],
    [1, (_a: unknown) => 1],
    [2, (_a: unknown, _b: unknown) => 1],
    [2, (_a: unknown, _b: unknown, _c: unknown) => 1],
  ])('shows %i parameters, so that Lambda takes no handler for one that calls back', (length, fn) => {
    expect(makeLocked(fn as () => number, { store: memoryStore(), key: 'k' })).toHaveLength(length)
  })

  test("recognises Lambda's context among the arguments", async () => {
    const { world, store, wire } = setUp()
    const endsAt = world.now + 10_000
    const context = { getRemainingTimeInMillis: () => endsAt - world.now, awsRequestId: 'r-1', functionName: 'f' }
    const handler = makeLocked(
      async (_event: { readonly id: string }, _context: typeof context) => {
        await world.advance(5000)
        return currentLock().remainingMs()
      },
      { store, key: (event, { functionName }) => [functionName, event.id] },
    )
    expect(await handler({ id: 'x' }, context)).toBe(6000)
    expect(wire.sent).toEqual(['lock.acquire', 'lock.release'])
  })

  test('two calls of one key run after one another, of two keys together', async () => {
    const { world, store } = setUp()
    const steps: string[] = []
    const work = makeLocked(
      async (_key: string, step: string) => {
        steps.push(`${step} in`)
        await world.track(new Promise(setImmediate))
        steps.push(`${step} out`)
      },
      { store, key: (key) => key },
    )
    await world.run(Promise.all([work('a', '1'), work('a', '2')]))
    expect(steps).toEqual(['1 in', '1 out', '2 in', '2 out'])
    steps.length = 0
    await world.run(Promise.all([work('a', '1'), work('b', '2')]))
    expect(steps).toEqual(['1 in', '2 in', '1 out', '2 out'])
  })

  test('changing the event while waiting for the lock changes nothing', async () => {
    const { world, memory, store } = setUp()
    const other = await acquireLock({ store: memory, key: 'a' })
    const event = { id: 'a' }
    const call = makeLocked(async (_event: { id: string }) => currentLock().name, { store, key: ({ id }) => id })(event)
    event.id = 'b'
    await other.release()
    expect(await world.run(call)).toBe('a')
  })

  test('an error of the key function comes out of the call', async () => {
    const { store, wire } = setUp()
    const boom = new Error('no key')
    const locked = makeLocked(() => 1, {
      store,
      key: () => {
        throw boom
      },
    })
    await expect(locked()).rejects.toBe(boom)
    expect(wire.sent).toEqual([])
  })
})
