import { currentLock, currentOperation } from 'alonce'
import { describe, expect, test } from 'vitest'
import { lockKey } from '../../../lib/store/key.ts'
import type { LockRecord } from '../../../lib/store/record.ts'
import { GRACE, LEASE, outcome, work } from '../idempotency/stage.ts'
import { type DecoratedStage, open, type Payment, places } from './stage.decorated.ts'

const holder = async (s: DecoratedStage): Promise<LockRecord['holder']> =>
  ((await s.world.run(s.app.store.read(lockKey('a1')))) as LockRecord | undefined)?.holder

describe.each(places)('@Idempotent of the $standard standard on $name', (place) => {
  test('I18 two invocations at once keep their own context and deadline', async () => {
    const s = await open(place)
    const jobs = { p1: work(), p2: work() }
    const charge = s.once(({ id }) => jobs[id as 'p1' | 'p2'].run())
    const calls = [charge({ id: 'p1' }, s.lambda(5000)), charge({ id: 'p2' }, s.lambda(60_000))]
    for (const job of Object.values(jobs)) await s.world.run(job.begun)
    const [first, second] = [await s.record('charge', 'p1'), await s.record('charge', 'p2')]
    expect((second?.expiresAtMs ?? 0) - (first?.expiresAtMs ?? 0)).toBe(55_000)
    for (const job of Object.values(jobs)) job.finish('charged')
    await s.world.run(Promise.all(calls))
  })

  test('I20 a missing key is rejected, or runs unprotected as configured, and is never shared', async () => {
    const s = await open(place)
    let runs = 0
    const strict = s.once(() => ++runs)
    expect(await s.world.run(outcome(strict({})))).toMatchObject({ error: { code: 'KEY_MISSING' } })
    expect(runs).toBe(0)
    const lenient = s.once(() => ++runs, { onMissingKey: 'run-unprotected' })
    expect([await s.world.run(lenient({})), await s.world.run(lenient({}))]).toEqual([1, 2])
    expect(s.app.wire.sent).toEqual([])
  })

  test('I22 tenants with the same key are apart', async () => {
    const s = await open(place)
    const charge = s.once(({ tenant }) => `${tenant} paid`, { scope: ({ tenant }) => tenant })
    const pay = (tenant: string) => s.world.run(charge({ id: 'p1', tenant }))
    expect([await pay('acme'), await pay('umbrella'), await pay('acme')]).toEqual(['acme paid', 'umbrella paid', 'acme paid'])
  })

  test('I23 a method that changes its argument changes nothing', async () => {
    const s = await open(place)
    const charge = s.once(
      (payment) => {
        Object.assign(payment, { id: 'another', amount: 0 })
        return currentOperation().key
      },
      { fingerprint: ({ amount }) => amount },
    )
    const pay = (): Promise<unknown> => s.world.run(charge({ id: 'p1', amount: 5 }))
    expect(await pay()).toBe(await pay())
    expect(await s.record('charge', 'another')).toBeUndefined()
    expect((await s.record('charge', 'p1'))?.status).toBe('completed')
  })

  test.each([
    ['undefined', undefined],
    ['null', null],
    ['0', 0],
    ["''", ''],
    ['false', false],
    ['[]', []],
    ['{}', {}],
  ])('I24 %s comes back as it was, and the method does not run again', async (_name, value) => {
    const s = await open(place)
    let runs = 0
    const charge = s.once(() => {
      runs++
      return value
    })
    expect([await s.world.run(charge({ id: 'p1' })), await s.world.run(charge({ id: 'p1' }))]).toEqual([value, value])
    expect(runs).toBe(1)
  })

  test('I27 a replay is a fresh copy', async () => {
    const s = await open(place)
    const charge = s.once(() => ({ items: ['a'] }))
    const pay = async () => (await s.world.run(charge({ id: 'p1' }))) as { items: string[] }
    for (const _ of [1, 2]) (await pay()).items.push('spoiled')
    expect(await pay()).toEqual({ items: ['a'] })
  })

  test('I29 what the method throws comes out unchanged, also when the record can’t be given back', async () => {
    const s = await open(place)
    const declined = new RangeError('card declined')
    const charge = s.once(({ id }) => {
      s.app.wire.cut()
      throw id === 'p1' ? declined : 'a string' // as some libraries do
    })
    expect(await s.world.run(outcome(charge({ id: 'p1' })))).toEqual({ error: declined })
    s.app.wire.heal()
    expect(await s.world.run(outcome(charge({ id: 'p2' })))).toEqual({ error: 'a string' })
    expect(s.app.named('abandon-failed')).toHaveLength(2)
  })

  test('I30 a final error is thrown again with its name and message, and the method does not run again', async () => {
    const s = await open(place)
    let runs = 0
    const charge = s.once(
      () => {
        runs++
        throw new RangeError('card declined')
      },
      { failure: 'store' },
    )
    for (const _ of [1, 2]) {
      expect(await s.world.run(outcome(charge({ id: 'p1' })))).toMatchObject({
        error: { name: 'RangeError', message: 'card declined' },
      })
    }
    expect(runs).toBe(1)
  })

  test('I33 a store that is away rejects, or lets it run unprotected as configured', async () => {
    const s = await open(place)
    s.app.wire.cut()
    const strict = s.once(() => 'unreachable')
    expect(await s.world.run(outcome(strict({ id: 'p1' })))).toMatchObject({ error: { code: 'STORE_UNAVAILABLE' } })
    const lenient = s.once(() => currentOperation().isProtected, { onStoreUnavailable: 'run-unprotected' })
    expect(await s.world.run(lenient({ id: 'p1' }))).toBe(false)
  })

  test.each([
    ['a remaining time of 0', { getRemainingTimeInMillis: () => 0 }],
    ['no context', undefined],
  ])('I35 with %s the lease is bounded', async (_what, context) => {
    const s = await open(place)
    const job = work()
    const call = s.once(job.run)({ id: 'p1' }, context)
    await s.world.run(job.begun)
    expect(((await s.record('charge', 'p1'))?.expiresAtMs ?? 0) - s.world.now).toBeLessThanOrEqual(32_000)
    job.finish('charged')
    expect(await s.world.run(call)).toBe('charged')
  })

  test('I1 an attempt past its lease answers with the newer one’s result', async () => {
    const s = await open(place)
    const job = work()
    const zombie = s.once(job.run)({ id: 'p1' }, s.lambda(LEASE))
    await s.world.run(job.begun)
    await s.world.advance(10_000)
    expect(await s.world.run(s.once(() => 'of B', {}, s.actor())({ id: 'p1' }))).toBe('of B')
    job.finish('of A')
    expect(await s.world.run(zombie)).toBe('of B')
  })
})

describe.each(places)('@Locked of the $standard standard on $name', (place) => {
  const payment: Payment = { id: 'p1', account: 'a1' }

  test('V1 one at a time: the second is refused, or skipped as configured, and its method does not run', async () => {
    const s = await open(place)
    const job = work()
    const first = s.alone(job.run)(payment)
    await s.world.run(job.begun)
    const other = s.actor()
    const refused = s.alone(() => expect.unreachable(), {}, other)(payment)
    expect(await s.world.run(outcome(refused))).toMatchObject({ error: { code: 'LOCK_HELD' } })
    const skipped = s.alone(() => expect.unreachable(), { onHeld: 'skip' }, other)(payment)
    expect(await s.world.run(skipped)).toBeUndefined()
    job.finish('settled')
    expect(await s.world.run(first)).toBe('settled')
    expect(await holder(s)).toBeUndefined()
  })

  test.each(['a result', 'an error'])('L10 releasing what another holds now changes nothing and hides %s not', async (end) => {
    const s = await open(place)
    const [slow, next] = [work(), work()]
    const late = new Error('too late')
    const first = s.alone(slow.run)(payment, s.lambda(LEASE))
    first.catch(() => undefined)
    await s.world.run(slow.begun)
    await s.world.advance(LEASE + 1000 + GRACE)
    const second = s.alone(next.run, {}, s.actor())(payment)
    await s.world.run(next.begun)
    const now = await holder(s)
    if (end === 'an error') slow.fail(late)
    else slow.finish('late result')
    expect(await s.world.run(outcome(first))).toEqual(end === 'an error' ? { error: late } : { value: 'late result' })
    expect(await holder(s)).toEqual(now)
    next.finish('done')
    await s.world.run(second)
  })

  test('L22 what the method throws comes out, also when the release fails', async () => {
    const s = await open(place)
    const error = new Error('no connection')
    const settle = s.alone(() => {
      s.app.wire.cut()
      throw error
    })
    expect(await s.world.run(outcome(settle(payment)))).toEqual({ error })
    expect(s.app.named('release-failed')).toHaveLength(1)
  })

  test('L2 at the method’s end timers are stopped and the signal aborted', async () => {
    const s = await open(place)
    const settle = s.alone(() => currentLock().signal)
    expect(await s.world.run(settle(payment))).toMatchObject({ aborted: true })
    expect(s.app.client.pendingTimers).toBe(0)
  })

  test('L17 waiting and holding stop at the invocation’s remaining time', async () => {
    const s = await open(place)
    const job = work()
    const first = s.alone(job.run)(payment)
    await s.world.run(job.begun)
    const startedAt = s.world.now
    const waiting = s.alone(() => expect.unreachable(), { waitMs: 60_000 }, s.actor())(payment, s.lambda(2000))
    expect(await s.world.run(outcome(waiting))).toMatchObject({ error: { code: 'LOCK_HELD' } })
    expect(s.world.now - startedAt).toBeLessThanOrEqual(2000)
    job.finish('settled')
    await s.world.run(first)
  })
})
