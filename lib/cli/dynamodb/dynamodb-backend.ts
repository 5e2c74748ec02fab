import { DescribeTableCommand, GetItemCommand, type GetItemCommandOutput } from '@aws-sdk/client-dynamodb'
import { isAlonceError } from '../../store/errors.ts'
import type { AlonceRecord, RecordKey } from '../../store/record.ts'
import { createTable } from '../../stores/dynamodb/create-table.ts'
import { address, decodeHead } from '../../stores/dynamodb/item.ts'
import type { Backend } from '../backend.ts'
import { type Connection, type ConnectionOptions, connect, explained, send } from './connection.ts'
import { examine } from './examination.ts'
import { listing } from './listing.ts'

/** Loaded only when it is needed, so that a missing AWS SDK can be told in a sentence. */
export function openDynamoDB(options: ConnectionOptions): Backend {
  const connection = connect(options)
  return {
    store: connection.store,
    place: `table "${connection.tableName}", namespace "${connection.namespace}"`,
    look: (key) => look(connection, key),
    now: () => connection.clock.now(),
    list: (query) => listing(connection, query),
    examine: () => examine(connection),
  }
}

async function look(connection: Connection, key: RecordKey): Promise<AlonceRecord | undefined> {
  const { tableName: TableName, namespace } = connection
  const get = new GetItemCommand({ TableName, Key: address(namespace, key), ConsistentRead: true })
  const { Item } = await send<GetItemCommandOutput>(connection, get)
  return Item && decodeHead(Item, key).record
}

/** For development. `false`: it is there already, and was left as it is. */
export async function createDevelopmentTable(options: ConnectionOptions): Promise<boolean> {
  const connection = connect(options)
  const { client, tableName } = connection
  try {
    await send(connection, new DescribeTableCommand({ TableName: tableName }))
    return false
  } catch (error) {
    if (!isAlonceError(error, 'STORE_NOT_FOUND')) throw error
  }
  await explained(tableName, createTable({ tableName, client }))
  return true
}
