import { AsyncLocalStorage } from 'node:async_hooks'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { dynamodbStore } from 'alonce/dynamodb'
import type { Command, ReplyTo } from '../lib/store/command.ts'
import type { SendOptions, Store } from '../lib/store/store.ts'
import { loopback } from '../scripts/dynamodb-local.ts'
import type { DynamodbSetup } from './messages.ts'
import { DELIVERY_HEADER, STEP_HEADER } from './transit.ts'

/** DynamoDB Local takes any credentials; none of the user's may come near it. */
export const LOCAL_CONFIG = { region: 'eu-central-1', credentials: { accessKeyId: 'demo', secretAccessKey: 'demo' } } as const

/** A client whose requests say in a header which delivery they are for, and if `step` knows it, which command. */
export function labelledClient(endpoint: string, delivery: () => string | undefined, step?: () => string): DynamoDBClient {
  const client = new DynamoDBClient({ ...LOCAL_CONFIG, endpoint: loopback(endpoint), maxAttempts: 1 })
  client.middlewareStack.add(
    (next) => (args) => {
      const { headers } = args.request as { headers: Record<string, string> }
      headers[DELIVERY_HEADER] = delivery() ?? ''
      if (step) headers[STEP_HEADER] = step()
      return next(args)
    },
    { step: 'build' },
  )
  return client
}

/** Alonce's own DynamoDB store, whose requests say for which delivery and command they are. */
export function dynamodbLocalStore({ endpoint, tableName }: DynamodbSetup, delivery: () => string | undefined): Store {
  const step = new AsyncLocalStorage<string>()
  const client = labelledClient(endpoint, delivery, () => step.getStore() ?? 'read')
  const store = dynamodbStore({ tableName, client })
  const { transactions } = store
  return {
    name: store.name,
    capabilities: store.capabilities,
    runtime: store.runtime,
    transactions: transactions && {
      ...transactions,
      transact: (...given) => step.run('transact', () => transactions.transact(...given)),
    },
    now: () => store.now(),
    read: (key, options) => store.read(key, options),
    execute: <C extends Command>(command: C, options?: SendOptions): Promise<ReplyTo<C>> =>
      step.run(command.type, () => store.execute(command, options)),
  }
}
