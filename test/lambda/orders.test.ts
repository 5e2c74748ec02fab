import { randomUUID } from 'node:crypto'
import type { SQSEvent } from 'aws-lambda'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { LostInTransit } from '../../demo/transit.ts'
import { bundleFunction, type TaskRoot } from '../../dev/lambda/bundle.ts'
import { LambdaFunction } from '../../dev/lambda/lambda.ts'
import { Queue, type QueueOptions } from '../../dev/lambda/queue.ts'
import type { Invocation } from '../../dev/lambda/runtime-api.ts'
import { runtimeClient } from '../../dev/lambda/runtime-client.ts'
import type { Order } from '../../functions/orders/order.ts'
import { onceKey } from '../../lib/idempotency/key.ts'
import type { Store } from '../../lib/store/store.ts'
import { dynamodbStore } from '../../lib/stores/dynamodb/dynamodb-store.ts'
import { seeds } from '../conformance/seeds.ts'
import { dynamodbMissing, localConfig, testTable } from '../support/dynamodb-table.ts'
import { type OrdersTable, ordersTable } from '../support/orders-table.ts'
import { DYNAMODB, type Hazard, Network } from './network.ts'
import { Storm } from './storm.ts'

const LONG = process.env['ALONCE_LONG'] === '1'
const ORDERS = LONG ? 1000 : 30
const BATCH = 5
const SEED = seeds(2)[1]?.seed ?? 2
/** The function's time-out, and so the lease less one second. */
const TIMEOUT_MS = 3000
const VISIBILITY_MS = 3000

/** functions/orders behind a queue, under AWS's own runtime client, in real time and on DynamoDB Local. */
describe.skipIf(dynamodbMissing).concurrent('functions/orders on Lambda', { timeout: 90_000 }, () => {
  let task: TaskRoot
  let table: OrdersTable
  let store: Store
  const functions: LambdaFunction[] = []
  beforeAll(async () => {
    runtimeClient()
    ;[task, table] = await Promise.all([bundleFunction('orders'), ordersTable()])
    store = dynamodbStore({ tableName: (await testTable()).tableName, clientConfig: localConfig() })
  }, 120_000)
  afterAll(async () => {
    await Promise.all(functions.map((fn) => fn.stop()))
    task?.remove()
  })

  async function open(hazard: Hazard, { environments = 2, ...options }: Partial<QueueOptions> & { environments?: number } = {}) {
    const network = new Network({ [DYNAMODB]: String(localConfig().endpoint) }, hazard)
    const fn = new LambdaFunction({
      name: 'orders',
      taskRoot: task.folder,
      timeoutMs: TIMEOUT_MS,
      environments,
      variables: { ALONCE_TABLE: (await testTable()).tableName, ORDERS_TABLE: table.tableName },
      connect: network.connect,
      onStart: network.onStart,
    })
    functions.push(fn)
    return new Queue(fn, {
      batchSize: BATCH,
      visibilityMs: VISIBILITY_MS,
      maxReceiveCount: 40,
      pollers: environments,
      ...options,
    })
  }

  /** Each test has a day and a merchant of its own. */
  function newOrders(day: string, count: number): readonly Order[] {
    const merchantId = randomUUID()
    return Array.from({ length: count }, () => ({ orderId: randomUUID(), merchantId, amountMinor: 1250, day }))
  }

  const isCompleted = async ({ orderId }: Order): Promise<boolean> => {
    const record = await store.read(onceKey('book-order', { key: orderId }))
    return record?.kind === 'once' && record.status === 'completed'
  }

  const isBooked = async ({ day, orderId }: Order): Promise<boolean> =>
    (await table.booked(day)).some((row) => row['sk'] === orderId)

  test.each([
    {
      at: 'sending',
      day: '2026-01-01',
      left: { booked: false, completed: false },
      says: 'before its transaction leaves nothing',
    },
    {
      at: 'applied',
      day: '2026-01-02',
      left: { booked: true, completed: true },
      says: 'after it leaves all of it',
    },
  ] as const)('a process that dies right $says', async ({ at, day, left }) => {
    const [order] = newOrders(day, 1) as [Order]
    let found: unknown
    const queue = await open(async (passage) => {
      if (passage.operation !== 'TransactWriteItems' || passage.at !== at || found) return
      passage.environment.kill()
      found = { booked: await isBooked(order), completed: await isCompleted(order) }
      throw new LostInTransit('killed')
    })
    queue.send(order)
    await queue.drain()
    expect(found).toEqual(left)
    expect(await table.balance(order.merchantId)).toMatchObject({ balanceMinor: 1250, orders: 1 })
    expect(queue.dead).toEqual([])
  })

  test('a transaction that arrives after its process is dead and another has booked the order is cancelled as a whole', async () => {
    const [order] = newOrders('2026-01-03', 1) as [Order]
    const booked = Promise.withResolvers<void>()
    let held: Promise<void> | undefined
    const arrived = Promise.withResolvers<void>()
    const queue = await open(async ({ environment, operation, at }) => {
      if (operation !== 'TransactWriteItems') return
      if (at === 'applied' && environment.dead) arrived.resolve()
      if (at === 'applied' || held) return
      held = booked.promise
      environment.kill()
      await held
    })
    queue.send(order)
    await queue.drain()
    expect(await table.balance(order.merchantId)).toMatchObject({ orders: 1 })
    booked.resolve()
    await arrived.promise
    expect(await table.balance(order.merchantId)).toMatchObject({ balanceMinor: 1250, orders: 1 })
    expect(await isCompleted(order)).toBe(true)
  })

  const title = `${ORDERS} orders, each sent twice, in a storm of kills are booked once each (replay with ALONCE_SEED=${SEED})`
  test(title, { concurrent: !LONG, timeout: LONG ? 1_200_000 : 90_000 }, async () => {
    const orders = newOrders('2026-01-04', ORDERS)
    const storm = new Storm({ seed: SEED, workOf, most: 1, share: LONG ? 0.4 : 0.8, requests: 2 * BATCH })
    const queue = await open(storm.hazard, { environments: LONG ? 8 : 4 })
    for (const order of [...orders, ...orders]) queue.send(order)
    await queue.drain()
    await storm.calm()
    if (LONG) console.log(`${ORDERS} orders, ${storm.total} blows:`, Object.fromEntries([...storm.hits].sort()))

    expect(storm.total).toBeGreaterThan(0)
    expect(queue.dead).toEqual([])
    const [{ day, merchantId }] = orders as [Order]
    const ids = (rows: readonly { readonly [name: string]: unknown }[]): unknown[] => rows.map((row) => row['sk']).sort()
    expect(ids(await table.booked(day))).toEqual(orders.map(({ orderId }) => orderId).sort())
    expect(await table.balance(merchantId)).toMatchObject({ balanceMinor: 1250 * ORDERS, orders: ORDERS })
    for (const order of orders) expect([order.orderId, await isCompleted(order)]).toEqual([order.orderId, true])
  })
})

/** Whom a blow meets: the messages of a batch, in whatever order they come together again. */
function workOf({ event }: Invocation): string {
  const { Records } = event as SQSEvent
  return Records.map(({ messageId }) => messageId).sort()[0] ?? ''
}
