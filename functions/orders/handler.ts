import { currentOperation, type OnEvent, type Store } from 'alonce'
import { type BatchResponse, idempotentBatch, type RecordFailure } from 'alonce/batch'
import type { Context, SQSEvent, SQSRecord } from 'aws-lambda'
import { type Order, parseOrder } from './order.ts'

export interface OrdersOptions {
  readonly store: Store
  /** The business table, with the keys `pk` and `sk`. */
  readonly tableName: string
  readonly onEvent?: OnEvent
  readonly onRecordFailure?: (failure: RecordFailure<SQSRecord>) => void
}

export type OrdersHandler = (event: SQSEvent, context: Context) => Promise<BatchResponse>

/** Messages from SQS: each order is booked once, however often it is sent or delivered. */
export function ordersHandler({ store, tableName, ...alonce }: OrdersOptions): OrdersHandler {
  // The bookings and the note that they were made are one transaction: no process can die between them, and one whose lease
  // has ended, so that another may have booked the order, books nothing.
  const book = async ({ body }: SQSRecord): Promise<void> => {
    const order = parseOrder(body)
    await currentOperation().transact([bookedOrder(tableName, order), raisedBalance(tableName, order)], undefined)
  }

  return idempotentBatch<SQSRecord, Context>(book, {
    ...alonce,
    store,
    operation: 'book-order',
    key: ({ body }) => parseOrder(body).orderId,
    fingerprint: ({ body }) => parseOrder(body),
  })
}

const bookedOrder = (TableName: string, { day, orderId, merchantId, amountMinor }: Order) => ({
  Put: { TableName, Item: { pk: `orders#${day}`, sk: orderId, merchantId, amountMinor } },
})

/** Run twice, it would pay the merchant twice. */
const raisedBalance = (TableName: string, { merchantId, amountMinor }: Order) => ({
  Update: {
    TableName,
    Key: { pk: 'balances', sk: merchantId },
    UpdateExpression: 'ADD balanceMinor :amount, orders :one',
    ExpressionAttributeValues: { ':amount': amountMinor, ':one': 1 },
  },
})
