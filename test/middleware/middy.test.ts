import middy from '@middy/core'
import { currentLock, currentOperation } from 'alonce'
import { memoryStore } from 'alonce/memory'
import { aloncePlugin, idempotent, locked } from 'alonce/middy'
import { describe, expect, test } from 'vitest'
import { majors } from '../scenarios/middy/stage.ts'

const store = memoryStore()
const once = { store, operation: 'charge', key: (event: { id: string }) => event.id }
const alone = { store, key: (event: { id: string }) => event.id, waitMs: 0 }
type Callable = (event: unknown, context: unknown) => Promise<unknown>

describe('options are checked when the middleware is made', () => {
  test.each([
    ['store', () => locked({ ...alone, store: undefined as never })],
    ['key', () => locked({ store } as never)],
    ['waitMs', () => locked({ ...alone, waitMs: -1 })],
    ['onHeld', () => locked({ ...alone, onHeld: 'ignore' as never })],
    ['context', () => locked({ ...alone, context: {} } as never)],
    ['operation', () => idempotent({ store, key: once.key } as never)],
    ['fingerprnt', () => idempotent({ ...once, fingerprnt: () => 1 } as never)],
    ['retainMs', () => idempotent({ ...once, retainMs: Number.NaN })],
    ['requestEnd', () => aloncePlugin({ requestEnd: 'log' as never })],
    ['timeoutEarlyResponse', () => aloncePlugin({ timeoutEarlyResponse: 408 as never })],
    ['config', () => aloncePlugin(null as never)],
  ])('%s', (option, make) => {
    expect(make).toThrowError(expect.objectContaining({ code: 'CONFIG_INVALID', option }))
  })
})

describe('middy’s conventions', () => {
  test('each hook has a name, for middy’s beforeMiddleware and afterMiddleware', () => {
    const names = [locked(alone), idempotent(once)].flatMap(({ before, after, onError }) => [before, after, onError])
    expect(names.map((hook) => hook?.name)).toEqual([
      'lockedMiddlewareBefore',
      'lockedMiddlewareAfter',
      'lockedMiddlewareOnError',
      'idempotentMiddlewareBefore',
      'idempotentMiddlewareAfter',
      'idempotentMiddlewareOnError',
    ])
  })

  test('the plugin brings no timeoutEarlyResponse of its own: middy’s is recognised as it is', () => {
    expect(Object.keys(aloncePlugin())).toEqual(['requestStart', 'beforeHandler', 'requestEnd'])
    expect(Object.keys(aloncePlugin({ timeoutEarlyInMillis: 0, timeoutEarlyResponse: () => 408 })).sort()).toEqual([
      'beforeHandler',
      'requestEnd',
      'requestStart',
      'timeoutEarlyInMillis',
      'timeoutEarlyResponse',
    ])
  })

  test.each(majors)('a replay calls the clean-up hooks of Powertools, as middy $major skips their `after`', async (host) => {
    const cleaned: [string, unknown][] = []
    const powertools = {
      before: (request: { internal: Record<string, unknown> }) => {
        for (const name of ['logger', 'tracer', 'metrics', 'idempotency', 'other']) {
          request.internal[`powertools-for-aws.${name}`] = (given: unknown) => void cleaned.push([name, given === request])
        }
      },
    }
    const handler = host
      .middy()
      .use(powertools)
      .use(idempotent({ ...once, operation: `under middy ${host.major}` }))
      .handler(async () => 'paid') as Callable
    await handler({ id: 'p1' }, {})
    expect(cleaned).toEqual([])
    expect(await handler({ id: 'p1' }, {})).toBe('paid')
    expect(cleaned).toEqual([
      ['tracer', true],
      ['metrics', true],
      ['logger', true],
      ['idempotency', true],
    ])
  })
})

describe('context.alonce', () => {
  const handler = middy()
    .use(locked(alone))
    .handler(async (_event, context) => ({ context, name: context.alonce.lock.name })) as Callable

  test('is put on the context itself, which stays what it was', async () => {
    const context = { awsRequestId: 'r1' }
    const answer = (await handler({ id: 'p1' }, context)) as { context: object }
    expect(answer.context).toBe(context)
    expect(Object.keys(context)).toEqual(['awsRequestId', 'alonce'])
  })

  test('is inherited where the context can’t take it', async () => {
    const context = Object.freeze({ awsRequestId: 'r1' })
    const answer = (await handler({ id: 'p1' }, context)) as { context: typeof context; name: string }
    expect([answer.context.awsRequestId, answer.name]).toEqual(['r1', 'p1'])
  })

  test('is where currentLock() and currentOperation() point to: a middleware does not call the handler', async () => {
    const pointing = middy()
      .use(locked(alone))
      .use(idempotent({ ...once, operation: 'pointing' }))
      .handler(async () => {
        expect(() => currentLock()).toThrow('context.alonce.lock')
        expect(() => currentOperation()).toThrow('context.alonce.operation')
        return 'seen'
      }) as Callable
    expect(await pointing({ id: 'p1' }, {})).toBe('seen')
  })
})
