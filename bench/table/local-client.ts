import { CreateTableCommand, DynamoDBClient, type DynamoDBClientConfig } from '@aws-sdk/client-dynamodb'
import type { Product, Setting } from '../products/product.ts'

/** For a client of version 3 of the SDK: its own retries and time-outs are left as they are. */
export const localClientConfig = ({ endpoint, requestHandler }: Setting): DynamoDBClientConfig => ({
  endpoint,
  region: 'us-east-1',
  credentials: { accessKeyId: 'fake', secretAccessKey: 'fake' },
  ...(requestHandler ? { requestHandler: requestHandler as NonNullable<DynamoDBClientConfig['requestHandler']> } : {}),
})

/** A table such as the product wants it. On demand, as Lambda users have it; without TTL, whose sweeper is another's fault. */
export async function createTableFor(product: Product, { endpoint, tableName }: Setting): Promise<void> {
  const client = new DynamoDBClient(localClientConfig({ endpoint, tableName }))
  const names = product.keys.filter((name) => name !== undefined)
  await client.send(
    new CreateTableCommand({
      TableName: tableName,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: names.map((AttributeName) => ({ AttributeName, AttributeType: 'S' as const })),
      KeySchema: names.map((AttributeName, index) => ({
        AttributeName,
        KeyType: index === 0 ? ('HASH' as const) : ('RANGE' as const),
      })),
    }),
  )
  client.destroy()
}
