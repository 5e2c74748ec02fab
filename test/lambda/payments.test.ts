import { randomUUID } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { LostInTransit } from '../../demo/transit.ts'
import { bundleFunction, type TaskRoot } from '../../dev/lambda/bundle.ts'
import type { Deployment, Environment } from '../../dev/lambda/environment.ts'
import type { Invocation } from '../../dev/lambda/runtime-api.ts'
import { runtimeClient } from '../../dev/lambda/runtime-client.ts'
import type { Payment } from '../../functions/payments/payment.ts'
import { onceKey } from '../../lib/idempotency/key.ts'
import { dynamodbStore } from '../../lib/stores/dynamodb/dynamodb-store.ts'
import { seeds } from '../conformance/seeds.ts'
import { dynamodbMissing, localConfig, testTable } from '../support/dynamodb-table.ts'
import { type Hazard, PROVIDER } from './network.ts'
import { chargeIdOf, insist, newPayment, openPayments, type PaymentsStage, post } from './payments-stage.ts'
import { inLanes, Storm } from './storm.ts'

const LONG = process.env['ALONCE_LONG'] === '1'
const PAYMENTS = LONG ? 1000 : 20
/** A time-out for functions that nothing happens to, however busy the machine is. */
const UNHURRIED_MS = 20_000
const SEED = seeds(1)[1]?.seed ?? 1

/**
 * functions/payments, bundled as one uploads it, under AWS's own runtime client, in real time and on DynamoDB Local. The
 * leases are the default, what is left of the invocation and a second: so who takes over from the dead has waited for that.
 */
describe.skipIf(dynamodbMissing).concurrent('functions/payments on Lambda', { timeout: 90_000 }, () => {
  let task: TaskRoot
  const stages: PaymentsStage[] = []
  beforeAll(async () => {
    runtimeClient()
    task = await bundleFunction('payments')
  }, 120_000)
  afterAll(async () => {
    await Promise.all(stages.map((stage) => stage.close()))
    task?.remove()
  })

  async function open(settings: Partial<Deployment> & { hazard?: Hazard } = {}): Promise<PaymentsStage> {
    const stage = await openPayments(task.folder, settings)
    stages.push(stage)
    return stage
  }

  test('a payment is charged, and its duplicate answered by the same environment, which stood still in between', async () => {
    const { fn, journal } = await open({ timeoutMs: UNHURRIED_MS })
    const payment = newPayment()
    const first = await insist(fn, payment)
    await new Promise((resolve) => setTimeout(resolve, 300))
    const again = await insist(fn, payment)
    expect(again.chargeId).toBe(first.chargeId)
    expect(again.outcomes.at(-1)).toMatchObject({ value: { headers: { 'Idempotency-Replayed': 'true' } } })
    expect(fn.started).toBe(1)
    expect(journal()).toMatchObject([{ paymentId: payment.paymentId, chargeId: first.chargeId }])
  })

  test('duplicates that come to four environments at once are charged once', async () => {
    const { fn, journal } = await open({ timeoutMs: UNHURRIED_MS, environments: 4 })
    const payment = newPayment()
    const all = await Promise.all(Array.from({ length: 8 }, () => insist(fn, payment)))
    expect(fn.started).toBe(4)
    expect(journal()).toHaveLength(1)
    expect(new Set(all.map(({ chargeId }) => chargeId))).toEqual(new Set([journal()[0]?.chargeId]))
  })

  test('payments and their duplicates that run at once in one environment keep apart', async () => {
    const { fn, journal } = await open({ timeoutMs: UNHURRIED_MS, environments: 1, concurrency: 10 })
    const payments = Array.from({ length: 8 }, () => newPayment())
    const all = await Promise.all([...payments, ...payments].map((payment) => insist(fn, payment)))
    expect(fn.started).toBe(1)
    const charged = new Map(journal().map(({ paymentId, chargeId }) => [paymentId, chargeId]))
    expect([journal().length, charged.size]).toEqual([8, 8])
    const expected = [...payments, ...payments].map(({ paymentId }) => charged.get(paymentId))
    expect(all.map(({ chargeId }) => chargeId)).toEqual(expected)
  })

  /** The first process that has made a charge dies before it hears of it. */
  function killAfterCharge(): Hazard {
    let deaths = 0
    return ({ environment, to, at }) => {
      if (to !== PROVIDER || at !== 'applied' || deaths > 0) return
      deaths++
      environment.kill()
      throw new LostInTransit('killed')
    }
  }

  test('a process that dies between the charge and its completion: who takes over gets the same charge', async () => {
    const { fn, journal } = await open({ hazard: killAfterCharge() })
    const payment = newPayment()
    const { outcomes, chargeId } = await insist(fn, payment)
    expect(outcomes).toContainEqual({ kind: 'crashed', how: 'SIGKILL' })
    // Nobody knows yet what became of it, and the client is told when to come again.
    expect(outcomes).toContainEqual(expect.objectContaining({ value: expect.objectContaining({ statusCode: 409 }) }))
    expect(journal()).toMatchObject([{ paymentId: payment.paymentId, chargeId }])
  })

  test('the same without a downstream key charges twice: that is what the journal would show', async () => {
    const keyless = mkdtempSync(join(tmpdir(), 'alonce-keyless-'))
    const code = readFileSync(join(task.folder, 'index.mjs'), 'utf8')
    const crippled = code.replace('currentOperation().downstreamKey("charge")', 'undefined')
    expect(crippled).not.toBe(code)
    writeFileSync(join(keyless, 'index.mjs'), crippled)
    const { fn, journal } = await open({ taskRoot: keyless, hazard: killAfterCharge() })
    const payment = newPayment()
    await insist(fn, payment)
    expect(journal().map(({ paymentId }) => paymentId)).toEqual([payment.paymentId, payment.paymentId])
    rmSync(keyless, { recursive: true, force: true })
  })

  test('an invocation that is killed at its time-out, with the charge made and unanswered, is taken over', async () => {
    let hung = false
    const { fn, journal } = await open({
      hazard: async ({ environment, to, at }) => {
        if (to !== PROVIDER || at !== 'applied' || hung) return
        hung = true
        await environment.ended
        throw new LostInTransit('its process is gone')
      },
    })
    const payment = newPayment()
    const { outcomes, chargeId } = await insist(fn, payment)
    expect(outcomes).toContainEqual({ kind: 'timed-out' })
    expect(journal()).toMatchObject([{ paymentId: payment.paymentId, chargeId }])
  })

  test('an environment that is frozen past its lease, between charge and completion, changes nothing when it is thawed', async () => {
    const frozen = Promise.withResolvers<Environment>()
    const thawed = Promise.withResolvers<void>()
    let charges = 0
    const { fn, journal } = await open({
      hazard: async ({ environment, to, at }) => {
        if (to !== PROVIDER || at !== 'applied' || ++charges > 1) return
        environment.freeze()
        frozen.resolve(environment)
        await thawed.promise
      },
    })
    const payment = newPayment()
    // Until one gets as far as to be frozen: on a busy machine DynamoDB Local may take too long for the first.
    let zombie = post(fn, payment)
    while (await Promise.race([frozen.promise.then(() => false), zombie.then(() => true)])) zombie = post(fn, payment)
    const environment = await frozen.promise
    const successor = await insist(fn, payment)
    environment.thaw()
    thawed.resolve()
    expect(charges).toBeGreaterThanOrEqual(2)
    // It is told what its successor has made of the payment, or that nothing is certain, or is killed: its time is long over.
    const told = await zombie
    expect([undefined, successor.chargeId]).toContain(chargeIdOf(told))
    expect((await insist(fn, payment)).chargeId).toBe(successor.chargeId)
    expect(journal()).toMatchObject([{ paymentId: payment.paymentId, chargeId: successor.chargeId }])
  })

  // The blows are drawn from the seed; which payments they meet is up to the processes' own time. A long storm would leave the
  // other tests no time of theirs.
  test(`${PAYMENTS} payments in a storm of kills are charged once each (replay with ALONCE_SEED=${SEED})`, {
    concurrent: !LONG,
    timeout: LONG ? 1_200_000 : 90_000,
  }, async () => {
    const storm = new Storm({ seed: SEED, workOf: paymentOf, most: LONG ? 3 : 1, share: 0.5, requests: 5 })
    const { fn, journal } = await open({ environments: LONG ? 8 : 6, hazard: storm.hazard })
    const accounts = Array.from({ length: Math.ceil(PAYMENTS / 3) }, () => randomUUID())
    const payments = Array.from({ length: PAYMENTS }, (_, index) => newPayment(accounts[index % accounts.length]))
    const answers = new Map<string, ReadonlySet<string>>()
    await inLanes(payments, LONG ? 16 : 12, async (payment) => {
      const clients = await Promise.all([insist(fn, payment), insist(fn, payment)])
      answers.set(payment.paymentId, new Set(clients.map(({ chargeId }) => chargeId)))
    })
    await storm.calm()
    if (LONG) console.log(`${PAYMENTS} payments, ${storm.total} blows:`, Object.fromEntries([...storm.hits].sort()))

    const charges = journal()
    expect(storm.total).toBeGreaterThan(PAYMENTS / 10)
    expect(charges).toHaveLength(PAYMENTS)
    for (const { paymentId, chargeId } of charges)
      expect([paymentId, answers.get(paymentId)]).toEqual([paymentId, new Set([chargeId])])
    expect(answers.size).toBe(PAYMENTS)
    const store = dynamodbStore({ tableName: (await testTable()).tableName, clientConfig: localConfig() })
    for (const { paymentId } of payments) {
      expect(await store.read(onceKey('charge', { key: paymentId }))).toMatchObject({ status: 'completed' })
    }
  })
})

function paymentOf({ event }: Invocation): string {
  return (JSON.parse((event as APIGatewayProxyEventV2).body ?? '{}') as Payment).paymentId
}
