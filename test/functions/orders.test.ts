import { randomUUID } from 'node:crypto'
import type { Context, SQSEvent, SQSRecord } from 'aws-lambda'
import { beforeAll, describe, expect, test } from 'vitest'
import { type OrdersHandler, ordersHandler } from '../../functions/orders/handler.ts'
import type { Order } from '../../functions/orders/order.ts'
import { isAlonceError } from '../../lib/store/errors.ts'
import { dynamodbStore } from '../../lib/stores/dynamodb/dynamodb-store.ts'
import { dynamodbMissing, localConfig, testTable } from '../support/dynamodb-table.ts'
import { type OrdersTable, ordersTable } from '../support/orders-table.ts'

const DAY = '2026-11-24'
const context = { awsRequestId: 'r1', getRemainingTimeInMillis: () => 10_000 } as Context

const order = (overrides: Partial<Order> = {}): Order => ({
  orderId: randomUUID(),
  merchantId: randomUUID(),
  amountMinor: 1250,
  day: DAY,
  ...overrides,
})

const message = (messageId: string, body: unknown): SQSRecord =>
  ({
    messageId,
    body: typeof body === 'string' ? body : JSON.stringify(body),
    attributes: { ApproximateReceiveCount: '1' },
    eventSourceARN: 'arn:aws:sqs:eu-central-1:000000000000:orders',
  }) as SQSRecord

const batch = (...Records: SQSRecord[]): SQSEvent => ({ Records })

describe.skipIf(dynamodbMissing)('functions/orders', () => {
  let table: OrdersTable
  let handler: OrdersHandler
  const failures: { readonly messageId: string; readonly why: string }[] = []

  beforeAll(async () => {
    table = await ordersTable()
    const store = dynamodbStore({ tableName: (await testTable()).tableName, clientConfig: localConfig() })
    const onRecordFailure: Parameters<typeof ordersHandler>[0]['onRecordFailure'] = ({ itemIdentifier, error }) =>
      failures.push({ messageId: itemIdentifier, why: isAlonceError(error) ? error.code : (error as Error).name })
    handler = ordersHandler({ store, tableName: table.tableName, onRecordFailure })
  })

  test('an order and its merchant’s balance are booked together', async () => {
    const sold = order({ day: '2026-01-01' })
    expect(await handler(batch(message('m1', sold)), context)).toEqual({ batchItemFailures: [] })
    expect(await table.booked('2026-01-01')).toMatchObject([{ sk: sold.orderId, amountMinor: 1250 }])
    expect(await table.balance(sold.merchantId)).toMatchObject({ balanceMinor: 1250, orders: 1 })
  })

  test('an order that is sent twice, in one batch and again in another, is booked once', async () => {
    const sold = order()
    await handler(batch(message('m1', sold), message('m2', sold)), context)
    await handler(batch(message('m3', sold)), context)
    expect(await table.balance(sold.merchantId)).toMatchObject({ balanceMinor: 1250, orders: 1 })
  })

  test('several orders of one merchant in one batch all count', async () => {
    const merchantId = randomUUID()
    const orders = [1, 2, 3, 4, 5].map((amountMinor) => order({ merchantId, amountMinor }))
    const event = batch(...orders.map((sold, index) => message(`m${index}`, sold)))
    expect(await handler(event, context)).toEqual({ batchItemFailures: [] })
    expect(await table.balance(merchantId)).toMatchObject({ balanceMinor: 15, orders: 5 })
  })

  test('what is no order, or the same order with another amount, is returned as failed, and the rest is booked', async () => {
    const known = order()
    await handler(batch(message('m0', known)), context)
    const fresh = order()
    const event = batch(
      message('m1', 'not JSON'),
      message('m2', { ...order(), amountMinor: -1 }),
      message('m3', { ...known, amountMinor: 1 }),
      message('m4', fresh),
    )
    failures.length = 0
    const failed = ['m1', 'm2', 'm3'].map((itemIdentifier) => ({ itemIdentifier }))
    expect(await handler(event, context)).toEqual({ batchItemFailures: failed })
    expect(failures).toEqual([
      { messageId: 'm1', why: 'SyntaxError' },
      { messageId: 'm2', why: 'TypeError' },
      { messageId: 'm3', why: 'FINGERPRINT_MISMATCH' },
    ])
    expect(await table.balance(known.merchantId)).toMatchObject({ balanceMinor: 1250, orders: 1 })
    expect(await table.balance(fresh.merchantId)).toMatchObject({ balanceMinor: 1250, orders: 1 })
  })
})
