import { CreateTableCommand, DynamoDBClient, waitUntilTableExists } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient, PutCommand, QueryCommand } from '@aws-sdk/lib-dynamodb'
import type { Order } from '../functions/orders/order.ts'
import { loopback } from '../scripts/dynamodb-local.ts'
import { LOCAL_CONFIG } from './dynamodb-local-store.ts'

/** The business table of `functions/orders` and `functions/settlement`, as the audit sees it: past the storm's proxy. */
export class Books {
  readonly tableName = 'demo-books'
  readonly #documents: DynamoDBDocumentClient

  constructor(endpoint: string) {
    this.#documents = DynamoDBDocumentClient.from(new DynamoDBClient({ ...LOCAL_CONFIG, endpoint: loopback(endpoint) }))
  }

  async create(): Promise<void> {
    const { tableName: TableName } = this
    const names = ['pk', 'sk'] as const
    await this.#documents.send(
      new CreateTableCommand({
        TableName,
        BillingMode: 'PAY_PER_REQUEST',
        AttributeDefinitions: names.map((AttributeName) => ({ AttributeName, AttributeType: 'S' })),
        KeySchema: names.map((AttributeName, index) => ({ AttributeName, KeyType: index === 0 ? 'HASH' : 'RANGE' })),
      }),
    )
    await waitUntilTableExists({ client: this.#documents, maxWaitTime: 30 }, { TableName })
  }

  /** By hand: an order that came another way. */
  async book({ day, orderId, ...rest }: Order): Promise<void> {
    await this.#documents.send(new PutCommand({ TableName: this.tableName, Item: { pk: `orders#${day}`, sk: orderId, ...rest } }))
  }

  orders(day: string): Promise<readonly Row[]> {
    return this.#rows(`orders#${day}`)
  }

  /** How many orders each merchant's balance was raised for. */
  balances(): Promise<readonly Row[]> {
    return this.#rows('balances')
  }

  settled(day: string): Promise<readonly Row[]> {
    return this.#rows(`settlement#${day}`)
  }

  close(): void {
    this.#documents.destroy()
  }

  async #rows(pk: string): Promise<readonly Row[]> {
    const query = { KeyConditionExpression: 'pk = :pk', ExpressionAttributeValues: { ':pk': pk }, ConsistentRead: true }
    const { Items = [] } = await this.#documents.send(new QueryCommand({ TableName: this.tableName, ...query }))
    return Items as unknown as readonly Row[]
  }
}

export interface Row {
  readonly sk: string
  readonly merchantId?: string
  readonly amountMinor?: number
  readonly orders?: number
  readonly totalMinor?: number
}
