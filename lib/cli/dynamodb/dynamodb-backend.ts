import { DescribeTableCommand } from '@aws-sdk/client-dynamodb'
import { isAlonceError } from '../../store/errors.ts'
import { createTable } from '../../stores/dynamodb/create-table.ts'
import type { Backend } from '../backend.ts'
import { ask, type ConnectionOptions, connect } from './connection.ts'
import { examine } from './examination.ts'
import { listing } from './listing.ts'

/** Loaded only when it is needed, and after the AWS SDK is known to be there. */
export function openDynamoDB(options: ConnectionOptions): Backend {
  const connection = connect(options)
  return {
    store: connection.store,
    place: `table "${connection.tableName}", namespace "${connection.namespace}"`,
    list: (query) => listing(connection, query),
    examine: () => examine(connection),
  }
}

/** For development. `false`: it is there already, and was left as it is. */
export async function createDevelopmentTable(options: ConnectionOptions): Promise<boolean> {
  const { client, tableName } = connect(options)
  try {
    await ask(tableName, client.send(new DescribeTableCommand({ TableName: tableName })))
    return false
  } catch (error) {
    if (!isAlonceError(error, 'STORE_NOT_FOUND')) throw error
  }
  await ask(tableName, createTable({ tableName, client }))
  return true
}
