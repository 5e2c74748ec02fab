import { currentOperation, makeIdempotent } from 'alonce'
import { idempotentBatch } from 'alonce/batch'
import type { SQSRecord } from 'aws-lambda'
import { describe, expect, test } from 'vitest'
import { backends } from '../../support/backends.ts'
import { LEASE, work } from '../idempotency/stage.ts'
import { failing, message, open, orderOf } from './stage.ts'

describe.each(backends)('records of a batch on $name', (backend) => {
  test('I18 two invocations at once in one environment keep their own context and deadline', async () => {
    const s = await open(backend)
    const jobs = new Map([
      ['o1', work()],
      ['o2', work()],
    ])
    const seen: (string | undefined)[] = []
    const consumer = s.consumer(({ id }, _record, { awsRequestId }) => {
      seen.push(awsRequestId)
      return jobs.get(String(id))?.run()
    })
    const first = s.deliver(consumer, [message('o1')], s.lambda(5000, 'first'))
    const second = s.deliver(consumer, [message('o2')], s.lambda(60_000, 'second'))
    for (const job of jobs.values()) await s.world.run(job.begun)
    const expiries = [await s.record('ship', 'o1'), await s.record('ship', 'o2')].map((record) => record?.expiresAtMs ?? 0)
    expect((expiries[1] ?? 0) - (expiries[0] ?? 0)).toBe(55_000)
    expect([...seen].sort()).toEqual(['first', 'second'])
    for (const job of jobs.values()) job.finish('shipped')
    expect([await first, await second]).toEqual([[], []])
  })

  test.each([
    ['undefined', undefined],
    ['null', null],
    ['partly missing', ['o', undefined]],
  ])('I20 a message whose key is %s is returned and never shared, and the others go on', async (_what, missing) => {
    const s = await open(backend)
    const key = (record: SQSRecord) => (orderOf(record).tenant ? orderOf(record).id : missing)
    const records = [message({ id: 'a' }), message({ id: 'b' }), message({ id: 'c', tenant: 't' })]
    expect(await s.deliver(s.consumer(failing(), { key }), records)).toEqual(['m-a', 'm-b'])
    expect(s.ran).toEqual(['c'])
    expect(s.failures).toMatchObject([{ error: { code: 'KEY_MISSING' } }, { error: { code: 'KEY_MISSING' } }])

    const unprotected = s.consumer(failing(), { key, onMissingKey: 'run-unprotected' })
    expect(await s.deliver(unprotected, records)).toEqual([])
    expect(s.ran.slice(1).sort()).toEqual(['a', 'b'])
  })

  test('I22 tenants with the same key are apart', async () => {
    const s = await open(backend)
    const consumer = s.consumer(failing(), { scope: (record) => orderOf(record).tenant })
    const of = (tenant: string): SQSRecord => message({ id: 'o1', tenant }, {}, tenant)
    expect(await s.deliver(consumer, [of('acme'), of('umbrella'), of('acme')])).toEqual([])
    expect(s.ran).toEqual(['o1', 'o1'])
  })

  test('I23 a handler that changes its record, or another one’s, changes nothing', async () => {
    const s = await open(backend)
    const records = [message('o1'), message('o2')]
    const spoil = async (): Promise<void> => {
      for (const record of records) record.body = JSON.stringify({ id: 'spoiled' })
    }
    expect(await s.deliver(s.consumer(spoil, { concurrency: 1 }), records)).toEqual([])
    expect((await s.record('ship', 'o1'))?.status).toBe('completed')
    expect((await s.record('ship', 'o2'))?.status).toBe('completed')
    expect(await s.record('ship', 'spoiled')).toBeUndefined()
  })

  test.each([
    ['undefined', undefined],
    ['null', null],
    ['0', 0],
    ["''", ''],
    ['false', false],
    ['a bigint, which no codec keeps', 1n],
  ])('I24 a message whose handler returns %s is done, and does not run again', async (_name, value) => {
    const s = await open(backend)
    const consumer = s.consumer(async () => value)
    expect(await s.deliver(consumer, [message('o1')])).toEqual([])
    expect(await s.deliver(consumer, [message('o1', { receiveCount: 2 })])).toEqual([])
    expect(await s.deliver(consumer, [message('o1')])).toEqual([])
    expect(s.ran).toEqual(['o1'])
  })

  test('I29 the handler’s error is told unchanged, also when the record can’t be given back', async () => {
    const s = await open(backend)
    const error = new RangeError('no stock')
    const consumer = s.consumer(({ id }) => {
      s.app.wire.cut()
      throw id === 'o1' ? error : 'a string' // as some libraries do
    })
    expect(await s.deliver(consumer, [message('o1')])).toEqual(['m-o1'])
    s.app.wire.heal()
    expect(await s.deliver(consumer, [message('o2')])).toEqual(['m-o2'])
    expect(s.failures.map((failure) => failure.error)).toEqual([error, 'a string'])
    expect(s.failures[0]?.error).toBe(error)
    expect(s.app.named('abandon-failed')).toHaveLength(2)
  })

  test('I30 a final error is returned each time, with its name and message, and the handler does not run again', async () => {
    const s = await open(backend)
    const consumer = s.consumer(failing('bad'), { failure: 'store' })
    expect(await s.deliver(consumer, [message('bad')])).toEqual(['m-bad'])
    expect(await s.deliver(consumer, [message('bad', { receiveCount: 2 })])).toEqual(['m-bad'])
    expect(s.ran).toEqual(['bad'])
    expect(s.failures[1]).toMatchObject({ error: { name: 'RangeError', message: "can't ship bad" } })
  })

  test('I33 a store that is away returns every message, or runs them unprotected as the user chose', async () => {
    const s = await open(backend)
    s.app.wire.cut()
    const records = [message('o1'), message('o2', { receiveCount: 2 })]
    expect(await s.deliver(s.consumer(failing()), records)).toEqual(['m-o1', 'm-o2'])
    expect(s.ran).toEqual([])
    expect(s.failures).toMatchObject([{ error: { code: 'STORE_UNAVAILABLE' } }, { error: { code: 'STORE_UNAVAILABLE' } }])
    const seen: boolean[] = []
    const lenient = s.consumer(() => seen.push(currentOperation().isProtected), { onStoreUnavailable: 'run-unprotected' })
    expect(await s.deliver(lenient, records)).toEqual([])
    expect(seen).toEqual([false, false])
  })

  test.each([
    ['a remaining time of 0', { getRemainingTimeInMillis: () => 0 }],
    ['no context', undefined],
  ])('I35 with %s the lease is bounded, and the messages run', async (_what, context) => {
    const s = await open(backend)
    const job = work()
    const consumer = s.consumer(job.run)
    const done = consumer({ Records: [message('o1')] }, context as never)
    await s.world.run(job.begun)
    const leaseMs = ((await s.record('ship', 'o1'))?.expiresAtMs ?? 0) - s.world.now
    expect(leaseMs).toBeGreaterThan(25_000)
    expect(leaseMs).toBeLessThanOrEqual(32_000)
    job.finish('shipped')
    expect(await s.world.run(done)).toEqual({ batchItemFailures: [] })
  })

  test('I2 a message that fails after its lease leaves the newer attempt’s outcome alone', async () => {
    const s = await open(backend)
    const other = s.actor()
    const job = work()
    const zombie = s.consumer(job.run)({ Records: [message('o1')] }, s.lambda(LEASE))
    await s.world.run(job.begun)
    await s.world.advance(10_000)
    expect(await s.deliver(s.consumer(failing(), {}, other), [message('o1', { receiveCount: 2 })])).toEqual([])
    job.fail(new Error('too late'))
    expect(await s.world.run(zombie)).toEqual({ batchItemFailures: [{ itemIdentifier: 'm-o1' }] })
    expect((await s.record('ship', 'o1'))?.status).toBe('completed')
  })

  test('a batch in another entrance’s operation takes what has run for done, though there is nothing to replay', async () => {
    const s = await open(backend)
    const make = makeIdempotent(async (_id: string) => 1n, { store: s.app.store, operation: 'ship', key: (id) => id })
    await s.world.run(make('o1'))
    const consumer = idempotentBatch(() => expect.unreachable(), { store: s.app.store, operation: 'ship', key: 'o1' })
    expect(await s.world.run(consumer({ Records: [message('o1')] }, s.lambda(60_000)))).toEqual({ batchItemFailures: [] })
  })
})
