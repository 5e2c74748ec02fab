import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { ScheduledEvent } from 'aws-lambda'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { LostInTransit } from '../../demo/transit.ts'
import { bundleFunction, type TaskRoot } from '../../dev/lambda/bundle.ts'
import type { Outcome } from '../../dev/lambda/environment.ts'
import { LambdaFunction } from '../../dev/lambda/lambda.ts'
import { runtimeClient } from '../../dev/lambda/runtime-client.ts'
import type { Settled } from '../../functions/settlement/handler.ts'
import { dynamodbMissing, localConfig, testTable } from '../support/dynamodb-table.ts'
import { type OrdersTable, ordersTable } from '../support/orders-table.ts'
import { DYNAMODB, type Hazard, Network } from './network.ts'

/** The shortest lease that DynamoDB's clock allows; Lambda's retries, a minute away, are shortened with it. */
const LEASE_MS = 3000
const RETRIES_MS = [6000, 6000]

/** functions/settlement under AWS's own runtime client, in real time and on DynamoDB Local. */
describe.skipIf(dynamodbMissing).concurrent('functions/settlement on Lambda', { timeout: 90_000 }, () => {
  let task: TaskRoot
  let table: OrdersTable
  const functions: LambdaFunction[] = []
  beforeAll(async () => {
    runtimeClient()
    ;[task, table] = await Promise.all([bundleFunction('settlement'), ordersTable()])
  }, 120_000)
  afterAll(async () => {
    await Promise.all(functions.map((fn) => fn.stop()))
    task?.remove()
  })

  async function open(hazard: Hazard, leaseMs: number = LEASE_MS): Promise<LambdaFunction> {
    const network = new Network({ [DYNAMODB]: String(localConfig().endpoint) }, hazard)
    const { tableName: ALONCE_TABLE } = await testTable()
    const fn = new LambdaFunction({
      name: 'settlement',
      taskRoot: task.folder,
      timeoutMs: 20_000,
      environments: 2,
      variables: { ALONCE_TABLE, ORDERS_TABLE: table.tableName, SETTLEMENT_LEASE_MS: String(leaseMs) },
      connect: network.connect,
      onStart: network.onStart,
    })
    functions.push(fn)
    return fn
  }

  const nightAfter = (day: string): ScheduledEvent => {
    const time = new Date(Date.parse(day) + 26 * 3_600_000).toISOString()
    return { id: randomUUID(), time, 'detail-type': 'Scheduled Event' } as ScheduledEvent
  }

  const sell = (day: string, amountMinor: number): Promise<void> =>
    table.put({ orderId: randomUUID(), merchantId: 'm1', amountMinor, day })

  const settled = (outcome: Outcome): Settled | undefined =>
    outcome.kind === 'returned' ? (outcome.value as Settled) : undefined

  /** Run after run of the schedule, until one is not skipped. */
  async function untilSettled(fn: LambdaFunction, day: string): Promise<void> {
    for (const until = performance.now() + 60_000; performance.now() < until; ) {
      if (settled(await fn.invoke(nightAfter(day)))?.outcome === 'settled') return
      await delay(250)
    }
    throw new Error('Nobody could settle the day')
  }

  test('a schedule that fires twice settles once, in one of two environments, and skips in the other', async () => {
    const day = '2026-02-01'
    await sell(day, 100)
    const skipped = Promise.withResolvers<void>()
    const writing = Promise.withResolvers<void>()
    const fn = await open(async ({ operation, at }) => {
      if (operation !== 'PutItem' || at !== 'sending') return
      writing.resolve()
      await skipped.promise
    }, 30_000)
    const first = fn.invoke(nightAfter(day))
    await writing.promise
    expect(settled(await fn.invoke(nightAfter(day)))).toEqual({ day, outcome: 'skipped' })
    skipped.resolve()
    expect(settled(await first)).toEqual({ day, outcome: 'settled', merchants: 1 })
    expect(fn.started).toBe(2)
  })

  test("a run that crashes is run again by Lambda, once the dead one's lease has ended, and settles the day", async () => {
    const day = '2026-02-02'
    await sell(day, 100)
    let crashed = false
    const fn = await open(({ environment, operation }) => {
      if (operation !== 'PutItem' || crashed) return
      crashed = true
      environment.kill()
      throw new LostInTransit('killed')
    })
    const outcomes = await fn.invokeAsync(nightAfter(day), RETRIES_MS)
    expect(outcomes).toContainEqual({ kind: 'crashed', how: 'SIGKILL' })
    expect(settled(outcomes.at(-1) as Outcome)).toEqual({ day, outcome: 'settled', merchants: 1 })
    expect(await table.settled(day)).toMatchObject([{ sk: 'm1', totalMinor: 100 }])
  })

  test('a write that arrives after its process is dead and another run has settled the day is refused', async () => {
    const day = '2026-02-03'
    await sell(day, 100)
    const letGo = Promise.withResolvers<void>()
    const arrived = Promise.withResolvers<void>()
    let held = false
    const fn = await open(async ({ environment, operation, at }) => {
      if (operation !== 'PutItem') return
      if (at === 'applied' && environment.dead) arrived.resolve()
      if (at === 'applied' || held) return
      held = true
      environment.kill()
      await letGo.promise
    })
    while ((await fn.invoke(nightAfter(day))).kind !== 'crashed') await delay(250)
    await sell(day, 50)
    await untilSettled(fn, day)
    const [row] = await table.settled(day)
    expect(row).toMatchObject({ sk: 'm1', totalMinor: 150 })
    letGo.resolve()
    await arrived.promise
    expect(await table.settled(day)).toEqual([row])
  })
})
