import {
  CreateTableCommand,
  type CreateTableCommandInput,
  DescribeTableCommand,
  DynamoDBClient,
  type DynamoDBClientConfig,
  UpdateTimeToLiveCommand,
} from '@aws-sdk/client-dynamodb'
import { type Runtime, sleep, systemRuntime } from '../../runtime/runtime.ts'
import { AlonceError } from '../../store/errors.ts'
import { dynamodbOptions } from './options.ts'
import type { CommandSender } from './send.ts'

export interface CreateTableOptions {
  readonly tableName: string
  readonly client?: CommandSender | undefined
  /** For the client that is made when none is given. */
  readonly clientConfig?: DynamoDBClientConfig | undefined
  readonly runtime?: Runtime | undefined
}

const POLL_MS = 500
const POLLS = 240

/**
 * Makes the table, on demand, with its TTL, and waits until it can be used. For development and tests: in production a
 * table belongs to your infrastructure code. A table that is there already is left as it is.
 *
 * @throws AlonceError `CONFIG_INVALID`, `STORE_UNAVAILABLE` when the table is not ready within two minutes
 */
export async function createTable(options: CreateTableOptions): Promise<void> {
  const { tableName: TableName, runtime } = dynamodbOptions(options)
  const client: CommandSender = options.client ?? new DynamoDBClient(options.clientConfig ?? {})
  try {
    await client.send(new CreateTableCommand(tableDefinition(TableName)))
  } catch (error) {
    if ((error as Partial<Error>).name !== 'ResourceInUseException') throw error
    return
  }
  await untilActive(client, TableName, runtime ?? systemRuntime)
  await client.send(new UpdateTimeToLiveCommand({ TableName, TimeToLiveSpecification: { AttributeName: 'ttl', Enabled: true } }))
}

/** The table without its TTL, which is another request. */
export const tableDefinition = (TableName: string): CreateTableCommandInput => ({
  TableName,
  BillingMode: 'PAY_PER_REQUEST',
  AttributeDefinitions: [
    { AttributeName: 'pk', AttributeType: 'S' },
    { AttributeName: 'sk', AttributeType: 'S' },
  ],
  KeySchema: [
    { AttributeName: 'pk', KeyType: 'HASH' },
    { AttributeName: 'sk', KeyType: 'RANGE' },
  ],
})

async function untilActive(client: CommandSender, TableName: string, { timer }: Runtime): Promise<void> {
  for (let poll = 0; poll < POLLS; poll++) {
    const { Table } = (await client.send(new DescribeTableCommand({ TableName }))) as { Table?: { TableStatus?: string } }
    if (Table?.TableStatus === 'ACTIVE') return
    await sleep(timer, POLL_MS)
  }
  throw new AlonceError('STORE_UNAVAILABLE', `The table "${TableName}" was created and is not ready yet. Try again in a minute.`)
}
