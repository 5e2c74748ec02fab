import { randomUUID } from 'node:crypto'
import { CreateTableCommand, DynamoDBClient, type DynamoDBClientConfig } from '@aws-sdk/client-dynamodb'
import { inject } from 'vitest'
import { tableDefinition } from '../../lib/stores/dynamodb/create-table.ts'
import { loopback, untilUp } from '../../scripts/dynamodb-local.ts'

const provided = inject('dynamodb')

/** Why tests on DynamoDB Local do not run here; `undefined` when they do. */
export const dynamodbMissing: string | undefined = 'missing' in provided ? provided.missing : undefined

/** For a client of DynamoDB Local. No retries of the SDK's unless a test asks for them. */
export function localConfig(overrides: DynamoDBClientConfig = {}): DynamoDBClientConfig {
  if ('missing' in provided) throw new Error(provided.missing)
  return {
    endpoint: loopback(provided.endpoint),
    region: 'us-east-1',
    credentials: { accessKeyId: 'fake', secretAccessKey: 'fake' },
    maxAttempts: 1,
    ...overrides,
  }
}

export interface TestTable {
  readonly tableName: string
  /** A client that no test's faults touch. */
  readonly client: DynamoDBClient
}

let table: Promise<TestTable> | undefined

/** One table for each test file: tests keep apart by namespace or key. */
export function testTable(): Promise<TestTable> {
  table ??= make()
  return table
}

async function make(): Promise<TestTable> {
  const config = localConfig()
  await untilUp(String(config.endpoint))
  const client = new DynamoDBClient(config)
  const tableName = `alonce-${randomUUID()}`
  // Without TTL: DynamoDB Local deletes by the real clock, and virtual time is another.
  await client.send(new CreateTableCommand(tableDefinition(tableName)))
  return { tableName, client }
}
