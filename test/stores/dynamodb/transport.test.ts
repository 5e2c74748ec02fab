import { describe, expect, test } from 'vitest'
import { systemRuntime } from '../../../lib/runtime/runtime.ts'
import type { LockAcquire } from '../../../lib/store/command.ts'
import { lockKey } from '../../../lib/store/key.ts'
import { dynamodbStore } from '../../../lib/stores/dynamodb/dynamodb-store.ts'
import { World } from '../../support/world.ts'

/**
 * The client that the store makes for itself: one middleware for all commands, so each must find its own watch. The HTTP handler
 * is the test's; all above it is the SDK.
 */

const LEASE = 10_000
const DATE = 'Tue, 24 Nov 2026 12:00:00 GMT'
const SECOND = Date.parse(DATE)

interface HandlerRequest {
  readonly headers: { readonly [name: string]: string }
  readonly body: string | Uint8Array
}
type Answer = { readonly status?: number; readonly body?: object; readonly date?: string } | Error
type Handle = (request: HandlerRequest, options: { readonly abortSignal?: AbortSignal }) => Answer | Promise<Answer>

function storeOver(handle: Handle, runtime = systemRuntime) {
  const requestHandler = {
    handle: async (request: HandlerRequest, options: { readonly abortSignal?: AbortSignal }) => {
      const answer = await handle(request, options)
      if (answer instanceof Error) throw answer
      const { status = 200, body = {}, date = DATE } = answer
      return { response: { statusCode: status, headers: { date }, body: new TextEncoder().encode(JSON.stringify(body)) } }
    },
    updateHttpClientConfig: () => undefined,
    httpHandlerConfigs: () => ({}),
  }
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' }
  const clientConfig = { region: 'eu-central-1', credentials, requestHandler: requestHandler as never, maxAttempts: 5 }
  return dynamodbStore({ tableName: 'alonce', clientConfig, runtime })
}

const acquire = (name: string): LockAcquire => ({
  type: 'lock.acquire',
  key: lockKey(name),
  owner: `owner-${name}`,
  leaseMs: LEASE,
})
const resetByPeer = (): Error => Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })

describe('the store’s own client', () => {
  test('learns the server’s time from its replies, errors too', async () => {
    const refusal = { __type: 'com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException', message: 'no' }
    for (const answer of [{}, { status: 400, body: refusal }]) {
      const store = storeOver(() => answer)
      await store.execute({ type: 'lock.release', key: lockKey('a'), owner: 'A' })
      const { earliest, latest } = store.now()
      expect(latest).toBeGreaterThanOrEqual(SECOND + 1000)
      expect(latest).toBeLessThan(SECOND + 10_000)
      expect(earliest).toBeLessThanOrEqual(SECOND)
    }
  })

  test('counts the requests of each command, though twenty are under way together', async () => {
    const failOnce = new Set(Array.from({ length: 10 }, (_, index) => `owner-${index * 2}`))
    const store = storeOver(async ({ body }) => {
      await new Promise(setImmediate)
      const owner = /owner-\d+/.exec(typeof body === 'string' ? body : new TextDecoder().decode(body))?.[0] ?? ''
      return failOnce.delete(owner) ? resetByPeer() : {}
    })
    await store.read(lockKey('first')) // so that the time is known
    const counted = await Promise.all(
      Array.from({ length: 20 }, async (_, index) => {
        let requests = 0
        await store.execute(acquire(String(index)), { onRequest: () => requests++ })
        return requests
      }),
    )
    expect(counted).toEqual(Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? 2 : 1)))
  })

  test('V3 does not retry behind our back, whatever its configuration says', async () => {
    let sent = 0
    const store = storeOver(() => {
      sent++
      return resetByPeer()
    })
    let counted = 0
    const error: unknown = await store
      .execute({ type: 'lock.release', key: lockKey('a'), owner: 'A' }, { onRequest: () => counted++, timeoutMs: 500 })
      .catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'STORE_UNAVAILABLE', maybeApplied: true })
    expect(sent).toBeGreaterThan(1)
    expect(counted).toBe(sent)
  })

  test('V6 a release that is refused after a lost answer is gone, not lost', async () => {
    const refusal = { __type: 'com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException', message: 'no' }
    const answers: Answer[] = [resetByPeer(), { status: 400, body: refusal }]
    const store = storeOver(() => answers.shift() ?? {})
    expect(await store.execute({ type: 'lock.release', key: lockKey('a'), owner: 'A' })).toEqual({ outcome: 'gone' })
  })

  test('aborts the HTTP request that it no longer waits for, and no other', async () => {
    const world = new World()
    const process = world.client()
    const signals: AbortSignal[] = []
    let hangs = true
    const store = storeOver((_request, { abortSignal }) => {
      if (abortSignal) signals.push(abortSignal)
      return hangs ? new Promise<never>(() => undefined) : {}
    }, process)
    const hung = world.run(store.execute(acquire('a'), { timeoutMs: 700 }))
    await expect(hung).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', cause: { name: 'TimeoutError' } })
    hangs = false
    await world.track(store.read(lockKey('b')))
    expect(signals.map((signal) => signal.aborted)).toEqual([true, false])
    expect(process.pendingTimers).toBe(0)
  })
})
