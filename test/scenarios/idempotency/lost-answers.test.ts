import { AlonceError, type Store, withIdempotency } from 'alonce'
import { describe, expect, test } from 'vitest'
import { backends } from '../../support/backends.ts'
import { type Actor, GRACE, keyOf, LEASE, outcome, stage, work } from './stage.ts'

const options = (actor: Actor) =>
  ({ store: actor.store, operation: 'charge', key: 'p1', leaseMs: LEASE, onEvent: actor.onEvent }) as const

describe.each(backends)('lost answers on $name', (backend) => {
  test('I8 the begin is applied, its answer lost, and sent again: one run, no wait', async () => {
    const s = await stage(backend)
    const a = s.actor()
    a.wire.inject('drop-answer', 'once.begin')
    let runs = 0
    const startedAt = s.world.now
    expect(await s.world.run(withIdempotency(options(a), async () => ++runs))).toBe(1)
    expect(runs).toBe(1)
    expect(s.world.now - startedAt).toBeLessThan(1000)
    expect(a.named('started')).toMatchObject([{ attempt: 1 }])
    expect(a.named('waited')).toEqual([])
    expect(await s.record('charge', 'p1')).toMatchObject({ status: 'completed', attempt: 1 })
  })

  test('I8 a begin that never gets an answer leaves no orphan behind', async () => {
    const s = await stage(backend)
    const [a, b] = [s.actor(), s.actor()]
    a.wire.inject('drop-answer', 'once.begin', 100)
    let runs = 0
    const refused = await s.world.run(outcome(withIdempotency(options(a), async () => ++runs)))
    expect(refused).toMatchObject({ error: { code: 'STORE_UNAVAILABLE', maybeApplied: true } })
    expect(runs).toBe(0)
    expect((await s.record('charge', 'p1'))?.status).toBeUndefined()
    // Nobody has to wait for the end of a lease that protects nothing.
    expect(await s.world.run(withIdempotency(options(b), async () => 'at once'))).toBe('at once')
  })

  test('I8 a late duplicate of the begin revives nothing', async () => {
    const s = await stage(backend)
    const a = s.actor()
    const ghost = a.wire.capture('once.begin')
    await s.world.run(outcome(withIdempotency(options(a), () => Promise.reject(new Error('declined')))))
    const before = await s.record('charge', 'p1')
    await s.world.run(ghost.deliver())
    expect(await s.record('charge', 'p1')).toEqual(before)
    expect(before?.status).toBeUndefined()
  })

  test('I9 the completion is applied and its answer lost: success', async () => {
    const s = await stage(backend)
    const a = s.actor()
    a.wire.inject('drop-answer', 'once.complete')
    expect(await s.world.run(withIdempotency(options(a), async () => 'charged'))).toBe('charged')
    expect(a.named('completed')).toHaveLength(1)
    expect(a.named('completion-failed')).toEqual([])
    expect(await s.world.run(withIdempotency(options(a), async () => 'again'))).toBe('charged')
  })

  test('I9 a completion without an answer is sent again until it has one', async () => {
    const s = await stage(backend)
    const a = s.actor()
    // More than one client gives up on: the library's own second sending must recognise the first.
    a.wire.inject('drop-answer', 'once.complete', 7)
    expect(await s.world.run(withIdempotency({ ...options(a), leaseMs: 30_000 }, async () => 'charged'))).toBe('charged')
    expect(a.named('completed')).toHaveLength(1)
    expect(await s.world.run(withIdempotency(options(a), async () => 'again'))).toBe('charged')
  })

  test('I10 the hand-back is applied and its answer lost: success', async () => {
    const s = await stage(backend)
    const a = s.actor()
    a.wire.inject('drop-answer', 'once.abandon')
    const declined = new Error('declined')
    expect(await s.world.run(outcome(withIdempotency(options(a), () => Promise.reject(declined))))).toEqual({ error: declined })
    expect(a.named('abandoned')).toMatchObject([{ attempt: 1, reason: undefined }])
    expect(await s.world.run(withIdempotency(options(a), async () => 'second'))).toBe('second')
  })

  test('I10 if another owner has begun meanwhile, `gone`, and nothing of his changes', async () => {
    const s = await stage(backend)
    const [a, b] = [s.actor(), s.actor()]
    a.wire.inject('drop-answer', 'once.abandon')
    const resent = a.wire.hold('once.abandon')
    const declined = new Error('declined')
    const first = outcome(withIdempotency(options(a), () => Promise.reject(declined)))
    await s.world.run(resent.arrived)

    const job = work()
    const second = withIdempotency(options(b), job.run)
    await s.world.run(job.begun)
    const before = await s.record('charge', 'p1')
    resent.letGo()
    expect(await s.world.run(first)).toEqual({ error: declined })
    expect(a.named('abandoned')).toMatchObject([{ reason: 'gone' }])
    expect(a.named('lost')).toEqual([])
    expect(await s.record('charge', 'p1')).toEqual(before)
    job.finish('of B')
    expect(await s.world.run(second)).toBe('of B')
  })

  test.each(['retry', 'hold'] as const)(
    'I11 the completion can’t be written: the caller gets the result, an event tells, no other run before the lease ends (onCrash: %s)',
    async (onCrash) => {
      const s = await stage(backend)
      const [a, b] = [s.actor(), s.actor()]
      const job = work()
      const first = withIdempotency({ ...options(a), onCrash }, job.run)
      await s.world.run(job.begun)
      a.wire.cut('drop-request')
      job.finish('charged')
      expect(await s.world.run(first)).toBe('charged')
      expect(a.named('completion-failed')).toMatchObject([{ code: 'STORE_UNAVAILABLE', attempt: 1 }])
      expect(a.client.pendingTimers).toBe(0)

      const again = () => s.world.run(outcome(withIdempotency({ ...options(b), onCrash }, async () => 'a second run')))
      const record = await s.record('charge', 'p1')
      expect(record?.status).toBe('in-progress')
      await s.world.advance(Math.max(0, (record?.expiresAtMs ?? 0) - s.world.now - 1500))
      expect(await again()).toMatchObject({ error: { code: 'IN_PROGRESS' } })
      await s.world.advance(1500 + GRACE)
      if (onCrash === 'retry') {
        expect(await again()).toEqual({ value: 'a second run' })
      } else {
        const held = await again()
        expect(held).toMatchObject({ error: { code: 'IN_PROGRESS', retryAfterMs: undefined, fence: record?.fence } })
        expect((held as { error: Error }).error.message).toContain('forget the record')
      }
    },
  )

  test('I11 a held operation runs again once somebody has decided', async () => {
    const s = await stage(backend)
    const [a, b] = [s.actor(), s.actor()]
    const job = work()
    const crashed = withIdempotency({ ...options(a), onCrash: 'hold' }, job.run)
    crashed.catch(() => undefined)
    await s.world.run(job.begun)
    a.client.kill()
    await s.world.advance(LEASE + GRACE)
    const fence = (await s.record('charge', 'p1'))?.fence ?? (0 as never)
    const key = keyOf('charge', 'p1')
    await s.world.run(b.store.execute({ type: 'once.forget', key, owner: 'operator', fence, reason: 'not charged' }))
    expect(await s.world.run(withIdempotency({ ...options(b), onCrash: 'hold' }, async () => 'charged'))).toBe('charged')
  })

  test('I11 a refused completion that may have been applied is uncertain: the caller gets its result, an event tells', async () => {
    const s = await stage(backend)
    const [a, b] = [s.actor(), s.actor()]
    const job = work()
    const first = withIdempotency(options(a), job.run)
    await s.world.run(job.begun)
    a.wire.inject('drop-request', 'once.complete')
    job.finish('of A')
    await s.world.settle()
    // It has been sent once, and would now be sent again.
    a.client.freeze()
    await s.world.advance(LEASE + GRACE)
    await s.world.run(withIdempotency(options(b), async () => 'of B'))
    a.client.thaw()
    expect(await s.world.run(first)).toBe('of A')
    expect(a.named('completion-failed')).toMatchObject([{ reason: 'uncertain', code: 'OUTCOME_UNCERTAIN' }])
    expect(a.named('completed')).toEqual([])
    expect(await s.world.run(withIdempotency(options(b), async () => 'a third run'))).toBe('of B')
  })

  test('I11 so is one that the store gave up on and the library sent again', async () => {
    const s = await stage(backend)
    const [a, b] = [s.actor(), s.actor()]
    const job = work()
    let givenUp = 0
    const impatient: Store = {
      ...a.store,
      execute: (command, given) => {
        if (command.type !== 'once.complete' || ++givenUp > 1) return a.store.execute(command, given)
        return Promise.reject(new AlonceError('STORE_UNAVAILABLE', 'as told', { maybeApplied: true }))
      },
    }
    const first = withIdempotency({ ...options(a), store: impatient }, job.run)
    await s.world.run(job.begun)
    job.finish('of A')
    await s.world.settle()
    a.client.freeze()
    await s.world.advance(LEASE + GRACE)
    await s.world.run(withIdempotency(options(b), async () => 'of B'))
    a.client.thaw()
    expect(await s.world.run(first)).toBe('of A')
    expect(givenUp).toBe(2)
    expect(a.named('completion-failed')).toMatchObject([{ reason: 'uncertain', code: 'OUTCOME_UNCERTAIN' }])
    expect(a.named('lost')).toEqual([])
  })
})
