import { randomUUID } from 'node:crypto'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { expect, vi } from 'vitest'
import { ordersHandler } from '../../functions/orders/handler.ts'
import { paymentsHandler } from '../../functions/payments/handler.ts'
import { settlementHandler } from '../../functions/settlement/handler.ts'
import { openDynamoDB } from '../../lib/cli/dynamodb/dynamodb-backend.ts'
import { withIdempotency, withLock } from '../../lib/index.ts'
import { lockKey } from '../../lib/store/key.ts'
import type { RecordKey } from '../../lib/store/record.ts'
import { dynamodbStore } from '../../lib/stores/dynamodb/dynamodb-store.ts'
import { storeConformance } from '../../lib/testing/index.ts'
import { openDynamoDB as openTestStore } from '../support/dynamodb-backend.ts'
import { localConfig, testTable } from '../support/dynamodb-table.ts'
import { World } from '../support/world.ts'
import type { Access, Recording } from './recording.ts'

/** The suite puts each of its tests into a namespace of its own; here they are one. */
export const NAMESPACE = 'recorded'

/** Runs the conformance suite, and what of the library is above the store: guards and large results. */
export async function conformanceRun(recording: Recording): Promise<Access[]> {
  const bodies: (() => Promise<void>)[] = []
  const open = async () => {
    const world = new World()
    const shared = await openTestStore(world)
    return {
      connect: () => shared.connect(world.client()),
      advance: (ms: number) => world.advance(ms),
      remove: shared.remove,
      run: <T>(promise: Promise<T>) => world.run(promise),
      counters: shared.counters,
    }
  }
  storeConformance('recorded', open, { describe: (_title, body) => body(), it: (_title, body) => bodies.push(body) })
  for (const body of bodies) await body()
  await aboveTheStore()
  // The suite's own counters lie in the same table, for its transactions.
  const own = recording.take().filter(({ leadingKey }) => !leadingKey?.startsWith('counters/'))
  const named = own.map((access) => ({ ...access, leadingKey: access.leadingKey?.replace(/^[^/]+/, NAMESPACE) ?? '' }))
  return [...new Map(named.map((access) => [JSON.stringify(access), access])).values()]
}

async function aboveTheStore(): Promise<void> {
  const { tableName } = await testTable()
  const store = dynamodbStore({ tableName, client: new DynamoDBClient(localConfig()), namespace: randomUUID() })
  await withLock({ store, key: 'guarded' }, async (lock) => {
    await withIdempotency({ store, operation: 'guarded', key: '1' }, (operation) => operation.transact([lock.guard()], undefined))
  })
  const large = () => withIdempotency({ store, operation: 'large', key: '1' }, () => 'x'.repeat(2000).split('').map(Math.random))
  expect(await large()).toEqual(await large())
}

/** The handlers as the functions make them, each on its own client, with real tables. */
export async function functionRuns(recording: Recording): Promise<{ readonly [name: string]: Access[] }> {
  const { tableName } = await testTable()
  const client = new DynamoDBClient(localConfig())
  const store = dynamodbStore({ tableName, client })
  const context = { getRemainingTimeInMillis: () => 10_000, awsRequestId: randomUUID() } as never
  // One table plays both: whose a request is, its leading key says.
  const named = (accesses: readonly Access[]): Access[] =>
    accesses.map((access) => ({ ...access, table: access.leadingKey?.startsWith('default/') ? 'ALONCE_TABLE' : 'ORDERS_TABLE' }))
  const id = randomUUID()
  recording.take()

  const payments = paymentsHandler({ store, provider: { charge: async () => ({ outcome: 'charged', chargeId: id }) } })
  const payment = { body: JSON.stringify({ paymentId: id, accountId: id, amountMinor: 100, currency: 'EUR' }) } as never
  for (let delivery = 0; delivery < 2; delivery++) expect(await payments(payment, context)).toMatchObject({ statusCode: 200 })
  const ofPayments = named(recording.take())

  const orders = ordersHandler({ store, tableName })
  const body = JSON.stringify({ orderId: id, merchantId: id, amountMinor: 100, day: '2026-11-23' })
  const batch = { Records: [{ messageId: '1', body, eventSource: 'aws:sqs' }] } as never
  for (let delivery = 0; delivery < 2; delivery++) expect(await orders(batch, context)).toEqual({ batchItemFailures: [] })
  const ofOrders = named(recording.take())

  const settlement = settlementHandler({ store, documents: DynamoDBDocumentClient.from(client), tableName, leaseMs: 30_000 })
  const night = { time: '2026-11-24T01:00:00Z' } as never
  expect(await settlement(night, context)).toMatchObject({ outcome: 'settled', merchants: 1 })
  return { payments: ofPayments, orders: ofOrders, settlement: named(recording.take()) }
}

export interface CommandLineRuns {
  /** `ls`, `get`, `watch`. */
  readonly look: readonly Access[]
  /** `doctor`, `break`, `forget`. */
  readonly act: readonly Access[]
}

/** What the command line sends, beneath its words. */
export async function commandLineRuns(recording: Recording): Promise<CommandLineRuns> {
  const { tableName } = await testTable()
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'none').stubEnv('AWS_SECRET_ACCESS_KEY', 'none')
  const where = { tableName, namespace: 'default', region: 'us-east-1', endpoint: String(localConfig().endpoint) }
  const { store, look, list, examine } = openDynamoDB(where)
  const key = lockKey(randomUUID())
  const acquired = await store.execute({ type: 'lock.acquire', key, owner: 'A', leaseMs: 10_000 })
  const operation = `once/test/${randomUUID()}` as RecordKey
  const started = await store.execute({ type: 'once.begin', key: operation, owner: 'A', leaseMs: 10_000, retainMs: 60_000 })
  recording.take()
  for await (const _page of list({ prefix: '', completed: true, from: undefined, scanLimit: 10 })) break
  await look(key)
  const looking = recording.take()
  await examine()
  if (!('fence' in acquired && 'fence' in started)) throw new Error('neither lock nor operation')
  await store.execute({ type: 'lock.break', key, owner: 'B', fence: acquired.fence })
  await store.execute({ type: 'once.forget', key: operation, owner: 'B', fence: started.fence })
  vi.unstubAllEnvs()
  return { look: looking, act: recording.take() }
}
