import AWS from 'aws-sdk'
import { FailOpen, type FailOpenLock } from 'dynamodb-lock-client'
import type { HeldLock, Product, Session } from './product.ts'

/** `FailOpen`, its lock with a lease, on the AWS SDK version 2, which it needs. */
export const dynamodbLockClient: Product = {
  name: 'dynamodb-lock-client',
  packageName: 'dynamodb-lock-client',
  keys: ['id'],
  connect: async ({ endpoint, tableName }): Promise<Session> => {
    const dynamodb = new AWS.DynamoDB.DocumentClient({
      endpoint,
      region: 'us-east-1',
      credentials: new AWS.Credentials('fake', 'fake'),
    })
    return {
      lock: {
        acquire: (name, { leaseMs, waitMs }) => {
          const client = new FailOpen({
            dynamodb,
            lockTable: tableName,
            partitionKey: 'id',
            leaseDurationMs: leaseMs,
            heartbeatPeriodMs: Math.floor(leaseMs / 3),
            // It waits for whole leases: so many fit into the wait, and one is the least.
            retryCount: Math.ceil(waitMs / leaseMs) * 100,
          })
          return acquire(client, name)
        },
      },
    }
  },
}

function acquire(client: FailOpen, name: string): Promise<HeldLock | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<HeldLock | undefined>()
  client.acquireLock(name, (error, lock) => {
    if (lock) resolve(heldOf(lock))
    else if (error && 'code' in error && error.code === 'FailedToAcquireLock') resolve(undefined)
    else reject(error)
  })
  return promise
}

function heldOf(lock: FailOpenLock): HeldLock {
  let failed = false
  // Its only word to the holder: a heartbeat that failed.
  lock.on('error', () => {
    failed = true
  })
  return {
    fence: lock.fencingToken,
    believesHeld: () => (failed ? false : undefined),
    renew: undefined,
    release: () => {
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      lock.release((error) => (error ? reject(error) : resolve()))
      return promise
    },
  }
}
