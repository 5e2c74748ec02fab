import { currentOperation, isAlonceError, makeIdempotent, withIdempotency } from 'alonce'
import { describe, expect, test } from 'vitest'
import { backends } from '../../support/backends.ts'
import { type Actor, GRACE, keyOf, LEASE, outcome, type Stage, stage, work } from './stage.ts'

const options = (actor: Actor) =>
  ({ store: actor.store, operation: 'charge', key: 'p1', leaseMs: LEASE, onEvent: actor.onEvent }) as const

describe.each(backends)('concurrency on $name', (backend) => {
  test('I12 50 at once, waiting: one run, 50 equal results', async () => {
    const s = await stage(backend)
    let runs = 0
    const calls = Array.from({ length: 50 }, () => {
      const actor = s.actor()
      return withIdempotency({ ...options(actor), waitMs: 60_000 }, async () => {
        runs++
        await pause(actor, 700)
        return { chargeId: `c${runs}` }
      })
    })
    const results = await s.world.run(Promise.all(calls))
    expect(runs).toBe(1)
    expect(results).toHaveLength(50)
    for (const result of results) expect(result).toEqual({ chargeId: 'c1' })
    expect(new Set(results).size).toBe(50)
  })

  test('I12 50 at once, not waiting: one run, 49 IN_PROGRESS, each with a usable retryAfterMs', async () => {
    const s = await stage(backend)
    let runs = 0
    const calls = Array.from({ length: 50 }, () => {
      const actor = s.actor()
      return outcome(
        withIdempotency(options(actor), async () => {
          runs++
          await pause(actor, 700)
          return 'charged'
        }),
      )
    })
    const outcomes = await s.world.run(Promise.all(calls))
    expect(runs).toBe(1)
    const refusals = outcomes.flatMap((ended) => ('error' in ended ? [ended.error] : []))
    expect(refusals).toHaveLength(49)
    for (const refusal of refusals) {
      if (!isAlonceError(refusal, 'IN_PROGRESS')) throw refusal
      expect(refusal.retryAfterMs).toBeGreaterThan(0)
      expect(refusal.retryAfterMs).toBeLessThanOrEqual(5000)
      expect(refusal.headers['Retry-After']).toMatch(/^[1-5]$/)
    }
    // It is usable: whoever comes again then gets the result.
    await s.world.advance(Math.max(...refusals.map((refusal) => (refusal as { retryAfterMs: number }).retryAfterMs)))
    expect(await s.world.run(withIdempotency(options(s.actor()), async () => 'again'))).toBe('charged')
  })

  test('I13 the owner fails while others wait: exactly one takes over, at once', async () => {
    const s = await stage(backend)
    const owner = s.actor()
    const job = work()
    const failing = outcome(withIdempotency({ ...options(owner), leaseMs: 60_000 }, job.run))
    await s.world.run(job.begun)
    const waiters = waiting(s, 10)
    await s.world.advance(5000)
    expect(waiters.starts).toEqual([])

    const failedAt = s.world.now
    job.fail(new Error('declined'))
    await s.world.run(failing)
    expect(await s.world.run(Promise.all(waiters.calls))).toEqual(Array.from({ length: 10 }, () => 'run 1'))
    expect(waiters.starts).toHaveLength(1)
    expect((waiters.starts[0] ?? 0) - failedAt).toBeLessThanOrEqual(1000)
  })

  test('I13 the owner’s lease ends while others wait: exactly one takes over, at once', async () => {
    const s = await stage(backend)
    const owner = s.actor()
    const job = work()
    const dying = withIdempotency(options(owner), job.run)
    dying.catch(() => undefined)
    await s.world.run(job.begun)
    const waiters = waiting(s, 10)
    await s.world.advance(500)
    owner.client.kill()
    const { expiresAtMs = 0 } = (await s.record('charge', 'p1')) ?? {}

    expect(await s.world.run(Promise.all(waiters.calls))).toEqual(Array.from({ length: 10 }, () => 'run 1'))
    expect(waiters.starts).toHaveLength(1)
    expect(waiters.starts[0]).toBeGreaterThan(expiresAtMs)
    expect((waiters.starts[0] ?? 0) - expiresAtMs).toBeLessThanOrEqual(backend.name === 'memory' ? 25 : GRACE)
    // The end of a lease, which not every store knows to the millisecond, starts no storm of requests.
    for (const waiter of waiters.actors) expect(waiter.wire.sent.length).toBeLessThan(40)
  })

  test('I13 a lone waiter is awake when the lease ends, however rare its reads have become', async () => {
    const s = await stage(backend)
    const owner = s.actor()
    const job = work()
    const dying = withIdempotency({ ...options(owner), leaseMs: undefined, context: s.lambda(9000) }, job.run)
    dying.catch(() => undefined)
    await s.world.run(job.begun)
    const { expiresAtMs = 0 } = (await s.record('charge', 'p1')) ?? {}
    const waiters = waiting(s, 1)
    await s.world.run(Promise.all(waiters.calls))
    expect((waiters.starts[0] ?? 0) - expiresAtMs).toBeLessThanOrEqual(backend.name === 'memory' ? 5 : GRACE)
  })

  test('I13 the one who takes over fails as well: the next one does', async () => {
    const s = await stage(backend)
    let runs = 0
    const calls = Array.from({ length: 5 }, () => {
      const actor = s.actor()
      return outcome(
        withIdempotency({ ...options(actor), waitMs: 60_000 }, async () => {
          const run = ++runs
          await pause(actor, 300)
          if (run < 3) throw new Error(`run ${run} failed`)
          return currentOperation().attempt
        }),
      )
    })
    const outcomes = await s.world.run(Promise.all(calls))
    expect(runs).toBe(3)
    expect(outcomes.filter((ended) => 'error' in ended)).toHaveLength(2)
    expect(outcomes.filter((ended) => 'value' in ended)).toEqual([{ value: 3 }, { value: 3 }, { value: 3 }])
  })

  test('I14 a waiter’s own deadline bounds its wait', async () => {
    const s = await stage(backend)
    const [a, b] = [s.actor(), s.actor()]
    const job = work()
    const running = withIdempotency({ ...options(a), leaseMs: 60_000 }, job.run)
    await s.world.run(job.begun)
    const startedAt = s.world.now
    const waiter = withIdempotency({ ...options(b), waitMs: 60_000, context: s.lambda(4000) }, async () => 'a second run')
    const refusal = await s.world.run(outcome(waiter))
    expect(refusal).toMatchObject({ error: { code: 'IN_PROGRESS' } })
    // 20 % of 4 s is left to answer with.
    expect(s.world.now - startedAt).toBeGreaterThan(2500)
    expect(s.world.now - startedAt).toBeLessThanOrEqual(3200)
    expect(b.named('waited')).toMatchObject([{ durationMs: s.world.now - startedAt }])
    job.finish('of A')
    expect(await s.world.run(running)).toBe('of A')
  })

  test('I14 waiting reads, and the reads grow rarer', async () => {
    const s = await stage(backend)
    const [a, b] = [s.actor(), s.actor()]
    const job = work()
    const running = withIdempotency({ ...options(a), leaseMs: 60_000 }, job.run)
    await s.world.run(job.begun)
    await s.world.run(outcome(withIdempotency({ ...options(b), waitMs: 10_000 }, async () => 'a second run')))
    expect(b.wire.sent.filter((type) => type === 'once.begin')).toHaveLength(1)
    expect(b.wire.sent.filter((type) => type === 'read').length).toBeLessThan(45)
    expect(b.named('waited')).toMatchObject([{ requests: b.wire.sent.length }])
    job.finish('of A')
    await s.world.run(running)
  })

  test('I15 the record vanishes between a refusal and the read: begin again, never run unclaimed', async () => {
    const s = await stage(backend)
    const [a, b, c] = [s.actor(), s.actor(), s.actor()]
    const job = work()
    const first = outcome(withIdempotency({ ...options(a), leaseMs: 60_000 }, job.run))
    await s.world.run(job.begun)
    const read = b.wire.hold('read')
    const taken = work()
    const waiter = withIdempotency({ ...options(b), waitMs: 30_000 }, taken.run)
    await s.world.run(read.arrived)
    await s.world.run(s.shared.remove(keyOf('charge', 'p1')))
    read.letGo()
    await s.world.run(taken.begun)
    expect(b.wire.sent).toEqual(['once.begin', 'read', 'once.begin'])
    const duplicate = await s.world.run(outcome(withIdempotency(options(c), async () => 'a third run')))
    expect(duplicate).toMatchObject({ error: { code: 'IN_PROGRESS' } })
    taken.finish('of B')
    expect(await s.world.run(waiter)).toBe('of B')
    job.finish('of A')
    expect(await s.world.run(first)).toEqual({ value: 'of B' })
  })

  test.each([
    ['ahead', 5000],
    ['behind', -5000],
  ])('I16 client clocks 5 s %s: no second run while the first lives, progress afterwards', async (_name, wallOffsetMs) => {
    const s = await stage(backend)
    const [a, b] = [s.actor(), s.actor({ wallOffsetMs })]
    const job = work()
    const first = withIdempotency(options(a), job.run)
    first.catch(() => undefined)
    await s.world.run(job.begun)
    for (let round = 0; round < 8; round++) {
      await s.world.advance(1000)
      const second = await s.world.run(outcome(withIdempotency(options(b), async () => 'a second run')))
      expect(second).toMatchObject({ error: { code: 'IN_PROGRESS' } })
    }
    a.client.kill()
    await s.world.advance(LEASE + GRACE)
    expect(await s.world.run(withIdempotency(options(b), async () => 'a second run'))).toBe('a second run')
  })

  test.each([
    ['ahead', 5000],
    ['behind', -5000],
  ])('I16 a holder whose clock is 5 s %s keeps its lease', async (_name, wallOffsetMs) => {
    const s = await stage(backend)
    const [a, b] = [s.actor({ wallOffsetMs }), s.actor()]
    const first = withIdempotency(options(a), async (operation) => {
      await pause(a, LEASE * 3)
      return operation.signal.aborted
    })
    await s.world.advance(LEASE * 2)
    const second = await s.world.run(outcome(withIdempotency(options(b), async () => 'a second run')))
    expect(second).toMatchObject({ error: { code: 'IN_PROGRESS' } })
    expect(await s.world.run(first)).toBe(false)
  })

  test('I17 a handler five times longer than its lease keeps it by renewal', async () => {
    const s = await stage(backend)
    const [a, b] = [s.actor(), s.actor()]
    const first = withIdempotency(options(a), async (operation) => {
      await pause(a, 5 * LEASE)
      return operation.signal.aborted ? 'aborted' : 'charged'
    })
    await s.world.advance(10)
    for (let passed = 0; passed < 5 * LEASE - 1000; passed += 1000) {
      const second = await s.world.run(outcome(withIdempotency(options(b), async () => 'a second run')))
      expect(second).toMatchObject({ error: { code: 'IN_PROGRESS' } })
      await s.world.advance(1000)
    }
    expect(await s.world.run(first)).toBe('charged')
    expect(a.named('extended').length).toBeGreaterThanOrEqual(12)
    expect(a.named('completed')).toMatchObject([{ attempt: 1 }])
    expect(a.client.pendingTimers).toBe(0)
    const sent = a.wire.sent.length
    await s.world.advance(10 * LEASE)
    expect(a.wire.sent).toHaveLength(sent)
  })

  test('I17 when renewal fails for good, `signal` aborts before the lease ends', async () => {
    const s = await stage(backend)
    const a = s.actor()
    let abortedAt = 0
    const first = withIdempotency(options(a), async (operation) => {
      const aborted = Promise.withResolvers<unknown>()
      operation.signal.addEventListener('abort', () => {
        abortedAt = s.world.now
        aborted.resolve(operation.signal.reason)
      })
      throw await aborted.promise
    })
    await s.world.advance(500)
    a.wire.cut('drop-request')
    const { expiresAtMs = 0 } = (await s.record('charge', 'p1')) ?? {}
    const ended = await s.world.run(outcome(first))
    expect(ended).toMatchObject({ error: { code: 'LEASE_EXPIRED', reason: 'expired' } })
    expect(abortedAt).toBeGreaterThan(0)
    expect(abortedAt).toBeLessThan(expiresAtMs)
    expect(a.named('extend-failed').length).toBeGreaterThan(0)
    expect(a.named('lost')).toMatchObject([{ reason: 'expired' }])
    expect(a.client.pendingTimers).toBe(0)
  })

  test('I17 a renewal that was applied without an answer keeps the lease', async () => {
    const s = await stage(backend)
    const a = s.actor()
    const first = withIdempotency(options(a), async (operation) => {
      await pause(a, 3 * LEASE)
      return operation.signal.aborted
    })
    await s.world.advance(500)
    a.wire.inject('drop-answer', 'once.extend', 4)
    expect(await s.world.run(first)).toBe(false)
    expect(a.named('lost')).toEqual([])
    expect(a.named('completed')).toHaveLength(1)
  })

  test('I17 the handler learns that its record was taken away', async () => {
    const s = await stage(backend)
    const a = s.actor()
    const first = withIdempotency(options(a), async (operation) => {
      await pause(a, LEASE)
      return operation.signal.reason
    })
    await s.world.advance(100)
    await s.world.run(s.shared.remove(keyOf('charge', 'p1')))
    expect(await s.world.run(outcome(first))).toMatchObject({ error: { code: 'OUTCOME_UNCERTAIN' } })
    expect(a.named('lost')).toMatchObject([{ reason: 'lost', code: 'LOCK_LOST' }])
  })

  test('I18 two invocations at once in one environment keep their own context and deadline', async () => {
    const s = await stage(backend)
    const a = s.actor()
    const jobs = { p1: work<void>(), p2: work<void>() }
    const charge = makeIdempotent(
      async (id: 'p1' | 'p2', _context: unknown) => {
        const before = currentOperation().key
        await jobs[id].run()
        return [before, currentOperation().key]
      },
      { store: a.store, operation: 'charge', key: (id) => id },
    )
    const short = charge('p1', s.lambda(5000, 'short'))
    const long = charge('p2', s.lambda(65_000, 'long'))
    await s.world.run(Promise.all([jobs.p1.begun, jobs.p2.begun]))
    const [one, two] = [await s.record('charge', 'p1'), await s.record('charge', 'p2')]
    expect((two?.expiresAtMs ?? 0) - (one?.expiresAtMs ?? 0)).toBeGreaterThan(57_000)
    expect([one?.label, two?.label]).toEqual(['short', 'long'])
    jobs.p2.finish()
    jobs.p1.finish()
    expect(await s.world.run(short)).toEqual([keyOf('charge', 'p1'), keyOf('charge', 'p1')])
    expect(await s.world.run(long)).toEqual([keyOf('charge', 'p2'), keyOf('charge', 'p2')])
  })
})

const pause = (actor: Actor, ms: number): Promise<void> =>
  new Promise((resolve) => {
    actor.client.timer.after(ms, resolve)
  })

/** Callers that wait for the owner; each notes when it runs, and what its run is called. */
function waiting({ actor, world }: Stage, count: number) {
  const starts: number[] = []
  const actors = Array.from({ length: count }, () => actor())
  const calls = actors.map((waiter) => {
    return withIdempotency({ ...options(waiter), waitMs: 60_000 }, async () => {
      starts.push(world.now)
      const run = starts.length
      await pause(waiter, 400)
      return `run ${run}`
    })
  })
  return { starts, calls, actors }
}
