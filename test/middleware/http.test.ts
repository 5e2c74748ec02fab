import middy from '@middy/core'
import { makeLocked, withLock } from 'alonce'
import { fetchIdempotency, type HttpIdempotencyOptions, httpIdempotency } from 'alonce/http'
import { memoryStore } from 'alonce/memory'
import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import { Hono } from 'hono'
import { describe, expect, test } from 'vitest'
import { faultyStore } from '../../lib/testing/faulty-store.ts'
import { albEvent, httpEvent, restEvent } from '../scenarios/http/entrances.ts'
import { World } from '../support/world.ts'

const options = () => ({ store: memoryStore(), operation: 'pay' })
const context = { getRemainingTimeInMillis: () => 60_000 }
const sent = { headers: { 'Idempotency-Key': 'k1' }, body: '{"cents":5}' }
const post = (body: string = '{}', headers: Record<string, string> = {}): Request =>
  new Request('https://api.example.com/payments', { method: 'POST', body, headers: { 'idempotency-key': 'k1', ...headers } })

describe('options are checked when the handler is made', () => {
  const fine = async (): Promise<object> => ({})
  const answers = async (): Promise<Response> => new Response()
  const valid = options()
  const streaming = Object.assign(async () => undefined, { [Symbol.for('aws.lambda.runtime.handler.streaming')]: 'response' })
  test.each([
    ['options', () => httpIdempotency(fine, undefined as never)],
    ['operation', () => httpIdempotency(fine, { store: valid.store } as never)],
    ['store', () => fetchIdempotency(answers, { ...valid, store: {} as never })],
    ['key', () => httpIdempotency(fine, { ...valid, key: 'k' } as never)],
    ['predecessor', () => httpIdempotency(fine, { ...valid, predecessor: {} } as never)],
    ['fingerprnt', () => httpIdempotency(fine, { ...valid, fingerprnt: 1 } as never)],
    ['fingerprint', () => httpIdempotency(fine, { ...valid, fingerprint: 'body' as never })],
    ['storeWhen', () => httpIdempotency(fine, { ...valid, storeWhen: 500 as never })],
    ['header', () => httpIdempotency(fine, { ...valid, header: 'Idempotency Key' })],
    ['methods', () => httpIdempotency(fine, { ...valid, methods: 'POST' as never })],
    ['omitHeaders', () => httpIdempotency(fine, { ...valid, omitHeaders: ['a:b'] })],
    ['statuses.mismatch', () => httpIdempotency(fine, { ...valid, statuses: { mismatch: 200 } })],
    ['statuses.conflict', () => httpIdempotency(fine, { ...valid, statuses: { conflict: 409 } as never })],
    ['handler', () => httpIdempotency('index.handler' as never, valid)],
    ['handler', () => httpIdempotency(streaming, valid)],
    ['handler', () => httpIdempotency(((_event: object, _stream: object, _context: object) => undefined) as never, valid)],
    ['handler', () => fetchIdempotency(undefined as never, valid)],
  ])('%s', (option, make) => {
    expect(make).toThrowError(expect.objectContaining({ code: 'CONFIG_INVALID', option }))
  })
})

describe('streams are refused, and what they were for does not happen again', () => {
  test.each([
    ['a web stream', () => new ReadableStream()],
    ['a stream of Node', () => ({ pipe: () => undefined })],
    ['an iterator', () => (async function* () {})()],
  ])('%s as the body of a Lambda response', async (_what, body) => {
    let runs = 0
    const handler = httpIdempotency(async (_event: object) => ({ statusCode: 200, body: body(), runs: ++runs }), options())
    await expect(handler(httpEvent(sent), context)).rejects.toMatchObject({ code: 'CONFIG_INVALID', option: 'handler' })
    expect(await handler(httpEvent(sent), context)).toMatchObject({ statusCode: 500 })
    expect(runs).toBe(1)
  })

  test('server-sent events as a Response', async () => {
    let [runs, cancelled] = [0, false]
    const handler = fetchIdempotency(() => {
      runs++
      const body = new ReadableStream({
        cancel: () => {
          cancelled = true
        },
      })
      return new Response(body, { headers: { 'Content-Type': 'text/event-stream; charset=utf-8' } })
    }, options())
    await expect(handler(post())).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    const refused = await handler(post())
    expect([refused.status, (await refused.json()) as object]).toMatchObject([500, { code: 'RESULT_NOT_SERIALIZABLE' }])
    expect([runs, cancelled]).toEqual([1, true])
  })
})

describe('Lambda', () => {
  test.each([[undefined], [null], ['text'], [{}], [{ Records: [] }], [{ httpMethod: 1 }]])(
    'an event that is no HTTP request is refused: %j',
    async (event) => {
      const handler = httpIdempotency(async (_event: unknown) => expect.unreachable(), options())
      await expect(handler(event, context)).rejects.toMatchObject({ code: 'CONFIG_INVALID', option: 'event' })
    },
  )

  test.each([
    ['text', 'Hello', 'Hello'],
    ['an object', { id: 1 }, '{"id":1}'],
    ['an array', [1], '[1]'],
  ])('I24 format 2.0 without a status: %s is replayed as what API Gateway makes of it', async (_what, value, body) => {
    let runs = 0
    const handler = httpIdempotency(async (_event: object) => {
      runs++
      return value as unknown
    }, options())
    expect(await handler(httpEvent(sent), context)).toEqual(value)
    expect(await handler(httpEvent(sent), context)).toEqual({
      statusCode: 200,
      headers: { 'content-type': 'application/json', 'Idempotency-Replayed': 'true' },
      body,
      isBase64Encoded: false,
    })
    expect(runs).toBe(1)
  })

  test.each([
    ['undefined', undefined],
    ['null', null],
    ['0', 0],
    ["''", ''],
    ['false', false],
  ])('I24 %s comes back as it was, from a handler behind a load balancer', async (_name, value) => {
    let runs = 0
    const handler = httpIdempotency(async (_event: object) => [value, ++runs][0], options())
    expect([await handler(albEvent(sent), context), await handler(albEvent(sent), context)]).toEqual([value, value])
    expect(runs).toBe(1)
  })

  test('I23 a handler that changes its event changes nothing', async () => {
    let runs = 0
    const handler = httpIdempotency(async (event: ReturnType<typeof restEvent>) => {
      runs++
      event.multiValueHeaders['Idempotency-Key'] = ['spoiled']
      Object.assign(event, { body: 'spoiled', path: '/spoiled' })
      return { statusCode: 200, body: 'paid' }
    }, options())
    await handler(restEvent(sent), context)
    expect(await handler(restEvent(sent), context)).toMatchObject({ headers: { 'Idempotency-Replayed': 'true' } })
    expect(runs).toBe(1)
  })

  test('I27 a replay is a fresh copy, and what the caller does to the first answer reaches nobody', async () => {
    const headers: { [name: string]: string } = { 'content-type': 'text/plain' }
    const handler = httpIdempotency(async (_event: object) => ({ statusCode: 200, headers, body: 'paid' }), options())
    const first = await handler(httpEvent(sent), context)
    Object.assign(first.headers, { 'content-type': 'spoiled' })
    const second = await handler(httpEvent(sent), context)
    Object.assign(second.headers, { 'content-type': 'spoiled too' })
    expect(await handler(httpEvent(sent), context)).toMatchObject({ headers: { 'content-type': 'text/plain' } })
  })

  test('a body is the same as text and encoded; headers of a REST event without multi-values are found', async () => {
    const { multiValueHeaders: _, multiValueQueryStringParameters: __, ...event } = restEvent({ ...sent, query: 'a=1' })
    const encoded = { ...event, body: Buffer.from(event.body).toString('base64'), isBase64Encoded: true }
    const handler = httpIdempotency(async (_event: object) => ({ statusCode: 200, body: 'paid' }), options())
    await handler(event, context)
    expect(await handler(encoded, context)).toMatchObject({ statusCode: 200, headers: { 'Idempotency-Replayed': 'true' } })
  })

  test('the key is not taken from a header that was sent more than once', async () => {
    const event = { ...restEvent(sent), multiValueHeaders: { 'idempotency-key': ['a', 'b'] } }
    const handler = httpIdempotency(async (_event: object) => expect.unreachable(), options())
    expect(await handler(event, context)).toMatchObject({ statusCode: 400, body: expect.stringContaining('more than once') })
  })

  test('a refusal has what a load balancer wants to see', async () => {
    const handler = httpIdempotency(async (_event: object) => expect.unreachable(), options())
    expect(await handler(albEvent({ body: '' }), context)).toMatchObject({
      statusCode: 400,
      statusDescription: '400 Bad Request',
    })
    const multi = { ...albEvent({ body: '' }), headers: undefined, multiValueHeaders: {} }
    const problem = ['application/problem+json']
    expect(await handler(multi, context)).toMatchObject({ multiValueHeaders: { 'Content-Type': problem } })
  })

  test('errors of Alonce that the handler throws stay errors: they are about something else', async () => {
    const { store, operation } = options()
    const alone = makeLocked(async (_event: object) => ({ statusCode: 200 }), { store, key: 'account', waitMs: 0 })
    const handler = httpIdempotency(alone, { store, operation })
    const held = withLock({ store, key: 'account' }, () => handler(httpEvent(sent), context))
    await expect(held).rejects.toMatchObject({ code: 'LOCK_HELD' })
    expect(await handler(httpEvent(sent), context)).toEqual({ statusCode: 200 })
  })

  test('a custom fingerprint gets the event and the bytes of its body', async () => {
    const seen: unknown[] = []
    const fingerprint = (event: APIGatewayProxyEventV2, body: Uint8Array) => {
      seen.push(event.rawPath, Buffer.from(body).toString())
      return 'always the same'
    }
    const handler = httpIdempotency(async (_event: APIGatewayProxyEventV2) => ({ statusCode: 200 }), {
      ...options(),
      fingerprint,
    })
    await handler(httpEvent(sent) as never, context)
    expect(await handler(httpEvent({ ...sent, body: 'other' }) as never, context)).toMatchObject({ statusCode: 200 })
    expect(seen).toEqual(['/payments', '{"cents":5}', '/payments', 'other'])
  })

  test('scope gets the event as it is', async () => {
    const seen: unknown[] = []
    const scope = (event: object) => {
      seen.push(event)
      return 'ann'
    }
    const event = httpEvent(sent)
    await httpIdempotency(async (_event: object) => ({ statusCode: 200 }), { ...options(), scope })(event, context)
    expect(seen).toHaveLength(1)
    expect(seen[0]).toBe(event)
  })

  test('a mistake of the server’s is thrown, and not told to the client', async () => {
    const fingerprint = () => new Map()
    const handler = httpIdempotency(async (_event: object) => ({ statusCode: 200 }), { ...options(), fingerprint })
    await expect(handler(httpEvent(sent), context)).rejects.toMatchObject({ code: 'KEY_INVALID' })
  })

  test('middy goes around it, and the wrapped handler shows at most two parameters', async () => {
    const wrapped = httpIdempotency(async (_event: object) => ({ statusCode: 201, headers: {} }), options())
    expect(wrapped.length).toBeLessThanOrEqual(2)
    const cors = {
      after: ({ response }: { response: { headers: object } }) => {
        Object.assign(response.headers, { 'x-cors': '*' })
      },
    }
    const handler = middy(wrapped as never).use(cors as never) as unknown as typeof wrapped
    await handler(httpEvent(sent), context)
    expect(await handler(httpEvent(sent), context)).toMatchObject({ headers: { 'Idempotency-Replayed': 'true', 'x-cors': '*' } })
    expect(await handler(httpEvent({ body: '' }), context)).toMatchObject({ statusCode: 400, headers: { 'x-cors': '*' } })
  })
})

describe('fetch', () => {
  test.each([
    ['204 without a body', () => new Response(null, { status: 204 })],
    ['a redirect', () => Response.redirect('https://example.com/payments/1', 303)],
    ['JSON', () => Response.json({ id: 1 }, { status: 201, headers: { etag: '"1"' } })],
    ['text with a byte order mark', () => new Response('\ufeffpaid')],
  ])('%s comes back as it was', async (_what, make) => {
    const handler = fetchIdempotency(make, options())
    const bytes = async (response: Response) => Buffer.from(await response.arrayBuffer())
    const [first, again] = [await handler(post()), await handler(post())]
    const { 'idempotency-replayed': replayed, ...headers } = Object.fromEntries(again.headers)
    expect([again.status, headers, await bytes(again)]).toEqual([
      first.status,
      Object.fromEntries(first.headers),
      await bytes(first),
    ])
    expect(replayed).toBe('true')
  })

  test('the request’s body is the handler’s to read, and further arguments go through', async () => {
    const handler = fetchIdempotency(async (request: Request, env: { region: string }) => {
      return Response.json([await request.json(), env.region])
    }, options())
    const answers = [await handler(post('{"cents":5}'), { region: 'eu' }), await handler(post('{"cents":5}'), { region: 'eu' })]
    for (const answer of answers) expect(await answer.json()).toEqual([{ cents: 5 }, 'eu'])
  })

  test('in front of a whole Hono application', async () => {
    const app = new Hono()
    let paid = 0
    app.post('/payments', async (c) => c.json({ paid: ++paid, ...(await c.req.json<object>()) }, 201))
    app.get('/payments', (c) => c.json({ paid }))
    const handler = fetchIdempotency((request: Request) => app.fetch(request), options())
    const answers = [await handler(post('{"cents":5}')), await handler(post('{"cents":5}'))]
    expect(answers.map(({ status }) => status)).toEqual([201, 201])
    expect(await Promise.all(answers.map((answer) => answer.json()))).toEqual([
      { paid: 1, cents: 5 },
      { paid: 1, cents: 5 },
    ])
    expect(await (await handler(new Request('https://api.example.com/payments'))).json()).toEqual({ paid: 1 })
    expect((await handler(post('{"cents":6}'))).status).toBe(422)
  })

  test('around one route of a Hono application', async () => {
    const app = new Hono()
    let paid = 0
    const pay = fetchIdempotency(
      async (request: Request) => Response.json({ paid: ++paid, body: await request.text() }),
      options(),
    )
    app.post('/payments', (c) => pay(c.req.raw))
    for (const _ of [1, 2]) expect(await (await app.fetch(post('five'))).json()).toEqual({ paid: 1, body: 'five' })
  })

  test('a record of Lambda’s is replayed, and one that holds no response is refused', async () => {
    const shared = options()
    const lambda = httpIdempotency(
      async (_event: object) => ({
        statusCode: 201,
        headers: { 'x-a': '1' },
        body: Buffer.from([255, 0]).toString('base64'),
        isBase64Encoded: true,
      }),
      { ...shared, fingerprint: () => 1 },
    )
    await lambda(restEvent(sent), context)
    const fetching = fetchIdempotency(() => expect.unreachable(), { ...shared, fingerprint: () => 1 })
    const answer = await fetching(post())
    expect([answer.status, answer.headers.get('x-a'), new Uint8Array(await answer.arrayBuffer())]).toEqual([
      201,
      '1',
      new Uint8Array([255, 0]),
    ])
    const bare = options()
    await httpIdempotency(async (_event: object) => 'text', { ...bare, fingerprint: () => 1 })(restEvent(sent), context)
    const other = fetchIdempotency(() => expect.unreachable(), { ...bare, fingerprint: () => 1 })
    await expect(other(post())).rejects.toMatchObject({ code: 'RECORD_UNREADABLE' })
  })

  test('a response whose body breaks off has failed: the next request runs', async () => {
    let runs = 0
    const handler = fetchIdempotency(() => {
      if (++runs > 1) return new Response('paid')
      return new Response(new ReadableStream({ pull: (controller) => controller.error(new Error('broken')) }))
    }, options())
    await expect(handler(post())).rejects.toThrow('broken')
    expect(await (await handler(post())).text()).toBe('paid')
  })
})

describe('a reconcile function finds out what became of a request whose process has died', () => {
  type Reconcile = Extract<NonNullable<HttpIdempotencyOptions<Request>['onCrash']>, { reconcile: unknown }>['reconcile']

  /** The first process is killed in the middle of its handler; its lease ends. */
  async function stage() {
    const world = new World()
    const store = memoryStore({ runtime: world.client() })
    const settings = (client = world.client()) =>
      ({ store: faultyStore(store, { runtime: client }), operation: 'pay', leaseMs: 30_000 }) as const
    const crash = async (start: (own: ReturnType<typeof settings>) => Promise<unknown>): Promise<void> => {
      const client = world.client()
      void start(settings(client))
      await world.settle()
      client.kill()
      await world.advance(40_000)
    }
    return { world, settings, crash }
  }
  const forever = (): Promise<never> => new Promise(() => undefined)
  const hold: Reconcile = () => 'hold'

  test('a Response is what callers get, then and later, and the handler does not run', async () => {
    const { world, settings, crash } = await stage()
    await crash((own) => fetchIdempotency(forever, { ...own, onCrash: { reconcile: hold } })(post()))
    let [runs, asked] = [0, 0]
    const reconcile: Reconcile = (crashed) => {
      asked++
      const answer = { attempt: crashed.attempt, key: crashed.downstreamKey('charge').length > 0 }
      return { result: Response.json(answer, { status: 201, headers: { 'set-cookie': 'a=b', 'x-id': '7' } }) }
    }
    const handler = fetchIdempotency(() => new Response(String(++runs)), { ...settings(), onCrash: { reconcile } })
    for (const _ of [1, 2]) {
      const response = await world.run(handler(post()))
      expect([response.status, await response.json()]).toEqual([201, { attempt: 1, key: true }])
      expect(response.headers.get('idempotency-replayed')).toBe('true')
      expect([response.headers.get('x-id'), response.headers.get('set-cookie')]).toEqual(['7', null])
    }
    expect([runs, asked]).toEqual([0, 1])
  })

  test('"hold" is 409, "retry" runs the handler', async () => {
    const { world, settings, crash } = await stage()
    await crash((own) => fetchIdempotency(forever, { ...own, onCrash: { reconcile: hold } })(post()))
    const handler = (reconcile: Reconcile) =>
      fetchIdempotency(() => new Response('ran', { status: 201 }), { ...settings(), onCrash: { reconcile } })
    expect((await world.run(handler(hold)(post()))).status).toBe(409)
    await world.advance(40_000)
    const response = await world.run(handler(() => 'retry')(post()))
    expect([response.status, await response.text()]).toEqual([201, 'ran'])
  })

  test('what is no Response is refused, and the record stays held', async () => {
    const { world, settings, crash } = await stage()
    await crash((own) => fetchIdempotency(forever, { ...own, onCrash: { reconcile: hold } })(post()))
    const wrong = fetchIdempotency(() => new Response(), {
      ...settings(),
      onCrash: { reconcile: () => ({ result: { paid: true } }) },
    })
    await expect(world.run(wrong(post()))).rejects.toMatchObject({ code: 'CONFIG_INVALID', option: 'onCrash' })
    await world.advance(40_000)
    const right = fetchIdempotency(() => new Response(), {
      ...settings(),
      onCrash: { reconcile: () => ({ result: new Response(null, { status: 204 }) }) },
    })
    expect((await world.run(right(post()))).status).toBe(204)
  })

  test('for events it gives what the handler would have returned', async () => {
    const { world, settings, crash } = await stage()
    await crash((own) => httpIdempotency(forever, { ...own, onCrash: { reconcile: hold } })(httpEvent(sent), context))
    const result = { statusCode: 201, headers: { 'Set-Cookie': 'a=b', 'X-Id': '7' }, body: 'paid' }
    const handler = httpIdempotency(async (_event: object) => ({ statusCode: 500 }), {
      ...settings(),
      onCrash: { reconcile: () => ({ result }) },
    })
    for (const _ of [1, 2]) {
      expect(await world.run(handler(httpEvent(sent), context))).toEqual({
        statusCode: 201,
        headers: { 'X-Id': '7', 'Idempotency-Replayed': 'true' },
        body: 'paid',
      })
    }
  })
})
