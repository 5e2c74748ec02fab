import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { DynamoDBClient, ScanCommand } from '@aws-sdk/client-dynamodb'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runtimeClient } from '../../dev/lambda/runtime-client.ts'
import { untilUp } from '../../scripts/dynamodb-local.ts'
import { dynamodbMissing, localConfig } from '../support/dynamodb-table.ts'
import { Dev, type Path, pathWithoutJava } from './run-dev.ts'

const PAYMENT = { paymentId: 'p1', accountId: 'a1', amountMinor: 1250, currency: 'EUR' }
const ORDER = { orderId: 'o1', merchantId: 'm1', amountMinor: 500, day: '2026-11-23' }

/** `npm run dev`, as a newcomer runs it: the real command, in processes of its own, from the first line to Ctrl-C. */
describe.concurrent('npm run dev', { timeout: 60_000 }, () => {
  const started: Dev[] = []
  let path: Path
  beforeAll(() => {
    path = pathWithoutJava()
    runtimeClient()
  }, 120_000)
  afterAll(() => {
    for (const dev of started) dev.kill()
    path.remove()
  })

  function start(args: readonly string[], env: NodeJS.ProcessEnv = {}): Dev {
    const dev = new Dev(args, env)
    started.push(dev)
    return dev
  }

  const charges = async (dev: Dev): Promise<unknown> => JSON.parse((await dev.ask('GET /provider/charges')).text)

  test.skipIf(dynamodbMissing)('charges once, books once, settles, and leaves nothing behind', async () => {
    const dev = start(['--no-schedule'])
    expect(await dev.ready).toMatchObject({ tables: 'dynamodb-local' })

    const [first, again] = [
      await dev.ask('POST /payments', JSON.stringify(PAYMENT)),
      await dev.ask('POST /payments', JSON.stringify(PAYMENT)),
    ]
    expect(first).toMatchObject({ status: 200, text: '{"paymentId":"p1","chargeId":"ch_1"}' })
    expect(first.headers).not.toHaveProperty('idempotency-replayed')
    expect(again).toMatchObject({ status: 200, text: first.text, headers: { 'idempotency-replayed': 'true' } })
    expect(await charges(dev)).toMatchObject([{ paymentId: 'p1', chargeId: 'ch_1' }])

    for (const message of [ORDER, ORDER, 'no order']) {
      expect(await dev.ask('POST /queues/orders', JSON.stringify(message))).toMatchObject({ status: 202 })
    }
    const batches = (): readonly unknown[] =>
      dev.lines.filter(({ event }) => event === 'batch').flatMap((line) => line['deleted'])
    while (batches().length < 2) await delay(50)
    expect(JSON.parse((await dev.ask('GET /queues/orders')).text)).toEqual({ waiting: 1, dead: [] })
    const settled = await dev.ask('POST /schedules/settlement', '{"time":"2026-11-24T02:00:00Z"}')
    expect(JSON.parse(settled.text)).toEqual({ day: '2026-11-23', outcome: 'settled', merchants: 1 })

    const alonce = dev.lines.filter(({ event }) => event === 'alonce').map(({ source, text }) => `${source} ${text}`)
    expect(alonce).toContainEqual(expect.stringMatching(/^payments · replayed once\/charge \(1 request, \d+ ms\)$/))
    expect(alonce).toContainEqual(expect.stringMatching(/^orders · replayed once\/book-order /))
    expect(alonce).toContainEqual(expect.stringMatching(/^settlement · acquired lock\/settlement\/2026-11-23 /))

    expect(await dev.interrupt()).toEqual({ stopped: true, left: false })
  })

  test('without Java, payments run on a store in memory, and it says what is off', async () => {
    const dev = start([], { PATH: path.folder })
    expect(await dev.ready).toMatchObject({ tables: 'memory', routes: ['POST /payments', 'GET /provider/charges'] })
    expect(dev.lines.find(({ event }) => event === 'memory')?.text).toMatch(
      /Java 17 was not found.*orders and settlement.*are off/,
    )

    const form = 'application/x-www-form-urlencoded'
    const [first, again] = [
      await dev.ask('POST /payments', JSON.stringify(PAYMENT)),
      await dev.ask('POST /payments', JSON.stringify(PAYMENT), form),
    ]
    expect([first.headers['idempotency-replayed'], again.headers['idempotency-replayed']]).toEqual([undefined, 'true'])
    expect(maskDate(again.shown)).toBe(maskDate(readmeOutput()))
    expect(await charges(dev)).toHaveLength(1)
    expect(await dev.ask('POST /queues/orders', JSON.stringify(ORDER))).toMatchObject({ status: 404 })
    expect(await dev.interrupt()).toEqual({ stopped: true, left: false })
  })

  test.skipIf(dynamodbMissing)('AWS_ENDPOINT_URL: the tables are made there, and used', async () => {
    const { endpoint } = localConfig()
    await untilUp(String(endpoint))
    const [ALONCE_TABLE, ORDERS_TABLE] = [`alonce-${randomUUID()}`, `orders-${randomUUID()}`]
    const dev = start(['--every', '1'], { AWS_ENDPOINT_URL: String(endpoint), ALONCE_TABLE, ORDERS_TABLE })
    expect(await dev.ready).toMatchObject({ tables: 'endpoint' })
    expect(await dev.ask('POST /payments', JSON.stringify(PAYMENT))).toMatchObject({ status: 200 })
    const { Items = [] } = await new DynamoDBClient(localConfig()).send(new ScanCommand({ TableName: ALONCE_TABLE }))
    expect(Items.map(({ pk }) => pk?.S)).toContainEqual(expect.stringMatching(/^default\/once\/charge\//))
    while (!dev.lines.some(({ source, event }) => source === 'settlement' && event === 'alonce')) await delay(50)
    expect(await dev.interrupt()).toEqual({ stopped: true, left: false })
  })

  test('AWS_ENDPOINT_URL where nobody listens: it says so, and ends with 1', async () => {
    const dev = start([], { AWS_ENDPOINT_URL: 'http://127.0.0.1:9' })
    await expect(dev.ready).rejects.toThrow(
      /ended with 1:\nThe tables could not be made at http:\/\/127.0.0.1:9, the endpoint that AWS_ENDPOINT_URL names/,
    )
  })
})

/** What the README shows as the answer to its curl. */
function readmeOutput(): string {
  const readme = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8')
  const [, command = '', output = ''] = /^```console\n\$ (curl -i .+)\n([\s\S]*?)\n```$/m.exec(readme) ?? []
  expect(command).toContain(`-d '${JSON.stringify(PAYMENT)}'`)
  return output
}

const maskDate = (text: string): string => text.replace(/^Date: .*$/m, 'Date: …')
