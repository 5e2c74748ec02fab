import {
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  ScanCommand,
  TransactWriteItemsCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb'
import { judge } from '../../stores/dynamodb/errors.ts'
import type { Finding, Severity } from '../backend.ts'
import type { Connection } from './connection.ts'

interface Probe {
  readonly action: string
  readonly neededFor: string
  readonly ifDenied: Severity
  send(client: DynamoDBClient): Promise<unknown>
}

/** Nothing can meet it: whatever is there, the write is refused. But it is refused after the permission was looked at. */
const NEVER = 'attribute_exists(pk) AND attribute_not_exists(pk)'

/** Each action once, in a way that can change nothing. */
export async function permissionFindings({ client, tableName, namespace }: Connection): Promise<readonly Finding[]> {
  const key = { pk: { S: `${namespace}/lock/alonce-doctor` }, sk: { S: 'doctor' } }
  return Promise.all(probesOf(tableName, key).map((probe) => outcomeOf(probe, client, tableName)))
}

function probesOf(TableName: string, Key: { pk: { S: string }; sk: { S: string } }): readonly Probe[] {
  const never = { TableName, ConditionExpression: NEVER }
  const partition = { KeyConditionExpression: 'pk = :pk', ExpressionAttributeValues: { ':pk': Key.pk }, Limit: 1 }
  const all = { neededFor: 'every lock and operation', ifDenied: 'error' } as const
  return [
    { ...all, action: 'GetItem', send: (client) => client.send(new GetItemCommand({ TableName, Key, ConsistentRead: true })) },
    { ...all, action: 'PutItem', send: (client) => client.send(new PutItemCommand({ ...never, Item: Key })) },
    {
      ...all,
      action: 'UpdateItem',
      send: (client) => client.send(new UpdateItemCommand({ ...never, Key, UpdateExpression: 'REMOVE nothing' })),
    },
    {
      action: 'Query',
      neededFor: 'results that do not fit into 1 KiB',
      ifDenied: 'error',
      send: (client) => client.send(new QueryCommand({ TableName, ...partition })),
    },
    {
      action: 'ConditionCheckItem',
      neededFor: 'lock.guard()',
      ifDenied: 'note',
      send: (client) => client.send(new TransactWriteItemsCommand({ TransactItems: [{ ConditionCheck: { ...never, Key } }] })),
    },
    {
      action: 'Scan',
      neededFor: 'alonce ls',
      ifDenied: 'note',
      send: (client) => client.send(new ScanCommand({ TableName, Limit: 1 })),
    },
  ]
}

async function outcomeOf(
  { action, neededFor, ifDenied, send }: Probe,
  client: DynamoDBClient,
  tableName: string,
): Promise<Finding> {
  const check = `permission.${action}`
  const allowed = { check, severity: 'ok', found: `dynamodb:${action} is allowed` } as const
  try {
    await send(client)
    return allowed
  } catch (error) {
    const verdict = judge(error, tableName)
    if (verdict.kind === 'refused' || isCondition(error)) return allowed
    if (verdict.kind === 'fatal' && verdict.error.code === 'STORE_DENIED') {
      const remedy = `Grant dynamodb:${action} on the table: ${neededFor} needs it.`
      return { check, severity: ifDenied, found: `dynamodb:${action} is denied to whoever runs this`, remedy }
    }
    const found = `dynamodb:${action} could not be tried (${error instanceof Error ? error.name : 'unknown'})`
    return { check, severity: 'warning', found, remedy: 'Run doctor again.' }
  }
}

/** A transaction of one condition, which did not hold: DynamoDB says so by the item. */
const isCondition = (error: unknown): boolean =>
  error instanceof Error &&
  error.name === 'TransactionCanceledException' &&
  (error as { CancellationReasons?: { Code?: string }[] }).CancellationReasons?.[0]?.Code === 'ConditionalCheckFailed'
