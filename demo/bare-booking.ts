import { type DynamoDBDocumentClient, PutCommand, QueryCommand, TransactWriteCommand } from '@aws-sdk/lib-dynamodb'
import type { BatchResponse } from 'alonce/batch'
import type { ScheduledEvent, SQSEvent } from 'aws-lambda'
import { parseOrder } from '../functions/orders/order.ts'
import type { Settled } from '../functions/settlement/handler.ts'

/** The orders function as many are written: both bookings in one transaction, and nothing that knows whether they were made. */
export function bareOrdersHandler(documents: DynamoDBDocumentClient, TableName: string) {
  return async ({ Records }: SQSEvent): Promise<BatchResponse> => {
    const done = await Promise.allSettled(
      Records.map(async ({ body }) => {
        const { day, orderId, merchantId, amountMinor } = parseOrder(body)
        const order = { Put: { TableName, Item: { pk: `orders#${day}`, sk: orderId, merchantId, amountMinor } } }
        const balance = {
          Update: {
            TableName,
            Key: { pk: 'balances', sk: merchantId },
            UpdateExpression: 'ADD balanceMinor :amount, orders :one',
            ExpressionAttributeValues: { ':amount': amountMinor, ':one': 1 },
          },
        }
        await documents.send(new TransactWriteCommand({ TransactItems: [order, balance] }))
      }),
    )
    const failed = Records.filter((_, index) => done[index]?.status === 'rejected')
    return { batchItemFailures: failed.map(({ messageId }) => ({ itemIdentifier: messageId })) }
  }
}

/** The settlement function without a lock, and with plain writes. */
export function bareSettlementHandler(documents: DynamoDBDocumentClient, TableName: string) {
  return async ({ time }: ScheduledEvent): Promise<Settled> => {
    const day = new Date(Date.parse(time) - 86_400_000).toISOString().slice(0, 10)
    const query = { KeyConditionExpression: 'pk = :pk', ExpressionAttributeValues: { ':pk': `orders#${day}` } }
    const { Items = [] } = await documents.send(new QueryCommand({ TableName, ...query, ConsistentRead: true }))
    const totals = new Map<string, number>()
    for (const { merchantId, amountMinor } of Items as { readonly merchantId: string; readonly amountMinor: number }[]) {
      totals.set(merchantId, (totals.get(merchantId) ?? 0) + amountMinor)
    }
    for (const [merchantId, totalMinor] of totals) {
      await documents.send(new PutCommand({ TableName, Item: { pk: `settlement#${day}`, sk: merchantId, totalMinor } }))
    }
    return { day, outcome: 'settled', merchants: totals.size }
  }
}
