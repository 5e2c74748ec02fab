import middy from '@middy/core'
import { acquireLock, isAlonceError, makeIdempotent, tryAcquireLock } from 'alonce'
import { dynamodbStore } from 'alonce/dynamodb'
import { aloncePlugin, idempotent } from 'alonce/middy'
import { localClientConfig } from '../table/local-client.ts'
import type { BenchContext, BenchEvent, HeldLock, LockWish, OnceOptions, Product, Session } from './product.ts'

type Store = ReturnType<typeof dynamodbStore>
const silent = (): void => undefined

export const alonce: Product = {
  name: 'Alonce',
  packageName: 'alonce',
  keys: ['pk', 'sk'],
  connect: async (setting): Promise<Session> => {
    const store = dynamodbStore({ tableName: setting.tableName, clientConfig: localClientConfig(setting) })
    return {
      once: {
        wrap: (effect, options = {}) => {
          const run = makeIdempotent((event: BenchEvent, _context: BenchContext) => effect(event), onceOptions(store, options))
          return (event, context) => run(event, context)
        },
        wrapInFailingChain: (effect) => {
          const handler = middy(aloncePlugin())
            .use(failingAfterwards())
            .use(idempotent<BenchEvent>({ store, operation: 'bench', key: (event) => event.id, onEvent: silent }))
            .handler((event: BenchEvent) => effect(event))
          return (event, context) => handler(event, context as never) as Promise<unknown>
        },
      },
      lock: { acquire: (name, wish) => acquire(store, name, wish) },
    }
  },
}

/** middy calls `after` from the last middleware to the first: this one comes when the operation is complete. */
export const failingAfterwards = (): { after: () => never } => ({
  after: () => {
    throw new Error('a later step failed')
  },
})

const onceOptions = (store: Store, { keyOf = 'id', operation = 'bench', hold = false }: OnceOptions) => ({
  store,
  operation,
  key: (event: BenchEvent) => (keyOf === 'id' ? event.id : [event.user, event.order]),
  onCrash: hold ? ('hold' as const) : ('retry' as const),
  onEvent: silent,
})

async function acquire(store: Store, name: string, { leaseMs, waitMs, fair = false }: LockWish): Promise<HeldLock | undefined> {
  const options = { store, key: name, leaseMs, onEvent: silent }
  const lock =
    waitMs === 0 ? await tryAcquireLock(options) : await acquireLock({ ...options, waitMs, fair }).catch(heldAsUndefined)
  if (!lock) return undefined
  return {
    fence: lock.fence,
    believesHeld: () => {
      try {
        lock.assertHeld()
        return true
      } catch {
        return false
      }
    },
    renew: () => lock.renew(),
    release: () => lock.release(),
  }
}

function heldAsUndefined(error: unknown): undefined {
  if (isAlonceError(error, 'LOCK_HELD')) return undefined
  throw error
}
