import { AlonceError, type AlonceEvent, type Earlier, makeIdempotent, type Predecessor } from 'alonce'
import { memoryStore } from 'alonce/memory'
import { expect, test, vi } from 'vitest'
import { World } from '../support/world.ts'

interface Scene {
  readonly pay: (id: string) => Promise<string>
  readonly runs: string[]
  readonly events: AlonceEvent[]
}

function scene(
  find: Predecessor<[id: string]>['find'],
  options: { onStoreUnavailable?: 'reject' | 'run-unprotected' } = {},
): Scene {
  const runs: string[] = []
  const events: AlonceEvent[] = []
  const pay = makeIdempotent(
    async (id: string) => {
      runs.push(id)
      return `new ${id}`
    },
    {
      store: memoryStore({ runtime: new World().client() }),
      operation: 'pay',
      key: (id) => id,
      predecessor: { find },
      onEvent: (event) => events.push(event),
      ...options,
    },
  )
  return { pay, runs, events }
}

const knowing = (earlier: Earlier | undefined) => async (): Promise<Earlier | undefined> => earlier
const away = new AlonceError('STORE_UNAVAILABLE', 'The old table is away.')

test('what the predecessor has completed is replayed, and no record of ours begun', async () => {
  const { pay, runs, events } = scene(knowing({ status: 'completed', value: 'old' }))
  expect(await pay('p1')).toBe('old')
  expect(runs).toEqual([])
  expect(events).toMatchObject([{ event: 'replayed', reason: 'predecessor', operation: 'pay' }])
})

test('a completed `undefined` is replayed too', async () => {
  const { pay, runs } = scene(knowing({ status: 'completed', value: undefined }))
  expect(await pay('p1')).toBeUndefined()
  expect(runs).toEqual([])
})

test.each([
  { leftMs: 60_000, retryAfterMs: 5000 },
  { leftMs: 1234.5, retryAfterMs: 1235 },
  { leftMs: 0, retryAfterMs: 100 },
])('an old attempt with $leftMs ms left is in progress: try again in $retryAfterMs ms', async ({ leftMs, retryAfterMs }) => {
  const { pay, runs, events } = scene(knowing({ status: 'in-progress', leftMs }))
  await expect(pay('p1')).rejects.toMatchObject({ code: 'IN_PROGRESS', retryAfterMs })
  expect(runs).toEqual([])
  expect(events).toMatchObject([{ event: 'rejected', reason: 'predecessor', code: 'IN_PROGRESS' }])
})

test('another payload under the old key is a mismatch', async () => {
  const { pay, events } = scene(knowing({ status: 'mismatch' }))
  await expect(pay('p1')).rejects.toMatchObject({ code: 'FINGERPRINT_MISMATCH' })
  expect(events).toMatchObject([{ event: 'mismatch', reason: 'predecessor' }])
})

test('what it does not know begins, runs and is replayed by our own record', async () => {
  const find = vi.fn(async (_args: readonly string[]): Promise<Earlier | undefined> => undefined)
  const { pay, runs } = scene(find)
  expect([await pay('p1'), await pay('p1')]).toEqual(['new p1', 'new p1'])
  expect(runs).toEqual(['p1'])
  expect(find.mock.calls.map(([args]) => args)).toEqual([['p1'], ['p1']])
})

test('a predecessor that is away rejects: it may know that the operation has run', async () => {
  const { pay, runs, events } = scene(() => Promise.reject(away))
  await expect(pay('p1')).rejects.toBe(away)
  expect(runs).toEqual([])
  expect(events).toMatchObject([{ event: 'rejected', reason: 'predecessor', code: 'STORE_UNAVAILABLE' }])
})

test('or, for who prefers availability, leaves the call to our own record, and an event tells', async () => {
  const { pay, runs, events } = scene(() => Promise.reject(away), { onStoreUnavailable: 'run-unprotected' })
  expect([await pay('p1'), await pay('p1')]).toEqual(['new p1', 'new p1'])
  expect(runs).toEqual(['p1'])
  expect(events[0]).toMatchObject({ event: 'run-unprotected', reason: 'predecessor', code: 'STORE_UNAVAILABLE' })
})

test('only an outage is excused: a refused permission rejects whatever the user prefers', async () => {
  const denied = new AlonceError('STORE_DENIED', 'No.')
  const { pay } = scene(() => Promise.reject(denied), { onStoreUnavailable: 'run-unprotected' })
  await expect(pay('p1')).rejects.toBe(denied)
})

test('something else than a reader is refused at once', () => {
  const store = memoryStore()
  const predecessor = {} as Predecessor<[string]>
  expect(() => makeIdempotent(async (id: string) => id, { store, operation: 'pay', key: (id) => id, predecessor })).toThrow(
    expect.objectContaining({ code: 'CONFIG_INVALID', option: 'predecessor' }),
  )
})
