import { IdempotencyConfig, makeIdempotent } from '@aws-lambda-powertools/idempotency'
import { DynamoDBPersistenceLayer } from '@aws-lambda-powertools/idempotency/dynamodb'
import { makeHandlerIdempotent } from '@aws-lambda-powertools/idempotency/middleware'
import middy from '@middy/core'
import { localClientConfig } from '../table/local-client.ts'
import { failingAfterwards } from './alonce.ts'
import type { BenchContext, BenchEvent, Product, Session, Setting } from './product.ts'

/** As its documentation shows it: one persistence layer, the key by JMESPath, everything else by default. */
export const powertools: Product = {
  name: 'Powertools',
  packageName: '@aws-lambda-powertools/idempotency',
  keys: ['id'],
  connect: async (setting): Promise<Session> => ({
    once: {
      wrap: (effect, { keyOf = 'id' } = {}) => {
        const eventKeyJmesPath = keyOf === 'id' ? 'id' : '[user, order]'
        const config = new IdempotencyConfig({ eventKeyJmesPath })
        const handler = async (event: BenchEvent, _context: BenchContext): Promise<unknown> => effect(event)
        const run = makeIdempotent(handler, { persistenceStore: layer(setting), config })
        return (event, context) => run(event, context) as Promise<unknown>
      },
      wrapInFailingChain: (effect) => {
        const config = new IdempotencyConfig({ eventKeyJmesPath: 'id' })
        const handler = middy()
          .use(failingAfterwards())
          .use(makeHandlerIdempotent({ persistenceStore: layer(setting), config }))
          .handler((event) => effect(event as BenchEvent))
        return (event, context) => handler(event, context as never) as Promise<unknown>
      },
    },
  }),
}

const layer = (setting: Setting): DynamoDBPersistenceLayer =>
  new DynamoDBPersistenceLayer({ tableName: setting.tableName, clientConfig: localClientConfig(setting) })
