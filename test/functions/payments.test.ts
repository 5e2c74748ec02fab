import type { Context } from 'aws-lambda'
import { expect, test } from 'vitest'
import { postEvent } from '../../demo/post-event.ts'
import { type PaymentsHandler, paymentsHandler } from '../../functions/payments/handler.ts'
import type { Payment } from '../../functions/payments/payment.ts'
import { type Charge, OutcomeUnknown, type PaymentProvider } from '../../functions/payments/provider.ts'
import { memoryStore } from '../../lib/stores/memory/memory-store.ts'
import { World } from '../support/world.ts'

const payment: Payment = { paymentId: 'p1', accountId: 'a1', amountMinor: 1250, currency: 'EUR' }
const context = { awsRequestId: 'r1', getRemainingTimeInMillis: () => 10_000 } as Context

/** A provider that writes down what it was asked, and answers as it is told. */
class FakeProvider implements PaymentProvider {
  readonly asked: { readonly paymentId: string; readonly key: string | undefined }[] = []
  answer: (count: number) => Promise<Charge> = async (count) => ({ outcome: 'charged', chargeId: `ch_${count}` })

  charge({ paymentId }: Payment, key: string | undefined): Promise<Charge> {
    return this.answer(this.asked.push({ paymentId, key }))
  }
}

function payments() {
  const world = new World()
  const store = memoryStore({ runtime: world.client() })
  const provider = new FakeProvider()
  return { world, provider, handler: paymentsHandler({ store, provider }) }
}

const post = async (handler: PaymentsHandler, body: object) => {
  const answer = await handler(postEvent(body), context)
  return { status: answer.statusCode, headers: answer.headers ?? {}, body: JSON.parse(answer.body ?? 'null') }
}

/** The same answer, which says that it is not the first. */
const replayOf = <A extends { readonly headers: object }>(answer: A): A => ({
  ...answer,
  headers: { ...answer.headers, 'Idempotency-Replayed': 'true' },
})

test('A payment is charged, under a downstream key of its own', async () => {
  const { handler, provider } = payments()
  expect(await post(handler, payment)).toMatchObject({ status: 200, body: { paymentId: 'p1', chargeId: 'ch_1' } })
  await post(handler, { ...payment, paymentId: 'p2' })
  const keys = provider.asked.map(({ key }) => key)
  expect(keys[0]).toBeTypeOf('string')
  expect(new Set(keys).size).toBe(2)
})

test('A duplicate gets the first answer again, and the provider is not asked', async () => {
  const { handler, provider } = payments()
  const first = await post(handler, payment)
  expect(first.headers).not.toHaveProperty('Idempotency-Replayed')
  expect(await post(handler, payment)).toEqual(replayOf(first))
  expect(provider.asked).toHaveLength(1)
})

test('A duplicate that comes while the first is at work is told when to come again', async () => {
  const { handler, provider, world } = payments()
  const gate = Promise.withResolvers<Charge>()
  provider.answer = () => gate.promise
  const first = post(handler, payment)
  await world.settle()
  const duplicate = await world.run(post(handler, payment))
  expect(duplicate).toMatchObject({ status: 409, body: { code: 'IN_PROGRESS' } })
  expect(Number(duplicate.headers['Retry-After'])).toBeGreaterThanOrEqual(1)
  gate.resolve({ outcome: 'charged', chargeId: 'ch_1' })
  expect((await world.run(first)).status).toBe(200)
  expect(provider.asked).toHaveLength(1)
})

test('Two payments of one account are charged one after the other, those of two accounts at once', async () => {
  const { handler, provider, world } = payments()
  const gate = Promise.withResolvers<Charge>()
  provider.answer = () => gate.promise
  const all = Promise.all([
    post(handler, payment),
    post(handler, { ...payment, paymentId: 'p2' }),
    post(handler, { ...payment, paymentId: 'p3', accountId: 'a2' }),
  ])
  await world.settle()
  expect(provider.asked.map(({ paymentId }) => paymentId)).toEqual(['p1', 'p3'])
  gate.resolve({ outcome: 'charged', chargeId: 'ch' })
  expect((await world.run(all)).map(({ status }) => status)).toEqual([200, 200, 200])
})

test('A charge of unknown outcome is asked for again under the same downstream key', async () => {
  const { handler, provider } = payments()
  provider.answer = async () => {
    throw new OutcomeUnknown('timed out')
  }
  const unknown = await post(handler, payment)
  expect(unknown.status).toBe(503)
  expect(unknown.headers['Retry-After']).toBe('1')

  provider.answer = async () => ({ outcome: 'charged', chargeId: 'ch_1' })
  const charged = await post(handler, payment)
  expect(charged.status).toBe(200)
  expect(charged.headers).not.toHaveProperty('Idempotency-Replayed')
  expect(provider.asked).toHaveLength(2)
  expect(provider.asked[1]?.key).toBe(provider.asked[0]?.key)
})

test('A refusal is final for its payment: stored, and replayed', async () => {
  const { handler, provider } = payments()
  provider.answer = async () => ({ outcome: 'refused', reason: 'card declined' })
  const refused = await post(handler, payment)
  expect(refused).toMatchObject({ status: 402, body: { message: 'card declined' } })
  expect(await post(handler, payment)).toEqual(replayOf(refused))
  expect(provider.asked).toHaveLength(1)
})

test('The same payment id with another amount is refused, and charges nothing', async () => {
  const { handler, provider } = payments()
  await post(handler, payment)
  expect(await post(handler, { ...payment, amountMinor: 1 })).toMatchObject({
    status: 422,
    body: { code: 'FINGERPRINT_MISMATCH' },
  })
  expect(provider.asked).toHaveLength(1)
})

test('A bug of ours is thrown, for Lambda to report', async () => {
  const { handler, provider } = payments()
  provider.answer = () => Promise.reject(new TypeError('a bug'))
  await expect(post(handler, payment)).rejects.toThrow('a bug')
})

test.each([
  ['no JSON', undefined],
  ['no payment id', { ...payment, paymentId: undefined }],
  ['an empty payment id', { ...payment, paymentId: '' }],
  ['an account id that is not a string', { ...payment, accountId: 7 }],
  ['a broken amount', { ...payment, amountMinor: 12.5 }],
  ['an amount of nothing', { ...payment, amountMinor: 0 }],
  ['an amount in text', { ...payment, amountMinor: '1250' }],
  ['an unknown currency', { ...payment, currency: 'euro' }],
])('A request with %s is answered 400 before anything is charged', async (_what, body) => {
  const { handler, provider } = payments()
  const event = body ? postEvent(body) : { ...postEvent({}), body: 'not JSON' }
  expect(await handler(event, context)).toMatchObject({ statusCode: 400 })
  expect(provider.asked).toHaveLength(0)
})

test('A body in base64 is read', async () => {
  const { handler } = payments()
  const event = { ...postEvent({}), isBase64Encoded: true, body: Buffer.from(JSON.stringify(payment)).toString('base64') }
  expect(await handler(event, context)).toMatchObject({ statusCode: 200 })
})
