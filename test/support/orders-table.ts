import { randomUUID } from 'node:crypto'
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient, GetCommand, PutCommand, QueryCommand } from '@aws-sdk/lib-dynamodb'
import type { Order } from '../../functions/orders/order.ts'
import { tableDefinition } from '../../lib/stores/dynamodb/create-table.ts'
import { untilUp } from '../../scripts/dynamodb-local.ts'
import { localConfig } from './dynamodb-table.ts'

/** The business table of `functions/orders` and `functions/settlement`, and what a test wants to know of it. */
export interface OrdersTable {
  readonly tableName: string
  readonly documents: DynamoDBDocumentClient
  put(order: Order): Promise<void>
  booked(day: string): Promise<readonly Row[]>
  settled(day: string): Promise<readonly Row[]>
  balance(merchantId: string): Promise<Row | undefined>
}
export interface Row {
  readonly [name: string]: unknown
}

export async function ordersTable(): Promise<OrdersTable> {
  const config = localConfig()
  await untilUp(String(config.endpoint))
  const documents = DynamoDBDocumentClient.from(new DynamoDBClient(config))
  const TableName = `orders-${randomUUID()}`
  await documents.send(new CreateTableCommand(tableDefinition(TableName)))
  const rows = async (pk: string): Promise<readonly Row[]> => {
    const query = { KeyConditionExpression: 'pk = :pk', ExpressionAttributeValues: { ':pk': pk }, ConsistentRead: true }
    const { Items = [], LastEvaluatedKey } = await documents.send(new QueryCommand({ TableName, ...query }))
    if (LastEvaluatedKey) throw new Error('A test has more rows than one page')
    return Items
  }
  return {
    tableName: TableName,
    documents,
    put: async ({ day, orderId, ...rest }) => {
      await documents.send(new PutCommand({ TableName, Item: { pk: `orders#${day}`, sk: orderId, ...rest } }))
    },
    booked: (day) => rows(`orders#${day}`),
    settled: (day) => rows(`settlement#${day}`),
    balance: async (merchantId) => {
      const get = { Key: { pk: 'balances', sk: merchantId }, ConsistentRead: true }
      return (await documents.send(new GetCommand({ TableName, ...get }))).Item
    },
  }
}
