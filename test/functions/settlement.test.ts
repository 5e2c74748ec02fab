import { randomUUID } from 'node:crypto'
import type { Context, ScheduledEvent } from 'aws-lambda'
import { beforeAll, describe, expect, test } from 'vitest'
import { type SettlementHandler, settlementHandler } from '../../functions/settlement/handler.ts'
import { memoryStore } from '../../lib/stores/memory/memory-store.ts'
import { faultyStore } from '../../lib/testing/faulty-store.ts'
import { dynamodbMissing } from '../support/dynamodb-table.ts'
import { type OrdersTable, ordersTable } from '../support/orders-table.ts'
import { type SimulatedClient, World } from '../support/world.ts'

const DAY = '2026-11-23'
const tonight = { id: 'e1', time: '2026-11-24T02:00:00Z' } as ScheduledEvent
const invocation = (client: SimulatedClient): Context => {
  const endsAt = client.clock.monotonic() + 10_000
  return { awsRequestId: 'r1', getRemainingTimeInMillis: () => endsAt - client.clock.monotonic() } as Context
}

/** The lock lives in virtual time, the rows on DynamoDB Local. */
describe.skipIf(dynamodbMissing)('functions/settlement', () => {
  let table: OrdersTable
  beforeAll(async () => {
    table = await ordersTable()
  })

  function stage() {
    const world = new World()
    const store = memoryStore({ runtime: world.client() })
    // Held writes have not arrived yet.
    const gate = { open: true, waiting: [] as (() => void)[] }
    const documents = new Proxy(table.documents, {
      get: (target, name) => {
        if (name !== 'send') return Reflect.get(target, name, target) as unknown
        return async (command: { constructor: { name: string } }) => {
          if (!gate.open && command.constructor.name === 'PutCommand')
            await new Promise<void>((resolve) => gate.waiting.push(resolve))
          return world.track(target.send(command as never))
        }
      },
    })
    /** In an environment of its own. */
    const run = (event: ScheduledEvent = tonight, client = world.client()): ReturnType<SettlementHandler> => {
      const own = faultyStore(store, { runtime: client })
      const handler = settlementHandler({ store: own, documents, tableName: table.tableName, leaseMs: 30_000 })
      return handler(event, invocation(client))
    }
    return { world, gate, run }
  }

  const sell = (merchantId: string, amountMinor: number, day: string): Promise<void> =>
    table.put({ orderId: randomUUID(), merchantId, amountMinor, day })

  test("each merchant's sales of the day before are summed up", async () => {
    const { world, run } = stage()
    await Promise.all([sell('m1', 100, DAY), sell('m1', 50, DAY), sell('m2', 7, DAY), sell('m1', 999, '2026-11-24')])
    expect(await world.run(run())).toEqual({ day: DAY, outcome: 'settled', merchants: 2 })
    expect(await table.settled(DAY)).toMatchObject([
      { sk: 'm1', totalMinor: 150 },
      { sk: 'm2', totalMinor: 7 },
    ])
  })

  test('a run that finds another at work on the same day is skipped; another day is another lock', async () => {
    const { world, gate, run } = stage()
    await sell('m1', 100, '2026-10-01')
    gate.open = false
    const first = run({ ...tonight, time: '2026-10-02T02:00:00Z' })
    await world.settle()
    expect(await world.run(run({ ...tonight, time: '2026-10-02T02:00:30Z' }))).toEqual({ day: '2026-10-01', outcome: 'skipped' })
    expect(await world.run(run({ ...tonight, time: '2026-10-03T02:00:00Z' }))).toMatchObject({ outcome: 'settled', merchants: 0 })
    for (const arrive of gate.waiting) arrive()
    expect(await world.run(first)).toMatchObject({ outcome: 'settled', merchants: 1 })
  })

  test('a write of a run that was taken over from is refused, and the later run stands', async () => {
    const { world, gate, run } = stage()
    const day = '2026-09-01'
    const event = { ...tonight, time: '2026-09-02T02:00:00Z' }
    await sell('m1', 100, day)
    gate.open = false
    const environment = world.client()
    const zombie = run(event, environment)
    zombie.catch(() => undefined)
    await world.settle()
    expect(gate.waiting).toHaveLength(1)
    environment.freeze()

    await world.advance(30_001)
    await sell('m1', 50, day)
    gate.open = true
    expect(await world.run(run(event))).toMatchObject({ outcome: 'settled', merchants: 1 })
    environment.thaw()
    gate.waiting[0]?.()
    await expect(world.run(zombie)).rejects.toMatchObject({ name: 'ConditionalCheckFailedException' })
    expect(await table.settled(day)).toMatchObject([{ sk: 'm1', totalMinor: 150 }])
  })
})
