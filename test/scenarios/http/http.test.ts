import { currentOperation } from 'alonce'
import { describe, expect, test } from 'vitest'
import type { Backend } from '../../support/backends.ts'
import { backends } from '../../support/backends.ts'
import { type Actor, outcome, stage, work } from '../idempotency/stage.ts'
import { type Answer, type Entrance, entrances, type Handle, type Options, type Seen, type Sent } from './entrances.ts'

// Each entrance on memory, and one on each other store: stores and entrances do not know of each other.
const places = backends.flatMap((backend, index) =>
  entrances
    .filter((_, n) => index === 0 || n === 1)
    .map((entrance) => ({ name: `${entrance.name} on ${backend.name}`, backend, entrance })),
)

async function open({ backend, entrance }: { readonly backend: Backend; readonly entrance: Entrance }) {
  const s = await stage(backend)
  const app = s.actor()
  const serve = (handle: Handle, more: Partial<Options> = {}, actor: Actor = app) => {
    const client = entrance.serve(handle, { store: actor.store, onEvent: actor.onEvent, operation: 'pay', ...more })
    return { client, call: (...args: Parameters<typeof client>): Promise<Seen> => s.world.run(client(...args)) }
  }
  return { ...s, app, serve }
}

/** A payment under the key `k1`, and whatever else is said. */
const payment = (more: Sent & { readonly key?: string } = {}): Sent => {
  const { key = 'k1', headers, ...rest } = more
  return { body: '{"cents":5}', ...rest, headers: { 'Idempotency-Key': key, ...headers } }
}

/** A handler that counts its runs in its body. */
function counting(answer: Answer = {}): { readonly handle: Handle; readonly runs: () => number } {
  let runs = 0
  return { handle: async () => ({ status: 201, body: `payment ${++runs}`, ...answer }), runs: () => runs }
}
const text = ({ body }: Seen): string => body.toString('utf8')
const problem = (seen: Seen) => JSON.parse(text(seen)) as { title: string; status: number; detail: string; code: string }

describe.each(places)('$name', (place) => {
  test('I28 a replay has the status, headers and body of the first answer, and is marked', async () => {
    const s = await open(place)
    const { handle, runs } = counting({ headers: { 'Content-Type': 'text/plain', Location: '/payments/1' } })
    const { call } = s.serve(handle)
    const first = await call(payment())
    const again = await call(payment())
    expect([first.status, text(first), first.headers['location']]).toEqual([201, 'payment 1', '/payments/1'])
    expect(again).toEqual({ ...first, headers: { ...first.headers, 'idempotency-replayed': 'true' } })
    expect(first.headers).not.toHaveProperty('idempotency-replayed')
    expect(runs()).toBe(1)
    expect(text(await call(payment({ key: 'k2' })))).toBe('payment 2')
  })

  test('I28 Set-Cookie and credentials reach the first caller, and are neither stored nor replayed', async () => {
    const s = await open(place)
    const secret = 'c2VjcmV0'
    const headers = {
      Authorization: `Bearer ${secret}`,
      'Proxy-Authenticate': `Basic realm="${secret}"`,
      'x-api-key': secret,
      'X-Trace': 'kept',
    }
    const { call } = s.serve(async () => ({ status: 200, headers, cookies: [`session=${secret}; Secure`, 'theme=dark'] }))
    const first = await call(payment())
    expect(first.headers).toMatchObject({ authorization: `Bearer ${secret}`, 'x-api-key': secret })
    expect(first.cookies[0]).toContain(secret)

    const again = await call(payment())
    expect(again.cookies).toEqual([])
    expect(again.headers).toMatchObject({ 'x-trace': 'kept', 'idempotency-replayed': 'true' })
    expect(JSON.stringify(again.headers)).not.toContain(secret)
    const { result } = (await s.record('pay', 'k1')) ?? {}
    expect(Buffer.from(result?.body as Uint8Array).toString()).not.toContain(secret)
  })

  test('I28 other headers are left out as configured, and Set-Cookie in any case', async () => {
    const s = await open(place)
    const headers = { 'X-Session': 's1', 'X-Api-Key': 'k' }
    const { call } = s.serve(async () => ({ headers, cookies: ['a=b'] }), { omitHeaders: ['x-session'] })
    await call(payment())
    const again = await call(payment())
    expect(again.cookies).toEqual([])
    expect(again.headers).not.toHaveProperty('x-session')
    expect(again.headers).toHaveProperty('x-api-key', 'k')
  })

  test('I28 a binary body comes back byte for byte', async () => {
    const s = await open(place)
    const bytes = Uint8Array.from({ length: 256 }, (_, index) => index)
    const { call } = s.serve(async () => ({ headers: { 'content-type': 'image/png' }, body: bytes }))
    expect((await call(payment())).body).toEqual(Buffer.from(bytes))
    expect((await call(payment())).body).toEqual(Buffer.from(bytes))
  })

  test('I5 another request under the same key: 422, and nothing is touched', async () => {
    const s = await open(place)
    const { handle, runs } = counting()
    const { call } = s.serve(handle)
    await call(payment({ query: 'b=2&a=1&a=3' }))
    const completed = await s.record('pay', 'k1')
    for (const other of [
      { body: '{"cents":6}' },
      { method: 'PATCH' },
      { path: '/refunds' },
      { query: 'b=2' },
      { body: new Uint8Array([1, 2]) },
    ]) {
      const refused = await call(payment({ query: 'b=2&a=1&a=3', ...other }))
      expect([refused.status, refused.headers['content-type']]).toEqual([422, 'application/problem+json'])
      expect(problem(refused)).toMatchObject({ status: 422, code: 'FINGERPRINT_MISMATCH', title: expect.any(String) })
    }
    expect(await s.record('pay', 'k1')).toEqual(completed)
    expect(text(await call(payment({ query: 'a=1&a=3&b=2', headers: { 'x-other': '1' } })))).toBe('payment 1')
    expect(runs()).toBe(1)
  })

  test('I12 while the first is being handled: 409 with Retry-After; or its answer, for those who wait', async () => {
    const s = await open(place)
    const job = work<Answer>()
    const { client, call } = s.serve(job.run)
    const first = client(payment())
    await s.world.run(job.begun)
    const refused = await call(payment())
    expect([refused.status, refused.headers['content-type']]).toEqual([409, 'application/problem+json'])
    expect(Number(refused.headers['retry-after'])).toBeGreaterThanOrEqual(1)
    expect(problem(refused)).toMatchObject({ status: 409, code: 'IN_PROGRESS' })
    const waiting = s.serve(job.run, { waitMs: 5000 }).client(payment())
    await s.world.settle()
    job.finish({ status: 202, body: 'accepted' })
    expect((await s.world.run(first)).status).toBe(202)
    expect(await s.world.run(waiting)).toMatchObject({ status: 202, headers: { 'idempotency-replayed': 'true' } })
  })

  test.each([
    ['none', undefined, 'KEY_MISSING'],
    ['an empty one', '', 'KEY_INVALID'],
    ['an empty string', '""', 'KEY_INVALID'],
    ['one of 256 characters', 'k'.repeat(256), 'KEY_INVALID'],
    ['an unfinished string', '"k1', 'KEY_INVALID'],
    ['two of them', '"a", "b"', 'KEY_INVALID'],
  ])('I20 a request with %s for a key: 400, and it does not run', async (_what, key, code) => {
    const s = await open(place)
    const { handle, runs } = counting()
    const { call } = s.serve(handle)
    const refused = await call({ body: '{}', headers: key === undefined ? {} : { 'idempotency-key': key } })
    expect([refused.status, refused.headers['content-type']]).toEqual([400, 'application/problem+json'])
    expect(problem(refused)).toMatchObject({ status: 400, code, detail: expect.stringContaining('Idempotency-Key') })
    expect(runs()).toBe(0)
    expect(s.app.wire.sent).toEqual([])
    expect(s.app.named('rejected')).toMatchObject([{ code }])
  })

  test('I20 a request without a key runs unprotected as configured, and is never shared', async () => {
    const s = await open(place)
    const { handle } = counting()
    const { call } = s.serve(handle, { onMissingKey: 'run-unprotected' })
    expect([text(await call({})), text(await call({}))]).toEqual(['payment 1', 'payment 2'])
    expect((await call({ headers: { 'idempotency-key': '""' } })).status).toBe(400)
  })

  test('I21 a string of structured fields and its bare text are one key', async () => {
    const s = await open(place)
    const { handle, runs } = counting()
    const { call } = s.serve(handle)
    for (const key of ['k1', '"k1"', ' "k1" ; v=1', '"k1";a']) expect(text(await call(payment({ key })))).toBe('payment 1')
    expect((await call(payment({ key: 'k'.repeat(255) }))).status).toBe(201)
    expect(text(await call(payment({ key: '"say \\"k1\\""' })))).toBe('payment 3')
    expect(runs()).toBe(3)
  })

  test('I22 callers with the same key are apart; without a caller: 400', async () => {
    const s = await open(place)
    const { handle } = counting()
    let caller: string | undefined = 'ann'
    const { call } = s.serve(handle, { scope: () => caller })
    const ann = text(await call(payment()))
    caller = 'bob'
    const bob = text(await call(payment()))
    caller = 'ann'
    expect([ann, bob, text(await call(payment()))]).toEqual(['payment 1', 'payment 2', 'payment 1'])
    caller = undefined
    const refused = await call(payment())
    expect([refused.status, problem(refused).code]).toEqual([400, 'KEY_MISSING'])
  })

  test('other methods go to the handler as they are; which, is configurable', async () => {
    const s = await open(place)
    const { handle } = counting()
    const { call } = s.serve(handle)
    const get = payment({ method: 'GET', body: undefined })
    expect([text(await call(get)), text(await call(get))]).toEqual(['payment 1', 'payment 2'])
    expect(s.app.wire.sent).toEqual([])
    const put = s.serve(handle, { methods: ['put'] })
    expect([text(await put.call(payment({ method: 'PUT' }))), text(await put.call(payment({ method: 'PUT' })))]).toEqual([
      'payment 3',
      'payment 3',
    ])
  })

  test.each([429, 500, 503])('a response of %i is not stored: the next request runs', async (status) => {
    const s = await open(place)
    let answer: Answer = { status, body: 'come again' }
    let attempts = 0
    const { call } = s.serve(async () => {
      attempts = currentOperation().attempt
      return answer
    })
    expect((await call(payment())).status).toBe(status)
    answer = { status: 201, body: 'paid' }
    expect(text(await call(payment()))).toBe('paid')
    expect(attempts).toBe(2)
    expect(s.app.named('abandoned')).toHaveLength(1)
  })

  test('responses of 402 are stored; which are, is configurable, and a judge that throws is not asked', async () => {
    const s = await open(place)
    const { handle, runs } = counting({ status: 402 })
    const { call } = s.serve(handle)
    await call(payment())
    expect(await call(payment())).toMatchObject({ status: 402, headers: { 'idempotency-replayed': 'true' } })
    expect(runs()).toBe(1)
    const only2xx = s.serve(handle, { operation: 'other', storeWhen: (status) => status < 300 })
    await only2xx.call(payment())
    await only2xx.call(payment())
    expect(runs()).toBe(3)
    const throwing = s.serve(handle, {
      operation: 'third',
      storeWhen: () => {
        throw new Error('the judge')
      },
    })
    await throwing.call(payment())
    await throwing.call(payment())
    expect(runs()).toBe(4)
  })

  test('I29 what the handler throws comes out unchanged, and the next request runs', async () => {
    const s = await open(place)
    const error = new RangeError('no connection')
    let fails = true
    const { call } = s.serve(async () => {
      if (fails) throw error
      return { status: 201, body: 'paid' }
    })
    expect(await outcome(call(payment()))).toEqual({ error })
    fails = false
    expect(text(await call(payment()))).toBe('paid')
  })

  test('I33 a store that is away: 503 with Retry-After; or unprotected, as configured', async () => {
    const s = await open(place)
    const { handle, runs } = counting()
    s.app.wire.cut()
    const refused = await s.serve(handle).call(payment())
    expect([refused.status, refused.headers['retry-after'], problem(refused).code]).toEqual([503, '1', 'STORE_UNAVAILABLE'])
    expect(runs()).toBe(0)
    const seen = await s.serve(handle, { onStoreUnavailable: 'run-unprotected' }).call(payment())
    expect([seen.status, text(seen), seen.headers['idempotency-replayed']]).toEqual([201, 'payment 1', undefined])
  })

  test('I11 a completion that can’t be written does not take the answer from the caller', async () => {
    const s = await open(place)
    const { call } = s.serve(async () => {
      s.app.wire.cut()
      return { status: 201, body: 'paid' }
    })
    expect(await call(payment())).toMatchObject({ status: 201 })
    expect(s.app.named('completion-failed')).toHaveLength(1)
  })

  test('I1 an attempt past its lease answers with the newer one’s response', async () => {
    const s = await open(place)
    const job = work<Answer>()
    const zombie = s.serve(job.run, { leaseMs: 3000 }).client(payment())
    await s.world.run(job.begun)
    s.app.client.freeze()
    await s.world.advance(20_000)
    const other = s.serve(async () => ({ status: 201, body: 'of B' }), {}, s.actor())
    expect(text(await other.call(payment()))).toBe('of B')
    s.app.client.thaw()
    job.finish({ status: 201, body: 'of A' })
    const seen = await s.world.run(zombie)
    expect([text(seen), seen.headers['idempotency-replayed']]).toEqual(['of B', 'true'])
  })

  test('statuses are configurable', async () => {
    const s = await open(place)
    const job = work<Answer>()
    const { client, call } = s.serve(job.run, { statuses: { badKey: 412, inProgress: 425, mismatch: 409, unavailable: 502 } })
    const first = client(payment())
    await s.world.run(job.begun)
    const statuses = [await call({}), await call(payment()), await call(payment({ body: 'other' }))].map(({ status }) => status)
    s.app.wire.cut()
    statuses.push((await call(payment())).status)
    s.app.wire.heal()
    expect(statuses).toEqual([412, 425, 409, 502])
    job.finish({})
    await s.world.run(first)
  })
})
