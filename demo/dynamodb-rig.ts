import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { createTable } from 'alonce/dynamodb'
import { startDynamoDBLocal, untilUp } from '../scripts/dynamodb-local.ts'
import { LOCAL_CONFIG } from './dynamodb-local-store.ts'
import { startDynamodbProxy } from './dynamodb-proxy.ts'
import { DYNAMODB_PACE, type Rig } from './rig.ts'
import type { Transit } from './transit.ts'

/** AWS's DynamoDB Local, with a table; the processes reach it through a proxy, in which the storm sits. */
export async function openDynamodbRig(transit: Transit): Promise<Rig> {
  const local = await startDynamoDBLocal()
  await untilUp(local.endpoint, 90_000)
  const tableName = 'alonce-demo'
  const client = new DynamoDBClient({ ...LOCAL_CONFIG, endpoint: local.endpoint })
  await createTable({ tableName, client })
  client.destroy()
  const proxy = await startDynamodbProxy(local.endpoint, transit)
  const close = async (): Promise<void> => {
    await proxy.close()
    await local.stop()
  }
  return {
    setup: { kind: 'dynamodb-local', endpoint: proxy.endpoint, tableName },
    pace: DYNAMODB_PACE,
    endpoint: local.endpoint,
    close,
  }
}
