import { connect } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { type SocketStoreOptions, socketStore } from '../../demo/socket-store.ts'
import { startStoreServer } from '../../demo/store-server.ts'
import { LostInTransit, type Parcel, type Transit, untouched } from '../../demo/transit.ts'
import type { LockAcquire, OnceBegin, OnceComplete } from '../../lib/store/command.ts'
import { lockKey } from '../../lib/store/key.ts'
import type { RecordKey } from '../../lib/store/record.ts'
import { memoryStore } from '../../lib/stores/memory/memory-store.ts'

const acquire = (owner: string): LockAcquire => ({ type: 'lock.acquire', key: lockKey('account'), owner, leaseMs: 60_000 })
const onceKey = 'once/charge/1' as RecordKey
const begin: OnceBegin = { type: 'once.begin', key: onceKey, owner: 'a', leaseMs: 60_000, retainMs: 60_000 }
const result = { form: 'value', codec: 'json', body: new Uint8Array([34, 0, 255]) } as const
const complete: OnceComplete = { type: 'once.complete', key: onceKey, owner: 'a', result, retainMs: 60_000 }

async function open(transit: Transit = untouched, options: Partial<SocketStoreOptions> = {}) {
  const memory = memoryStore()
  const server = await startStoreServer(memory, transit)
  const store = await socketStore({ port: server.port, ...options })
  onTestFinished(async () => {
    store.close()
    await server.close()
  })
  return { memory, server, store }
}

/** Loses the first answers, after they have been given. */
function losing(answers: number): Transit {
  return async (_parcel, apply) => {
    const answer = await apply()
    if (answers-- > 0) throw new LostInTransit('test')
    return answer
  }
}

test('Commands and reads reach the store, and results come back byte for byte', async () => {
  const { store } = await open()
  expect(await store.execute(begin)).toMatchObject({ outcome: 'started', attempt: 1 })
  expect(await store.execute(complete)).toEqual({ outcome: 'completed' })
  expect(await store.execute({ ...begin, owner: 'b' })).toMatchObject({ outcome: 'completed', result })
  expect(await store.read(onceKey)).toMatchObject({ status: 'completed', result })
  expect(await store.read(lockKey('absent'))).toBeUndefined()
})

test('The time is known before the first request, and the true one lies in the interval', async () => {
  const { store, memory } = await open()
  for (let look = 0; look < 20; look++) {
    const before = memory.now().earliest
    const { earliest, latest } = store.now()
    const after = memory.now().latest
    expect(earliest).toBeLessThanOrEqual(after)
    expect(latest).toBeGreaterThanOrEqual(before)
    await store.read(onceKey)
  }
})

test('A command whose answer was lost is sent again, says so, and is recognised', async () => {
  const { store } = await open(losing(1))
  let requests = 0
  const reply = await store.execute(acquire('a'), { onRequest: () => requests++ })
  expect(reply).toMatchObject({ outcome: 'acquired' })
  expect(requests).toBe(2)
  expect(await store.execute(acquire('b'))).toMatchObject({ outcome: 'held', holder: { owner: 'a' } })
})

test('A store that never answers is unavailable, and says that the command may have been applied', async () => {
  const { store } = await open(losing(Number.POSITIVE_INFINITY))
  await expect(store.execute(acquire('a'), { timeoutMs: 500 })).rejects.toMatchObject({
    code: 'STORE_UNAVAILABLE',
    maybeApplied: true,
  })
})

test('A store that is silent is given up within the time that was given', async () => {
  const { store } = await open(() => new Promise(() => undefined), { requestTimeoutMs: 40 })
  await expect(store.execute(acquire('a'), { timeoutMs: 100 })).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
})

test('A store that has gone away is unavailable', async () => {
  const { store, server } = await open()
  await server.close()
  await expect(store.execute(acquire('a'))).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
})

test('Errors of the store keep their code', async () => {
  const { store, memory } = await open()
  await memory.execute(acquire('a'))
  await expect(store.execute({ ...begin, key: lockKey('account') })).rejects.toMatchObject({
    name: 'AlonceError',
    code: 'RECORD_UNREADABLE',
  })
})

test('The server learns which delivery a request is for, and what it does', async () => {
  const seen: Parcel[] = []
  const transit: Transit = (parcel, apply) => {
    seen.push(parcel)
    return apply()
  }
  const { store } = await open(transit, { delivery: () => 'p1.1.1' })
  await store.execute(begin)
  await store.read(onceKey)
  expect(seen).toEqual([
    { delivery: 'p1.1.1', step: 'once.begin' },
    { delivery: 'p1.1.1', step: 'read' },
  ])
})

test('A client that talks nonsense is cut off, and others are not', async () => {
  const { store, server } = await open()
  const stranger = connect(server.port, '127.0.0.1')
  const closed = new Promise((resolve) => stranger.on('close', resolve))
  stranger.on('error', () => undefined).resume()
  stranger.write('GET / HTTP/1.1\r\n\r\n')
  await closed
  expect(await store.execute(acquire('a'))).toMatchObject({ outcome: 'acquired' })
})
