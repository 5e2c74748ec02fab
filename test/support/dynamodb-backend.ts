import { randomUUID } from 'node:crypto'
import { type AttributeValue, DeleteItemCommand, PutItemCommand, paginateQuery } from '@aws-sdk/client-dynamodb'
import type { RecordKey } from '../../lib/store/record.ts'
import { type DynamoDBStoreOptions, dynamodbStore } from '../../lib/stores/dynamodb/dynamodb-store.ts'
import { Wire } from '../../lib/testing/wire.ts'
import type { Backend, Connection, Shared } from './backends.ts'
import { localConfig, testTable } from './dynamodb-table.ts'
import { labelled, type ServerHost, wiredClient } from './dynamodb-wire.ts'
import type { SimulatedClient, World } from './world.ts'

export type Item = { [name: string]: AttributeValue }

export interface DynamoDBConnection extends Connection {
  readonly server: ServerHost
}

export interface DynamoDBShared extends Shared {
  connect(client: SimulatedClient, options?: Partial<DynamoDBStoreOptions>): DynamoDBConnection
  /** All items of a record as they lie in the table, by their sort key. */
  items(key: RecordKey): Promise<ReadonlyMap<string, Item>>
  /** Writes an item as another program, or a hand, would. */
  plant(key: RecordKey, attributes: Item, sk?: string): Promise<void>
  remove(key: RecordKey, sk?: string): Promise<void>
}

/** The real store on DynamoDB Local, in virtual time: the world's clock is the server's. */
export async function openDynamoDB(world: World): Promise<DynamoDBShared> {
  const { client, tableName: TableName } = await testTable()
  const namespace = randomUUID()
  const pk = (key: RecordKey): AttributeValue => ({ S: `${namespace}/${key}` })
  return {
    connect: (process, options) => {
      const wire = new Wire()
      const server: ServerHost = { dateOffsetMs: 0, stripDate: false, answer: undefined }
      const sdk = wiredClient({ world, wire, server }, localConfig())
      const store = dynamodbStore({ tableName: TableName, namespace, client: sdk, runtime: process, ...options })
      return { store: labelled(store), wire, server }
    },
    items: async (key) => {
      const query = { KeyConditionExpression: 'pk = :pk', ExpressionAttributeValues: { ':pk': pk(key) }, ConsistentRead: true }
      const found = new Map<string, Item>()
      for await (const { Items = [] } of paginateQuery({ client }, { TableName, ...query })) {
        for (const item of Items) found.set(item['sk']?.S ?? '', item)
      }
      return found
    },
    plant: async (key, attributes, sk = 'head') => {
      await world.track(client.send(new PutItemCommand({ TableName, Item: { pk: pk(key), sk: { S: sk }, ...attributes } })))
    },
    remove: async (key, sk = 'head') => {
      await world.track(client.send(new DeleteItemCommand({ TableName, Key: { pk: pk(key), sk: { S: sk } } })))
    },
  }
}

export const dynamodb: Backend = { name: 'dynamodb', open: openDynamoDB }
