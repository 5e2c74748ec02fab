import { isAlonceError } from 'alonce'
import { idempotent, locked } from 'alonce/middy'
import { describe, expect, test } from 'vitest'
import { outcome, work } from '../idempotency/stage.ts'
import { hosts, open, payment, throwing } from './stage.ts'

describe.each(hosts)('failures on $name under middy $major', (host) => {
  test('I5 a rejected duplicate touches no record, in onError too', async () => {
    const s = await open(host)
    const job = work()
    const handler = s.middy().use(idempotent(s.once)).handler(job.run)
    const first = s.start(handler, payment('p1'))
    await s.world.run(job.begun)
    const running = await s.record('charge', 'p1')

    await expect(s.call(handler, payment('p1'))).rejects.toMatchObject({ code: 'IN_PROGRESS', statusCode: 409 })
    expect(await s.record('charge', 'p1')).toEqual(running)
    job.finish('paid')
    expect(await s.world.run(first)).toBe('paid')
  })

  test('I5 a fingerprint mismatch touches no record, whether it meets a running or a completed one', async () => {
    const s = await open(host)
    const job = work()
    const handler = s
      .middy()
      .use(idempotent({ ...s.once, fingerprint: (event) => event.amount }))
      .handler(job.run)
    const other = { ...payment('p1'), amount: 6 }
    const first = s.start(handler, payment('p1'))
    await s.world.run(job.begun)
    const running = await s.record('charge', 'p1')
    await expect(s.call(handler, other)).rejects.toMatchObject({ code: 'FINGERPRINT_MISMATCH', statusCode: 422 })
    expect(await s.record('charge', 'p1')).toEqual(running)

    job.finish('paid')
    await s.world.run(first)
    const completed = await s.record('charge', 'p1')
    await expect(s.call(handler, other)).rejects.toMatchObject({ code: 'FINGERPRINT_MISMATCH' })
    expect(await s.record('charge', 'p1')).toEqual(completed)
  })

  test('I6 an outer middleware that throws after the completion leaves it complete', async () => {
    const s = await open(host)
    let runs = 0
    let outerFails = true
    const outer = {
      after: () => {
        if (outerFails) throw new Error('the outer one')
      },
    }
    const handler = s
      .middy()
      .use(outer)
      .use(idempotent(s.once))
      .handler(async () => ++runs)
    await expect(s.call(handler, payment('p1'))).rejects.toThrow('the outer one')
    expect(await s.record('charge', 'p1')).toMatchObject({ status: 'completed' })
    outerFails = false
    expect(await s.call(handler, payment('p1'))).toBe(1)
    expect(s.app.named('abandoned')).toEqual([])
  })

  test('I29 the handler’s error comes out unchanged, and the next request runs', async () => {
    const s = await open(host)
    const declined = new RangeError('card declined')
    let runs = 0
    const handler = s
      .middy()
      .use(idempotent(s.once))
      .handler(async () => {
        if (++runs === 1) throw declined
        return 'paid'
      })
    expect(await outcome(s.call(handler, payment('p1')))).toEqual({ error: declined })
    expect(await s.call(handler, payment('p1'))).toBe('paid')
  })

  test('I29 the handler’s error comes out unchanged when the record can’t be given back', async () => {
    const s = await open(host)
    const declined = new RangeError('card declined')
    const handler = s
      .middy()
      .use(idempotent(s.once))
      .handler(async () => {
        s.app.wire.cut()
        throw declined
      })
    const ended = await outcome(s.call(handler, payment('p1')))
    expect('error' in ended && ended.error).toBe(declined)
    expect(s.app.named('abandon-failed')).toHaveLength(1)
  })

  test('I29 what is thrown need not be an Error', async () => {
    const s = await open(host)
    const handler = s
      .middy()
      .use(locked(s.alone))
      .use(idempotent(s.once))
      .handler(async () => {
        throw 'a string' // as some libraries do
      })
    expect(await outcome(s.call(handler, payment('p1')))).toEqual({ error: 'a string' })
    expect(await s.holder()).toBeUndefined()
    expect(await s.record('charge', 'p1')).toMatchObject({ owner: undefined })
  })

  test('I30 a final error is thrown again with its name and message, and the handler does not run again', async () => {
    const s = await open(host)
    let runs = 0
    const handler = s
      .middy()
      .use(locked(s.alone))
      .use(idempotent({ ...s.once, failure: 'store' }))
      .handler(async () => {
        runs++
        throw new RangeError('card declined')
      })
    await outcome(s.call(handler, payment('p1')))
    const completed = await s.record('charge', 'p1')
    await expect(s.call(handler, payment('p1'))).rejects.toMatchObject({ name: 'RangeError', message: 'card declined' })
    expect(runs).toBe(1)
    expect(await s.record('charge', 'p1')).toEqual(completed)
    expect(await s.holder()).toBeUndefined()
  })

  test('L22 an error between the lock and the handler releases the lock and comes out', async () => {
    const s = await open(host)
    const bad = new Error('bad body')
    const handler = s
      .middy()
      .use(locked(s.alone))
      .use(throwing(bad))
      .handler(async () => 'unreachable')
    expect(await outcome(s.call(handler, payment('p1')))).toEqual({ error: bad })
    expect(await s.holder()).toBeUndefined()
  })

  test('I2 an attempt past its lease that fails leaves the newer one’s result alone', async () => {
    const s = await open(host)
    const other = s.actor()
    const job = work()
    const first = s.middy().use(idempotent(s.once)).handler(job.run)
    const second = s
      .middy()
      .use(idempotent({ ...s.once, store: other.store, onEvent: other.onEvent }))
      .handler(async () => 'of B')
    const zombie = s.start(first, payment('p1'), s.lambda(3000))
    await s.world.run(job.begun)
    await s.world.advance(10_000)
    expect(await s.call(second, payment('p1'))).toBe('of B')
    job.fail(new Error('of A'))
    expect(await s.world.run(outcome(zombie))).toMatchObject({ error: { message: 'of A' } })
    expect(await s.call(second, payment('p1'))).toBe('of B')
  })

  test('I1 an attempt past its lease answers with the newer one’s result', async () => {
    const s = await open(host)
    const other = s.actor()
    const job = work()
    const first = s.middy().use(idempotent(s.once)).handler(job.run)
    const second = s
      .middy()
      .use(idempotent({ ...s.once, store: other.store, onEvent: other.onEvent }))
      .handler(async () => 'of B')
    const zombie = s.start(first, payment('p1'), s.lambda(3000))
    await s.world.run(job.begun)
    await s.world.advance(10_000)
    await s.call(second, payment('p1'))
    job.finish('of A')
    expect(await s.world.run(zombie)).toBe('of B')
  })

  test('I33 a store that is away rejects, or runs unprotected as the user chose', async () => {
    const s = await open(host)
    const strict = s
      .middy()
      .use(idempotent(s.once))
      .handler(async () => 'unreachable')
    const lenient = s
      .middy()
      .use(locked({ ...s.alone, onStoreUnavailable: 'run-unprotected' }))
      .use(idempotent({ ...s.once, onStoreUnavailable: 'run-unprotected' }))
      .handler(async (_event, { alonce }) => [alonce.lock, alonce.operation.isProtected])
    s.app.wire.cut()
    const refused = await outcome(s.call(strict, payment('p1')))
    expect('error' in refused && isAlonceError(refused.error, 'STORE_UNAVAILABLE')).toBe(true)
    expect(await s.call(lenient, payment('p1'))).toEqual([undefined, false])
    expect(s.app.named('run-unprotected').map((event) => event.kind)).toEqual(['lock', 'once'])
  })
})
