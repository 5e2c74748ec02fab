import { type CrashedAttempt, type Decision, type Reconcile, withIdempotency } from 'alonce'
import { describe, expect, test } from 'vitest'
import { backends } from '../../support/backends.ts'
import { type Actor, GRACE, LEASE, outcome, type Stage, stage, work } from '../idempotency/stage.ts'

const base = (actor: Actor) =>
  ({ store: actor.store, operation: 'charge', key: 'p1', leaseMs: LEASE, onEvent: actor.onEvent }) as const

const reconciling = (actor: Actor, reconcile: Reconcile) => ({ ...base(actor), onCrash: { reconcile } }) as const

const never: Reconcile = () => {
  throw new Error('there is nothing to find out')
}

/** An attempt that dies after its first step. */
async function crash(s: Stage, onCrash: 'retry' | 'hold' | { reconcile: Reconcile } = { reconcile: never }) {
  const a = s.actor()
  const rest = work()
  let downstreamKey = ''
  const dying = withIdempotency({ ...base(a), onCrash }, async (operation) => {
    downstreamKey = operation.downstreamKey('charge')
    await operation.checkpoint('asked', () => ({ at: 5 }))
    return rest.run()
  })
  dying.catch(() => undefined)
  await s.world.run(rest.begun)
  a.client.kill()
  await s.world.advance(LEASE + GRACE)
  return { downstreamKey, fence: a.named('started')[0]?.fence }
}

describe.each(backends)('what became of a crashed attempt, on $name', (backend) => {
  test('the function is told of the attempt, and says `retry`: the next attempt runs', async () => {
    const s = await stage(backend)
    const { downstreamKey, fence } = await crash(s)
    const b = s.actor()
    const told: Partial<CrashedAttempt>[] = []
    const call = withIdempotency(
      reconciling(b, (crashed) => {
        told.push({ ...crashed })
        expect(crashed.downstreamKey('charge')).toBe(downstreamKey)
        return 'retry'
      }),
      async (operation) => [operation.attempt, operation.downstreamKey('charge') === downstreamKey],
    )
    expect(await s.world.run(call)).toEqual([2, true])
    expect(told).toMatchObject([{ attempt: 1, fence, checkpoints: { asked: { at: 5 } } }])
    expect(b.events.map(({ event }) => event)).toEqual(['took-over', 'reconciled', 'completed'])
    expect(b.named('reconciled')).toMatchObject([{ reason: 'retry', attempt: 2 }])
  })

  test('it says what the result is: callers get it, and nothing runs', async () => {
    const s = await stage(backend)
    await crash(s)
    const [b, c] = [s.actor(), s.actor()]
    let runs = 0
    const call = (actor: Actor) =>
      withIdempotency(
        reconciling(actor, async () => ({ result: 'charged' })),
        async () => `run ${++runs}`,
      )
    expect(await s.world.run(call(b))).toBe('charged')
    expect(await s.world.run(call(c))).toBe('charged')
    expect(runs).toBe(0)
    expect(c.events.map(({ event }) => event)).toEqual(['replayed'])
    expect(await s.record('charge', 'p1')).toMatchObject({ status: 'completed', crashed: undefined })
  })

  test('it says what the error is: it is final, and thrown again', async () => {
    const s = await stage(backend)
    await crash(s)
    const declined = new RangeError('declined')
    const call = () =>
      withIdempotency(
        reconciling(s.actor(), () => ({ error: declined })),
        async () => 'run',
      )
    expect(await s.world.run(outcome(call()))).toEqual({ error: declined })
    expect(await s.world.run(outcome(call()))).toMatchObject({ error: { name: 'RangeError', message: 'declined' } })
  })

  test('it says `hold`: nobody runs, and the next one asks again when this lease has ended', async () => {
    const s = await stage(backend)
    await crash(s)
    const [b, c] = [s.actor(), s.actor()]
    const decisions: Decision[] = ['hold', 'retry']
    const call = (actor: Actor) =>
      withIdempotency(
        reconciling(actor, () => decisions.shift() ?? 'hold'),
        async () => 'run',
      )
    expect(await s.world.run(outcome(call(b)))).toMatchObject({ error: { code: 'IN_PROGRESS', statusCode: 409 } })
    expect(b.client.pendingTimers).toBe(0)
    expect(await s.world.run(outcome(call(c)))).toMatchObject({
      error: { code: 'IN_PROGRESS', retryAfterMs: expect.any(Number) },
    })
    expect(decisions).toEqual(['retry'])
    await s.world.advance(LEASE + GRACE)
    expect(await s.world.run(call(c))).toBe('run')
  })

  test('it fails: its error comes out, nothing runs, and the record stays held', async () => {
    const s = await stage(backend)
    await crash(s)
    const [b, c] = [s.actor(), s.actor()]
    const away = new Error('the provider does not answer')
    const call = withIdempotency(
      reconciling(b, () => Promise.reject(away)),
      async () => 'run',
    )
    expect(await s.world.run(outcome(call))).toEqual({ error: away })
    expect(b.named('reconcile-failed')).toHaveLength(1)
    expect(b.named('abandoned')).toEqual([])
    await s.world.advance(LEASE + GRACE)
    const plain = withIdempotency({ ...base(c), onCrash: 'retry' }, async () => 'run')
    expect(await s.world.run(outcome(plain))).toMatchObject({ error: { code: 'IN_PROGRESS' } })
    expect(
      await s.world.run(
        withIdempotency(
          reconciling(c, () => 'retry'),
          async () => 'run',
        ),
      ),
    ).toBe('run')
  })

  test('an answer that is none of these is an error, not a run', async () => {
    const s = await stage(backend)
    await crash(s)
    let runs = 0
    const call = withIdempotency(
      reconciling(s.actor(), () => 'rerun' as never),
      async () => ++runs,
    )
    expect(await s.world.run(outcome(call))).toMatchObject({ error: { code: 'CONFIG_INVALID', option: 'onCrash' } })
    expect(runs).toBe(0)
  })

  test('V7 whoever does not reconcile is kept out, however long ago the lease has ended', async () => {
    const s = await stage(backend)
    await crash(s)
    await s.world.advance(3_600_000)
    for (const onCrash of ['retry', 'hold'] as const) {
      const call = withIdempotency({ ...base(s.actor()), onCrash }, async () => 'run')
      expect(await s.world.run(outcome(call))).toMatchObject({ error: { code: 'IN_PROGRESS' } })
    }
  })

  test.each(['hold', 'retry'] as const)(
    'an attempt that was begun with onCrash: %s is found out about as well',
    async (onCrash) => {
      const s = await stage(backend)
      await crash(s, onCrash)
      expect(
        await s.world.run(
          withIdempotency(
            reconciling(s.actor(), () => ({ result: 'charged' })),
            async () => 'run',
          ),
        ),
      ).toBe('charged')
    },
  )

  test('V1 of many at once one finds out; the others wait for what it says', async () => {
    const s = await stage(backend)
    await crash(s)
    let asked = 0
    const answer = work<Decision>()
    const calls = Array.from({ length: 10 }, () =>
      withIdempotency(
        {
          ...reconciling(s.actor(), () => {
            asked++
            return answer.run()
          }),
          waitMs: 60_000,
        },
        async () => 'run',
      ),
    )
    await s.world.run(answer.begun)
    await s.world.advance(LEASE * 3)
    answer.finish({ result: 'charged' })
    expect(await s.world.run(Promise.all(calls))).toEqual(Array(10).fill('charged'))
    expect(asked).toBe(1)
  })

  test('the begin that takes over is applied and its answer lost: it is found out all the same', async () => {
    const s = await stage(backend)
    await crash(s)
    const b = s.actor()
    await s.world.run(b.store.read('once/none/0' as never))
    b.wire.inject('drop-answer', 'once.begin')
    let asked = 0
    const call = withIdempotency(
      reconciling(b, () => {
        asked++
        return { result: 'charged' }
      }),
      async () => 'run',
    )
    expect(await s.world.run(call)).toBe('charged')
    expect(asked).toBe(1)
  })

  test('who finds out is a zombie by then: what it says changes nothing', async () => {
    const s = await stage(backend)
    await crash(s)
    const [b, c] = [s.actor(), s.actor()]
    const answer = work<Decision>()
    let runs = 0
    const slow = withIdempotency(
      reconciling(b, () => answer.run()),
      async () => `run ${++runs}`,
    )
    slow.catch(() => undefined)
    await s.world.run(answer.begun)
    b.client.freeze()
    await s.world.advance(LEASE + GRACE)
    expect(
      await s.world.run(
        withIdempotency(
          reconciling(c, () => ({ result: 'of C' })),
          async () => `run ${++runs}`,
        ),
      ),
    ).toBe('of C')
    b.client.thaw()
    answer.finish('retry')
    expect(await s.world.run(outcome(slow))).toMatchObject({ error: { code: expect.stringMatching(/LEASE_EXPIRED|LOCK_LOST/) } })
    expect(runs).toBe(0)
  })

  test('after a failure, which is an outcome, there is nothing to find out', async () => {
    const s = await stage(backend)
    const failed = withIdempotency(reconciling(s.actor(), never), () => Promise.reject(new Error('declined')))
    await s.world.run(outcome(failed))
    expect(await s.world.run(withIdempotency(reconciling(s.actor(), never), (operation) => operation.attempt))).toBe(2)
  })

  test('another payload under the key of a crashed attempt is a mismatch', async () => {
    const s = await stage(backend)
    const a = s.actor()
    const job = work()
    const dying = withIdempotency({ ...reconciling(a, never), fingerprint: () => 'p' }, job.run)
    dying.catch(() => undefined)
    await s.world.run(job.begun)
    a.client.kill()
    await s.world.advance(LEASE + GRACE)
    const other = withIdempotency({ ...reconciling(s.actor(), never), fingerprint: () => 'q' }, async () => 'run')
    expect(await s.world.run(outcome(other))).toMatchObject({ error: { code: 'FINGERPRINT_MISMATCH' } })
  })
})
