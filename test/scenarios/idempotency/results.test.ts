import { randomBytes } from 'node:crypto'
import { AlonceError, type Codec, makeIdempotent, withIdempotency } from 'alonce'
import { describe, expect, test } from 'vitest'
import { backends } from '../../support/backends.ts'
import { type Actor, outcome, type Stage, stage } from './stage.ts'

const options = (actor: Actor) => ({ store: actor.store, operation: 'charge', key: 'p1', onEvent: actor.onEvent }) as const

/** Compressing much takes real time. An invocation's own lease needs no timer, so virtual time has nowhere to go meanwhile. */
const inInvocation = { context: { getRemainingTimeInMillis: () => 60_000 } }

/** Runs once, then again: what the first caller got, what the second got, and how often it ran. */
async function twice(s: Stage, result: () => unknown, more: object = {}) {
  let runs = 0
  const call = () =>
    withIdempotency({ ...options(s.actor()), ...more }, async () => {
      runs++
      return result()
    })
  const first = await s.world.run(outcome(call()))
  const second = await s.world.run(outcome(call()))
  return { first, second, runs }
}

const bytesCodec: Codec = { id: 'bytes', encode: (value) => value as Uint8Array, decode: (bytes) => bytes }

class Receipt {
  readonly id = 7
  readonly note = undefined
  #secret = 1
  total(): number {
    return this.#secret
  }
}

describe.each(backends)('results on $name', (backend) => {
  test.each([
    ['undefined', undefined],
    ['null', null],
    ['0', 0],
    ["''", ''],
    ['false', false],
    ['[]', []],
    ['{}', {}],
  ])('I24 %s comes back as it was', async (_name, value) => {
    const s = await stage(backend)
    const { first, second, runs } = await twice(s, () => value)
    expect(first).toEqual({ value })
    expect(second).toEqual({ value })
    expect(runs).toBe(1)
  })

  test.each([
    ['{a: undefined}', { a: undefined, b: 1 }, { b: 1 }],
    ['a Date', { at: new Date(0) }, { at: '1970-01-01T00:00:00.000Z' }],
    ['a class instance', new Receipt(), { id: 7 }],
    ['toJSON', { toJSON: () => ['by', 'toJSON'] }, ['by', 'toJSON']],
    ['NaN', [Number.NaN, Number.POSITIVE_INFINITY], [null, null]],
    ['2^60', 2 ** 60, 2 ** 60],
    ['a Set and a Map', { set: new Set([1]), map: new Map([[1, 2]]) }, { set: {}, map: {} }],
    ['a function', () => 1, undefined],
    ['a hole', new Array(2).fill(1, 1), [null, 1]],
    ['half a surrogate pair', '\ud800', '\ud800'],
  ])('I25 %s: the caller gets it as it is, a replay what Lambda itself would return', async (_name, value, replayed) => {
    const s = await stage(backend)
    const { first, second, runs } = await twice(s, () => value)
    expect((first as { value: unknown }).value).toBe(value)
    expect((second as { value: unknown }).value).toStrictEqual(replayed)
    expect(runs).toBe(1)
  })

  const circular: { self?: unknown } = {}
  circular.self = circular
  const throwing = {
    toJSON(): never {
      throw new Error('no JSON for you')
    },
  }
  test.each([
    ['a bigint', 1n],
    ['a circular object', circular],
    ['a throwing toJSON', throwing],
  ])('I25 %s is no error after the side effect, and duplicates learn that there is nothing to replay', async (_name, value) => {
    const s = await stage(backend)
    const { first, second, runs } = await twice(s, () => value)
    expect((first as { value: unknown }).value).toBe(value)
    expect(second).toMatchObject({ error: { code: 'RESULT_NOT_SERIALIZABLE' } })
    expect(runs).toBe(1)
    expect(await s.record('charge', 'p1')).toMatchObject({ status: 'completed', result: { form: 'unstorable' } })
  })

  test('I25 with onUnstorableResult: "retry" the record is given back instead', async () => {
    const s = await stage(backend)
    const { first, second, runs } = await twice(s, () => 1n, { onUnstorableResult: 'retry' })
    expect([first, second]).toEqual([{ value: 1n }, { value: 1n }])
    expect(runs).toBe(2)
  })

  test('I25 a codec of the user’s own keeps what JSON can’t', async () => {
    const s = await stage(backend)
    const codec: Codec = {
      id: 'dates',
      encode: async (value) => Buffer.from(String((value as Date).getTime())),
      decode: async (bytes) => new Date(Number(Buffer.from(bytes).toString())),
    }
    const { second, runs } = await twice(s, () => new Date(86_400_000), { codec })
    expect(second).toEqual({ value: new Date(86_400_000) })
    expect(runs).toBe(1)
  })

  test.each([420_000, 5_900_000])('I26 an incompressible result of %i bytes is stored and replayed', async (size) => {
    const s = await stage(backend)
    const bytes = randomBytes(size)
    const { first, second, runs } = await twice(s, () => bytes, { ...inInvocation, codec: bytesCodec })
    expect((first as { value: Buffer }).value).toBe(bytes)
    expect(bytes.equals((second as { value: Uint8Array }).value)).toBe(true)
    expect(runs).toBe(1)
  })

  test('I26 an answer of 5.9 MB as JSON is stored and replayed', async () => {
    const s = await stage(backend)
    const body = randomBytes(4_425_000).toString('base64')
    const { second, runs } = await twice(s, () => ({ statusCode: 200, body }), inInvocation)
    expect((second as { value: { body: string } }).value.body === body).toBe(true)
    expect(runs).toBe(1)
  })

  test.each([
    ['keep', 1],
    ['retry', 2],
  ] as const)('I26 what is larger follows the policy: %s', async (onUnstorableResult, expectedRuns) => {
    const s = await stage(backend)
    const bytes = randomBytes(6 * 1024 * 1024 + 1)
    const { first, second, runs } = await twice(s, () => bytes, { ...inInvocation, codec: bytesCodec, onUnstorableResult })
    expect((first as { value: Buffer }).value).toBe(bytes)
    if (onUnstorableResult === 'keep') expect(second).toMatchObject({ error: { code: 'RESULT_TOO_LARGE', statusCode: 500 } })
    else expect((second as { value: Buffer }).value).toBe(bytes)
    expect(runs).toBe(expectedRuns)
  })

  test('I27 a replay is a fresh copy, and neither copy reaches the record', async () => {
    const s = await stage(backend)
    const a = s.actor()
    const original = { items: [{ id: 1 }] }
    const call = () => s.world.run(withIdempotency(options(a), async () => original))
    const first = await call()
    first.items.push({ id: 2 })
    const replayed = await call()
    expect(replayed).toEqual({ items: [{ id: 1 }] })
    replayed.items.length = 0
    expect(await call()).toEqual({ items: [{ id: 1 }] })
  })

  test('I27 a codec that hands out the very bytes it is given does no harm', async () => {
    const s = await stage(backend)
    const a = s.actor()
    const original = new Uint8Array([1, 2, 3])
    const call = () => s.world.run(withIdempotency({ ...options(a), codec: bytesCodec }, async () => original))
    const first = await call()
    first.fill(0)
    const replayed = await call()
    expect([...replayed]).toEqual([1, 2, 3])
    replayed.fill(0)
    expect([...(await call())]).toEqual([1, 2, 3])
  })

  const frozen = Object.freeze(new RangeError('frozen'))
  test.each([
    ['an Error', new Error('declined')],
    ['a frozen Error', frozen],
    ['a string', 'declined'],
    ['undefined', undefined],
    ['null', null],
    ['an object', { declined: true }],
    ['an error of ours', new AlonceError('LOCK_HELD', 'The account is busy.')],
  ])('I29 %s that the handler throws comes out unchanged even if the hand-back fails', async (_name, thrown) => {
    const s = await stage(backend)
    const a = s.actor()
    const call = withIdempotency(options(a), async () => {
      a.wire.cut('drop-request')
      throw thrown
    })
    const ended = await s.world.run(outcome(call))
    expect((ended as { error: unknown }).error).toBe(thrown)
    expect(a.named('abandon-failed')).toMatchObject([{ code: 'STORE_UNAVAILABLE', attempt: 1 }])
    expect(a.client.pendingTimers).toBe(0)
  })

  test('I29 so it does if it can’t be stored, or the failure policy itself throws', async () => {
    const s = await stage(backend)
    const a = s.actor()
    const declined = new Error('declined')
    const fail = (more: object) =>
      s.world.run(
        outcome(
          withIdempotency({ ...options(a), ...more }, () => {
            throw declined
          }),
        ),
      )
    const policy = (): never => {
      throw new Error('of the policy')
    }
    expect(await fail({ failure: policy })).toEqual({ error: declined })
    expect((await s.record('charge', 'p1'))?.status).toBeUndefined()
    a.wire.inject('drop-request', 'once.complete', 1000)
    expect(await fail({ failure: 'store' })).toEqual({ error: declined })
    expect(a.named('completion-failed')).toHaveLength(1)
  })

  test('I30 stored errors come back with the same name and message', async () => {
    const s = await stage(backend)
    class CardDeclined extends Error {
      override readonly name = 'CardDeclined'
      readonly card = '4111'
    }
    let runs = 0
    const charge = makeIdempotent(
      async (_id: string): Promise<never> => {
        runs++
        throw new CardDeclined('Insufficient funds')
      },
      { store: s.actor().store, operation: 'charge', key: (id) => id, failure: 'store' },
    )
    const first = (await s.world.run(outcome(charge('p1')))) as { error: CardDeclined }
    const second = (await s.world.run(outcome(charge('p1')))) as { error: CardDeclined }
    const third = (await s.world.run(outcome(charge('p1')))) as { error: CardDeclined }
    expect(first.error).toBeInstanceOf(CardDeclined)
    expect(second.error).toBeInstanceOf(Error)
    expect([second.error.name, second.error.message]).toEqual(['CardDeclined', 'Insufficient funds'])
    expect(second.error.card).toBeUndefined()
    expect(third.error).not.toBe(second.error)
    expect(runs).toBe(1)
  })

  test('I30 a function decides which errors are final', async () => {
    const s = await stage(backend)
    let runs = 0
    const failure = (error: unknown) => (error instanceof RangeError ? 'store' : 'retry')
    const results = await twice(
      s,
      () => {
        throw ++runs === 1 ? new Error('try again') : new RangeError('final')
      },
      { failure },
    )
    expect(results.runs).toBe(2)
    const third = await twice(s, () => 'never runs', { failure })
    expect(third.first).toMatchObject({ error: { name: 'RangeError', message: 'final' } })
    expect(third.runs).toBe(0)
  })

  test.each([
    ['a string', 'declined', { name: 'Error', message: 'declined' }],
    ['undefined', undefined, { name: 'Error', message: 'undefined' }],
    ['an object without a text', Object.create(null), { name: 'Error', message: 'an object without a text' }],
  ])('I30 %s that was thrown comes back as an Error', async (_name, thrown, replayed) => {
    const s = await stage(backend)
    const { first, second, runs } = await twice(
      s,
      () => {
        throw thrown
      },
      { failure: 'store' },
    )
    expect((first as { error: unknown }).error).toBe(thrown)
    const { name, message } = (second as { error: Error }).error
    expect({ name, message }).toEqual(replayed)
    expect(runs).toBe(1)
  })

  test('I30 an error of Alonce is not final unless a function says so', async () => {
    const s = await stage(backend)
    const busy = new AlonceError('LOCK_HELD', 'The account is busy.')
    const { runs } = await twice(
      s,
      () => {
        throw busy
      },
      { failure: 'store' },
    )
    expect(runs).toBe(2)
  })
})
