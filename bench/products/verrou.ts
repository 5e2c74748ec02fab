import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { Verrou } from '@verrou/core'
import { dynamodbStore } from '@verrou/core/drivers/dynamodb'
import { localClientConfig } from '../table/local-client.ts'
import type { Product, Session } from './product.ts'

export const verrou: Product = {
  name: '@verrou/core',
  packageName: '@verrou/core',
  keys: ['key'],
  connect: async (setting): Promise<Session> => {
    const connection = new DynamoDBClient(localClientConfig(setting))
    const driver = dynamodbStore({ connection, table: { name: setting.tableName } })
    const verrou = new Verrou({ default: 'dynamodb', stores: { dynamodb: { driver } } })
    return {
      lock: {
        acquire: async (name, { leaseMs, waitMs }) => {
          const lock = verrou.createLock(name, leaseMs)
          const got = waitMs === 0 ? await lock.acquireImmediately() : await lock.acquire({ retry: { timeout: waitMs } })
          if (!got) return undefined
          return {
            fence: undefined,
            believesHeld: () => !lock.isExpired(),
            renew: () => lock.extend(),
            release: () => lock.release(),
          }
        },
      },
    }
  },
}
