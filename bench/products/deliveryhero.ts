import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocument } from '@aws-sdk/lib-dynamodb'
import lockLibrary, { type Lock, type LockClient } from '@deliveryhero/dynamodb-lock'
import { localClientConfig } from '../table/local-client.ts'
import type { HeldLock, LockWish, Product, Session } from './product.ts'

const { dynamoDBLockClientFactory } = lockLibrary

/** With its default, no trust in clocks, for one try; who waits polls by its `trustLocalTime`, the only way to wait less than a lease. */
export const deliveryhero: Product = {
  name: '@deliveryhero/dynamodb-lock',
  packageName: '@deliveryhero/dynamodb-lock',
  keys: ['lockId', 'lockGroup'],
  connect: async (setting): Promise<Session> => {
    const documents = DynamoDBDocument.from(new DynamoDBClient(localClientConfig(setting)))
    const client = dynamoDBLockClientFactory(documents, { tableName: setting.tableName })
    return { lock: { acquire: (name, wish) => acquire(client, name, wish) } }
  },
}

const POLL_MS = 100

async function acquire(client: LockClient, name: string, { leaseMs, waitMs }: LockWish): Promise<HeldLock | undefined> {
  const waiting =
    waitMs > 0
      ? { trustLocalTime: true, waitDurationInMs: POLL_MS, maxRetryCount: 2 * Math.ceil(waitMs / POLL_MS) }
      : { maxRetryCount: 0 }
  const prolongEveryMs = Math.floor(leaseMs / 3)
  try {
    const lock = await client.lock('bench', name, {
      leaseDurationInMs: leaseMs,
      prolongLeaseEnabled: true,
      prolongEveryMs,
      ...waiting,
    })
    return heldOf(client, lock)
  } catch (error) {
    // It throws this when it is out of tries; its class is another one for each copy, its name is not set.
    if (error instanceof Error && /could not be acquired after retrying/.test(error.message)) return undefined
    throw error
  }
}

const heldOf = (client: LockClient, lock: Lock): HeldLock => ({
  fence: undefined,
  believesHeld: () => (lock as unknown as { readonly isAcquired: boolean }).isAcquired,
  renew: undefined,
  release: () => client.releaseLock(lock),
})
