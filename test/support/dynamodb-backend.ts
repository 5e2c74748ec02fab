import { randomUUID } from 'node:crypto'
import { DeleteItemCommand } from '@aws-sdk/client-dynamodb'
import { type DynamoDBStoreOptions, dynamodbStore } from '../../lib/stores/dynamodb/dynamodb-store.ts'
import { Wire } from '../../lib/testing/wire.ts'
import type { Backend, Connection, Shared } from './backends.ts'
import { localConfig, testTable } from './dynamodb-table.ts'
import { labelled, type ServerHost, wiredClient } from './dynamodb-wire.ts'
import type { SimulatedClient, World } from './world.ts'

export interface DynamoDBConnection extends Connection {
  readonly server: ServerHost
}

export interface DynamoDBShared extends Shared {
  readonly namespace: string
  connect(client: SimulatedClient, options?: Partial<DynamoDBStoreOptions>): DynamoDBConnection
}

/** The real store on DynamoDB Local, in virtual time: the world's clock is the server's. */
export async function openDynamoDB(world: World): Promise<DynamoDBShared> {
  const table = await testTable()
  const namespace = randomUUID()
  return {
    namespace,
    connect: (client, options) => {
      const wire = new Wire()
      const server: ServerHost = { dateOffsetMs: 0, stripDate: false, answer: undefined }
      const sdk = wiredClient({ world, wire, server }, localConfig())
      const store = dynamodbStore({ tableName: table.tableName, namespace, client: sdk, runtime: client, ...options })
      return { store: labelled(store), wire, server }
    },
    remove: async (key) => {
      const Key = { pk: { S: `${namespace}/${key}` }, sk: { S: 'head' } }
      await world.track(table.client.send(new DeleteItemCommand({ TableName: table.tableName, Key })))
    },
  }
}

export const dynamodb: Backend = { name: 'dynamodb', open: openDynamoDB }
