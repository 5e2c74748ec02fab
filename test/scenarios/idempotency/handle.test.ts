import { AlonceError, currentOperation, makeIdempotent, type Operation, type Store, withIdempotency } from 'alonce'
import { describe, expect, test } from 'vitest'
import { backends } from '../../support/backends.ts'
import { type Actor, GRACE, keyOf, LEASE, outcome, type Stage, stage, work } from './stage.ts'

const options = (actor: Actor) =>
  ({ store: actor.store, operation: 'charge', key: 'p1', leaseMs: LEASE, onEvent: actor.onEvent }) as const

/** One attempt that fails after `use`. */
async function attempt(s: Stage, use: (operation: Operation) => unknown): Promise<unknown> {
  let used: unknown
  const call = withIdempotency(options(s.actor()), async (operation) => {
    used = await use(operation)
    throw new Error('declined')
  })
  const ended = await s.world.run(outcome(call))
  expect(ended).toMatchObject({ error: { message: 'declined' } })
  return used
}

describe.each(backends)('the operation handle on $name', (backend) => {
  test('a downstream key is the same for every attempt, after a failure and after a takeover', async () => {
    const s = await stage(backend)
    const first = await attempt(s, (operation) => operation.downstreamKey('charge'))
    const second = await attempt(s, (operation) => operation.downstreamKey('charge'))
    expect(second).toBe(first)

    const a = s.actor()
    const job = work()
    const crashed = withIdempotency(options(a), job.run)
    crashed.catch(() => undefined)
    await s.world.run(job.begun)
    a.client.kill()
    await s.world.advance(LEASE + GRACE)
    const third = await s.world.run(withIdempotency(options(s.actor()), (operation) => operation.downstreamKey('charge')))
    expect(third).toBe(first)
    expect(first).toMatch(/^[\w-]{43}$/)
  })

  test('downstream keys differ by name, by key, and by operation', async () => {
    const s = await stage(backend)
    const { store } = s.actor()
    const keys: string[] = []
    for (const operation of ['charge', 'refund']) {
      for (const key of ['p1', 'p2']) {
        const call = withIdempotency({ store, operation, key }, (o) => [o.downstreamKey('a'), o.downstreamKey('b')])
        keys.push(...(await s.world.run(call)))
      }
    }
    expect(new Set(keys).size).toBe(8)
  })

  test('a retired downstream key is another one from then on, for later attempts too', async () => {
    const s = await stage(backend)
    const [first, second, other] = (await attempt(s, async (operation) => {
      const before = operation.downstreamKey('charge')
      const after = await operation.retireDownstreamKey('charge')
      expect(operation.downstreamKey('charge')).toBe(after)
      return [before, after, operation.downstreamKey('other')]
    })) as string[]
    expect(second).not.toBe(first)
    const later = await attempt(s, (operation) => [operation.downstreamKey('charge'), operation.downstreamKey('other')])
    expect(later).toEqual([second, other])
    const third = await attempt(s, (operation) => operation.retireDownstreamKey('charge'))
    expect([first, second]).not.toContain(third)
  })

  test('a retirement whose answer is lost is one retirement', async () => {
    const s = await stage(backend)
    const a = s.actor()
    const key = await s.world.run(
      withIdempotency(options(a), async (operation) => {
        a.wire.inject('drop-answer', 'once.retire')
        return operation.retireDownstreamKey('charge')
      }),
    )
    const b = await stage(backend)
    const once = withIdempotency(options(b.actor()), (operation) => operation.retireDownstreamKey('charge'))
    expect(await b.world.run(once)).toBe(key)
  })

  test('a forgotten operation has new downstream keys', async () => {
    const s = await stage(backend)
    const a = s.actor()
    const call = () => s.world.run(withIdempotency(options(a), (operation) => operation.downstreamKey('charge')))
    const first = await call()
    const { fence } = (await s.record('charge', 'p1')) ?? {}
    if (fence === undefined) throw new Error('no record')
    await s.world.run(a.store.execute({ type: 'once.forget', key: keyOf('charge', 'p1'), owner: 'operator', fence }))
    expect(await call()).not.toBe(first)
  })

  test('extend(ms) makes the lease last at least that long', async () => {
    const s = await stage(backend)
    const a = s.actor()
    const job = work()
    const call = withIdempotency({ ...options(a), leaseMs: undefined, context: s.lambda(LEASE) }, async (operation) => {
      await operation.extend(60_000)
      return job.run()
    })
    await s.world.run(job.begun)
    const { expiresAtMs = 0 } = (await s.record('charge', 'p1')) ?? {}
    expect(expiresAtMs - s.world.now).toBeGreaterThanOrEqual(60_000)
    expect(a.named('extended')).toHaveLength(1)
    job.finish('charged')
    await s.world.run(call)
  })

  test('fence and attempt rise with each attempt', async () => {
    const s = await stage(backend)
    const read = (operation: Operation) => [operation.fence, operation.attempt]
    const [fence1, attempt1] = (await attempt(s, read)) as number[]
    const [fence2, attempt2] = (await attempt(s, read)) as number[]
    expect([attempt1, attempt2]).toEqual([1, 2])
    expect(fence2).toBeGreaterThan(fence1 ?? 0)
  })

  test('after its end the handle changes nothing, and the signal says so', async () => {
    const s = await stage(backend)
    const a = s.actor()
    let kept: Operation | undefined
    await s.world.run(
      withIdempotency(options(a), (operation) => {
        kept = operation
      }),
    )
    expect(kept?.signal.aborted).toBe(true)
    expect(kept?.signal.reason).toMatchObject({ reason: 'ended' })
    const sent = a.wire.sent.length
    expect(await s.world.run(outcome(kept?.extend(5000) ?? Promise.resolve()))).toMatchObject({ error: { reason: 'ended' } })
    expect(await s.world.run(outcome(kept?.retireDownstreamKey('x') ?? Promise.resolve()))).toMatchObject({
      error: { reason: 'ended' },
    })
    expect(a.wire.sent).toHaveLength(sent)
  })

  test('an extension under way when the function returns raises no alarm', async () => {
    const s = await stage(backend)
    const a = s.actor()
    const extension = a.wire.hold('once.extend')
    const late: Promise<unknown>[] = []
    const call = withIdempotency(options(a), async (operation) => {
      late.push(outcome(operation.extend(LEASE)))
      await extension.arrived
      return 'charged'
    })
    expect(await s.world.run(call)).toBe('charged')
    extension.letGo()
    await s.world.run(Promise.all(late))
    expect(a.events.map((event) => event.event)).toEqual(['started', 'completed'])
    expect(await s.record('charge', 'p1')).toMatchObject({ status: 'completed' })
  })

  test('a retirement under way when the function returns raises no alarm', async () => {
    const s = await stage(backend)
    const a = s.actor()
    // DynamoDB looks before it writes here: the first request of the command is held, whichever it is.
    const retirement = a.wire.hold('once.retire')
    const late: Promise<unknown>[] = []
    const call = withIdempotency(options(a), async (operation) => {
      late.push(outcome(operation.retireDownstreamKey('charge')))
      await retirement.arrived
      return 'charged'
    })
    expect(await s.world.run(call)).toBe('charged')
    retirement.letGo()
    expect(await s.world.run(Promise.all(late))).toMatchObject([{ error: { reason: 'ended' } }])
    expect(a.events.map((event) => event.event)).toEqual(['started', 'completed'])
  })

  test('an extension that is refused after one without an answer is uncertain', async () => {
    const s = await stage(backend)
    const a = s.actor()
    const removed = work<void>()
    let extensions = 0
    const store: Store = {
      ...a.store,
      execute: (command, given) => {
        if (command.type !== 'once.extend' || ++extensions > 1) return a.store.execute(command, given)
        return Promise.reject(new AlonceError('STORE_UNAVAILABLE', 'as told', { maybeApplied: true }))
      },
    }
    const ended: unknown[] = []
    const call = withIdempotency({ ...options(a), store, leaseMs: undefined, context: s.lambda(60_000) }, async (operation) => {
      ended.push(await outcome(operation.extend(LEASE)))
      await removed.run()
      ended.push(await outcome(operation.extend(LEASE)))
    })
    await s.world.run(removed.begun)
    await s.world.run(s.shared.remove(keyOf('charge', 'p1')))
    removed.finish()
    await s.world.run(outcome(call))
    expect(ended).toMatchObject([
      { error: { code: 'STORE_UNAVAILABLE' } },
      { error: { code: 'OUTCOME_UNCERTAIN', reason: 'uncertain' } },
    ])
    expect(a.named('extend-failed')).toHaveLength(1)
    expect(a.named('lost')[0]).toMatchObject({ reason: 'uncertain' })
  })

  test.each(['extend', 'retireDownstreamKey'] as const)(
    'a lost attempt is told so by %s, and its signal aborts',
    async (method) => {
      const s = await stage(backend)
      const a = s.actor()
      const removed = work<void>()
      const ended: unknown[] = []
      const call = withIdempotency({ ...options(a), leaseMs: undefined, context: s.lambda(LEASE) }, async (operation) => {
        await removed.run()
        ended.push(await outcome(method === 'extend' ? operation.extend(LEASE) : operation.retireDownstreamKey('charge')))
        ended.push(operation.signal.reason)
      })
      await s.world.run(removed.begun)
      await s.world.run(s.shared.remove(keyOf('charge', 'p1')))
      removed.finish()
      expect(await s.world.run(outcome(call))).toMatchObject({ error: { code: 'OUTCOME_UNCERTAIN' } })
      expect(ended).toMatchObject([{ error: { code: 'LOCK_LOST', reason: 'lost' } }, { code: 'LOCK_LOST', reason: 'lost' }])
      expect(a.named('lost')).toMatchObject([{ reason: 'lost', code: 'LOCK_LOST' }])
    },
  )

  test('currentOperation() is the innermost operation, and an error where there is none', async () => {
    const s = await stage(backend)
    const { store } = s.actor()
    const inner = makeIdempotent(async (_id: string) => currentOperation().key, { store, operation: 'inner', key: (id) => id })
    const outer = makeIdempotent(async (id: string) => [await inner(id), currentOperation().key], {
      store,
      operation: 'outer',
      key: (id) => id,
    })
    expect(await s.world.run(outer('a'))).toEqual([keyOf('inner', 'a'), keyOf('outer', 'a')])
    expect(() => currentOperation()).toThrow(/makeIdempotent/)
  })
})
