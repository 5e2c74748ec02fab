import { currentOperation, makeIdempotent, withIdempotency } from 'alonce'
import { describe, expect, test } from 'vitest'
import { backends } from '../../support/backends.ts'
import { type Actor, GRACE, LEASE, outcome, type Stage, stage, work } from './stage.ts'

const options = (actor: Actor) =>
  ({ store: actor.store, operation: 'charge', key: 'p1', leaseMs: LEASE, onEvent: actor.onEvent }) as const

/** A begins and falls asleep until its lease has ended for everybody. */
async function sleeping({ world }: Stage, a: Actor) {
  const job = work()
  const call = withIdempotency(options(a), job.run)
  call.catch(() => undefined)
  await world.run(job.begun)
  a.client.freeze()
  await world.advance(LEASE + GRACE)
  return { ...job, call }
}

describe.each(backends)('ownership on $name', (backend) => {
  test('I1 zombie success: the record is the newer attempt’s, the zombie is told, its caller gets what counts', async () => {
    const s = await stage(backend)
    const [a, b, c] = [s.actor(), s.actor(), s.actor()]
    const zombie = await sleeping(s, a)
    expect(await s.world.run(withIdempotency(options(b), async () => 'of B'))).toBe('of B')
    const completed = await s.record('charge', 'p1')

    a.client.thaw()
    zombie.finish('of A')
    expect(await s.world.run(zombie.call)).toBe('of B')
    expect(a.named('lost').length).toBeGreaterThan(0)
    expect(a.named('completed')).toEqual([])
    expect(await s.record('charge', 'p1')).toEqual(completed)
    expect(await s.world.run(withIdempotency(options(c), async () => 'a third run'))).toBe('of B')
  })

  test('I1 a zombie that nothing woke before its completion is told `lost` by the store', async () => {
    const s = await stage(backend)
    const [a, b] = [s.actor(), s.actor()]
    const job = work()
    // The lease of a short invocation is not renewed, so no timer of ours notices anything.
    const call = withIdempotency({ ...options(a), leaseMs: undefined, context: s.lambda(LEASE) }, job.run)
    await s.world.run(job.begun)
    await s.world.advance(LEASE + 1000 + GRACE)
    await s.world.run(withIdempotency(options(b), async () => 'of B'))
    job.finish('of A')
    expect(await s.world.run(call)).toBe('of B')
    expect(a.named('lost')).toMatchObject([{ reason: 'lost', code: 'LOCK_LOST', attempt: 1 }])
  })

  test('I1 a zombie gets the newer attempt’s final error as every replay does', async () => {
    const s = await stage(backend)
    const [a, b] = [s.actor(), s.actor()]
    const zombie = await sleeping(s, a)
    const declined = async (): Promise<never> => {
      throw new RangeError('card declined')
    }
    await s.world.run(outcome(withIdempotency({ ...options(b), failure: 'store' }, declined)))
    a.client.thaw()
    zombie.finish('of A')
    await expect(s.world.run(zombie.call)).rejects.toMatchObject({ name: 'RangeError', message: 'card declined' })
  })

  test('I2 zombie failure: the newer record is untouched, and nobody runs a third time', async () => {
    const s = await stage(backend)
    const [a, b, c] = [s.actor(), s.actor(), s.actor()]
    const zombie = await sleeping(s, a)
    await s.world.run(withIdempotency(options(b), async () => 'of B'))
    const completed = await s.record('charge', 'p1')

    a.client.thaw()
    const mine = new Error('of A')
    zombie.fail(mine)
    expect(await s.world.run(outcome(zombie.call))).toEqual({ error: mine })
    expect(a.named('abandoned')).toEqual([])
    expect(a.named('lost').at(-1)).toMatchObject({ reason: 'lost' })
    expect(await s.record('charge', 'p1')).toEqual(completed)
    expect(await s.world.run(withIdempotency(options(c), async () => 'a third run'))).toBe('of B')
  })

  test('I3 zombie while the newer attempt runs: refused and uncertain, and a waiter gets the newer one’s', async () => {
    const s = await stage(backend)
    const [a, b, c] = [s.actor(), s.actor(), s.actor()]
    const zombie = await sleeping(s, a)
    const newer = work()
    const second = withIdempotency(options(b), newer.run)
    await s.world.run(newer.begun)
    const waiter = withIdempotency({ ...options(c), waitMs: 60_000 }, async () => 'a third run')
    await s.world.advance(100)

    a.client.thaw()
    zombie.finish('of A')
    await expect(s.world.run(zombie.call)).rejects.toMatchObject({ code: 'OUTCOME_UNCERTAIN' })
    newer.finish('of B')
    expect(await s.world.run(second)).toBe('of B')
    expect(await s.world.run(waiter)).toBe('of B')
    expect(b.named('took-over')).toHaveLength(1)
  })

  test('I3 zombie whose successor has failed: uncertain, and the record is left as it is', async () => {
    const s = await stage(backend)
    const [a, b] = [s.actor(), s.actor()]
    const zombie = await sleeping(s, a)
    await s.world.run(outcome(withIdempotency(options(b), () => Promise.reject(new Error('of B')))))
    const givenBack = await s.record('charge', 'p1')
    a.client.thaw()
    zombie.finish('of A')
    await expect(s.world.run(zombie.call)).rejects.toMatchObject({ code: 'OUTCOME_UNCERTAIN' })
    expect(await s.record('charge', 'p1')).toEqual(givenBack)
  })

  test('I4 no takeover until 0.7 s after the deadline: Lambda kills late', async () => {
    const s = await stage(backend)
    const [a, b] = [s.actor(), s.actor()]
    const job = work()
    const charge = makeIdempotent(async (_event: string, _context: unknown) => job.run(), {
      store: a.store,
      operation: 'charge',
      key: (event) => event,
    })
    const dying = charge('p1', s.lambda(6000))
    dying.catch(() => undefined)
    await s.world.run(job.begun)
    expect(a.client.pendingTimers).toBe(0)
    await s.world.advance(6700)
    a.client.kill()
    const early = await s.world.run(outcome(withIdempotency(options(b), async () => 'a second run')))
    expect(early).toMatchObject({ error: { code: 'IN_PROGRESS' } })
    await s.world.advance(300 + GRACE)
    expect(await s.world.run(withIdempotency(options(b), async () => 'a second run'))).toBe('a second run')
  })

  test('I5 a rejected duplicate touches nothing', async () => {
    const s = await stage(backend)
    const [a, b] = [s.actor(), s.actor()]
    const job = work()
    const first = withIdempotency(options(a), job.run)
    await s.world.run(job.begun)
    const before = await s.record('charge', 'p1')
    const duplicate = await s.world.run(outcome(withIdempotency(options(b), async () => 'a second run')))
    expect(duplicate).toMatchObject({ error: { code: 'IN_PROGRESS', statusCode: 409 } })
    expect(await s.record('charge', 'p1')).toEqual(before)
    expect(b.events.map((event) => event.event)).toEqual(['rejected'])
    job.finish('of A')
    expect(await s.world.run(first)).toBe('of A')
  })

  test.each(['in progress', 'completed'])('I5 a fingerprint mismatch touches nothing of a record that is %s', async (status) => {
    const s = await stage(backend)
    const [a, b] = [s.actor(), s.actor()]
    const job = work()
    const first = withIdempotency({ ...options(a), fingerprint: () => ({ amount: 1 }) }, job.run)
    await s.world.run(job.begun)
    if (status === 'completed') {
      job.finish('of A')
      await s.world.run(first)
    }
    const before = await s.record('charge', 'p1')
    const other = withIdempotency({ ...options(b), fingerprint: () => ({ amount: 2 }) }, async () => 'another run')
    expect(await s.world.run(outcome(other))).toMatchObject({ error: { code: 'FINGERPRINT_MISMATCH', statusCode: 422 } })
    expect(await s.record('charge', 'p1')).toEqual(before)
    expect(b.events.map((event) => event.event)).toEqual(['mismatch'])
    job.finish('of A')
    expect(await s.world.run(first)).toBe('of A')
  })

  test('I6 what throws after the completion leaves it complete', async () => {
    const s = await stage(backend)
    const a = s.actor()
    const charge = makeIdempotent(async (id: string) => id.toUpperCase(), { ...options(a), key: (id) => id })
    const handler = async (id: string): Promise<never> => {
      throw new Error(`no answer for ${await charge(id)}`)
    }
    expect(await s.world.run(outcome(handler('p1')))).toMatchObject({ error: { message: 'no answer for P1' } })
    expect(await s.record('charge', 'p1')).toMatchObject({ status: 'completed', attempt: 1 })
    expect(a.named('abandoned')).toEqual([])
    expect(await s.world.run(charge('p1'))).toBe('P1')
  })

  test('I7 a promise left over from an earlier invocation is refused when a frozen environment thaws', async () => {
    const s = await stage(backend)
    const [a, b] = [s.actor(), s.actor()]
    const charge = makeIdempotent(
      async (_id: string, run: () => Promise<string>, _context: unknown) => {
        const value = await run()
        // The left-over code uses its handle, too.
        return `${value} ${await currentOperation()
          .extend(LEASE)
          .then(
            () => 'extended',
            (error) => error.code,
          )}`
      },
      { store: a.store, operation: 'charge', key: (id) => id, onEvent: a.onEvent },
    )
    const leftOver = work()
    const earlier = charge('p1', leftOver.run, s.lambda(LEASE))
    await s.world.run(leftOver.begun)
    a.client.freeze()
    await s.world.advance(LEASE + 1000 + GRACE)
    await s.world.run(withIdempotency(options(b), async () => 'of B'))
    const completed = await s.record('charge', 'p1')

    a.client.thaw()
    // The same environment serves its next invocation while the left-over promise runs on.
    const next = charge('p2', async () => 'next', s.lambda(60_000))
    leftOver.finish('of A')
    expect(await s.world.run(earlier)).toBe('of B')
    expect(await s.world.run(next)).toBe('next extended')
    expect(await s.record('charge', 'p1')).toEqual(completed)
    expect(a.named('lost')).toHaveLength(1)
  })
})
