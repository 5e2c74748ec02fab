import { randomBytes } from 'node:crypto'
import { AlonceError, type Codec, type Operation, type Store, withIdempotency } from 'alonce'
import { describe, expect, test } from 'vitest'
import { backends } from '../../support/backends.ts'
import { type Actor, GRACE, keyOf, LEASE, outcome, type Stage, stage, work } from '../idempotency/stage.ts'
import { sent } from './stage.ts'

const options = (actor: Actor) =>
  ({ store: actor.store, operation: 'ship', key: 'o1', leaseMs: LEASE, onEvent: actor.onEvent }) as const

/** An attempt that does `use` and then fails, as when the next step breaks. */
const failing = (s: Stage, actor: Actor, use: (operation: Operation) => Promise<unknown>) =>
  s.world.run(
    outcome(
      withIdempotency(options(actor), async (operation) => {
        await use(operation)
        throw new Error('the next step broke')
      }),
    ),
  )

describe.each(backends)('recovery points on $name', (backend) => {
  test('what was done before a failure is not done again: the next attempt gets its value', async () => {
    const s = await stage(backend)
    const [a, b] = [s.actor(), s.actor()]
    let charges = 0
    const charge = async () => ({ charge: `ch_${++charges}` })
    await failing(s, a, (operation) => operation.checkpoint('charge', charge))
    const next = withIdempotency(options(b), async (operation) => [
      operation.attempt,
      await operation.checkpoint('charge', charge),
    ])
    expect(await s.world.run(next)).toEqual([2, { charge: 'ch_1' }])
    expect(charges).toBe(1)
    expect(sent(b, 'once.checkpoint')).toBe(0)
    expect(a.named('checkpointed')).toMatchObject([{ attempt: 1, requests: 1 }])
  })

  test('what was done before a crash is not done again', async () => {
    const s = await stage(backend)
    const [a, b] = [s.actor(), s.actor()]
    const rest = work()
    let charges = 0
    const dying = withIdempotency(options(a), async (operation) => {
      await operation.checkpoint('charge', () => ++charges)
      return rest.run()
    })
    dying.catch(() => undefined)
    await s.world.run(rest.begun)
    a.client.kill()
    await s.world.advance(LEASE + GRACE)
    expect(await s.world.run(withIdempotency(options(b), (operation) => operation.checkpoint('charge', () => ++charges)))).toBe(1)
    expect(charges).toBe(1)
    expect(b.named('took-over')).toHaveLength(1)
  })

  test.each([undefined, null, 0, '', false, [], { a: { b: [1] } }, 'Zürich ✓'])(
    'the value %j comes back as it was',
    async (value) => {
      const s = await stage(backend)
      await failing(s, s.actor(), (operation) => operation.checkpoint('step', () => value))
      const next = withIdempotency(options(s.actor()), (operation) => operation.checkpoint('step', (): unknown => 'done again'))
      expect(await s.world.run(next)).toEqual(value)
    },
  )

  test.each([255, 300, 2000, 200_000])('a value of %i characters is kept, and the record stays small', async (length) => {
    const s = await stage(backend)
    const [a, b] = [s.actor(), s.actor()]
    const value = Array.from({ length }, (_, index) => String.fromCharCode(33 + ((index * 7919) % 89))).join('')
    const plain: Codec = {
      id: 'plain',
      encode: (v) => Buffer.from(v as string),
      decode: (bytes) => Buffer.from(bytes).toString(),
    }
    const call = (actor: Actor, fails: boolean) =>
      withIdempotency({ ...options(actor), codec: plain }, async (operation) => {
        const kept = await operation.checkpoint('step', () => (fails ? value : 'done again'))
        if (fails) throw new Error('the next step broke')
        return kept
      })
    await s.world.run(outcome(call(a, true)))
    const [kept = ''] = Object.values((await s.record('ship', 'o1'))?.checkpoints ?? {})
    if (backend.name === 'dynamodb') expect(kept.length).toBeLessThan(360)
    expect(await s.world.run(call(b, false))).toBe(value)
  })

  test('the answer is lost: its own value is recognised, kept once', async () => {
    const s = await stage(backend)
    const a = s.actor()
    a.wire.inject('drop-answer', 'once.checkpoint')
    const call = withIdempotency(options(a), (operation) => operation.checkpoint('step', () => ({ n: 1 })))
    expect(await s.world.run(call)).toEqual({ n: 1 })
    expect(a.named('checkpoint-failed')).toEqual([])
    expect(a.named('checkpointed')).toHaveLength(1)
  })

  test('twice in one attempt it runs once, at the same time too', async () => {
    const s = await stage(backend)
    const a = s.actor()
    let runs = 0
    const call = withIdempotency(options(a), async (operation) => {
      const step = () => operation.checkpoint('step', async () => ++runs)
      return [...(await Promise.all([step(), step()])), await step()]
    })
    expect(await s.world.run(call)).toEqual([1, 1, 1])
    expect(sent(a, 'once.checkpoint')).toBe(1)
  })

  test('what it throws comes out, is not kept, and may be tried again', async () => {
    const s = await stage(backend)
    const a = s.actor()
    let runs = 0
    const call = withIdempotency(options(a), async (operation) => {
      const flaky = () =>
        operation.checkpoint('step', () => (++runs === 1 ? Promise.reject(new RangeError('busy')) : Promise.resolve(runs)))
      return [await outcome(flaky()), await flaky()]
    })
    expect(await s.world.run(call)).toMatchObject([{ error: { message: 'busy' } }, 2])
    expect(sent(a, 'once.checkpoint')).toBe(1)
  })

  test('a zombie’s checkpoint is refused, and it is told; the newer attempt’s stay', async () => {
    const s = await stage(backend)
    const [a, b] = [s.actor(), s.actor()]
    const job = work()
    const told: unknown[] = []
    const zombie = withIdempotency({ ...options(a), leaseMs: undefined, context: s.lambda(LEASE) }, async (operation) => {
      await job.run()
      told.push(await outcome(operation.checkpoint('step', () => 'of A')))
      told.push(operation.signal.reason)
    })
    zombie.catch(() => undefined)
    await s.world.run(job.begun)
    await s.world.advance(LEASE + 1000 + GRACE)
    const newer = work()
    const second = withIdempotency(options(b), async (operation) => {
      await operation.checkpoint('other', () => 'of B')
      return newer.run()
    })
    await s.world.run(newer.begun)
    job.finish('go on')
    await s.world.run(outcome(zombie))
    expect(told).toMatchObject([{ error: { code: 'LOCK_LOST', reason: 'lost' } }, { reason: 'lost' }])
    expect(Object.keys((await s.record('ship', 'o1'))?.checkpoints ?? {})).toEqual(['other'])
    newer.finish('of B')
    await s.world.run(second)
  })

  test('V6 a checkpoint that is refused after one without an answer is uncertain', async () => {
    const s = await stage(backend)
    const a = s.actor()
    const removed = work<void>()
    let sendings = 0
    const store: Store = {
      ...a.store,
      execute: async (command, given) => {
        if (command.type !== 'once.checkpoint' || ++sendings > 1) return a.store.execute(command, given)
        await removed.run()
        throw new AlonceError('STORE_UNAVAILABLE', 'as told', { maybeApplied: true })
      },
    }
    const told: unknown[] = []
    const call = withIdempotency({ ...options(a), store }, async (operation) => {
      told.push(await outcome(operation.checkpoint('step', () => 1)))
    })
    call.catch(() => undefined)
    await s.world.run(removed.begun)
    await s.world.run(s.shared.remove(keyOf('ship', 'o1')))
    removed.finish()
    await s.world.run(outcome(call))
    expect(told).toMatchObject([{ error: { code: 'OUTCOME_UNCERTAIN' } }])
  })

  test('the store is away: it has run, so its value is given, an event tells, and it does not run again in this attempt', async () => {
    const s = await stage(backend)
    const a = s.actor()
    let runs = 0
    const call = withIdempotency({ ...options(a), leaseMs: 30_000 }, async (operation) => {
      a.wire.cut('throttle')
      const first = await operation.checkpoint('step', () => ++runs)
      a.wire.heal()
      return [first, await operation.checkpoint('step', () => ++runs)]
    })
    expect(await s.world.run(call)).toEqual([1, 1])
    expect(a.named('checkpoint-failed')).toMatchObject([{ code: 'STORE_UNAVAILABLE' }])
  })

  test.each<[string, unknown, string]>([
    ['too large', 'é'.repeat(140_000), 'RESULT_TOO_LARGE'],
    ['no JSON', 10n, 'RESULT_NOT_SERIALIZABLE'],
  ])('a value that is %s: the same', async (_, value, code) => {
    const s = await stage(backend)
    const a = s.actor()
    const incompressible: Codec = {
      id: 'plain',
      encode: (v) => {
        if (typeof v !== 'string') throw new Error('only texts')
        return randomBytes(Buffer.byteLength(v))
      },
      decode: () => undefined,
    }
    let given: unknown
    const call = withIdempotency({ ...options(a), codec: incompressible }, async (operation) => {
      given = await operation.checkpoint('step', () => value)
      return 'done'
    })
    expect(await s.world.run(call)).toBe('done')
    expect(given).toBe(value)
    expect(a.named('checkpoint-failed')).toMatchObject([{ code }])
    expect(sent(a, 'once.checkpoint')).toBe(0)
  })

  test('at most 32, and the 33rd does not run', async () => {
    const s = await stage(backend)
    const a = s.actor()
    let ran = false
    const call = withIdempotency({ ...options(a), leaseMs: 30_000 }, async (operation) => {
      for (let n = 0; n < 32; n++) await operation.checkpoint(`step ${n}`, () => n)
      return outcome(
        operation.checkpoint('one more', () => {
          ran = true
        }),
      )
    })
    expect(await s.world.run(call)).toMatchObject({ error: { code: 'CONFIG_INVALID' } })
    expect(ran).toBe(false)
  })

  test.each(['', 'x'.repeat(129), undefined])('the name %j is KEY_INVALID, and nothing runs', async (name) => {
    const s = await stage(backend)
    let ran = false
    const call = withIdempotency(options(s.actor()), (operation) =>
      outcome(
        operation.checkpoint(name as string, () => {
          ran = true
        }),
      ),
    )
    expect(await s.world.run(call)).toMatchObject({ error: { code: 'KEY_INVALID' } })
    expect(ran).toBe(false)
  })

  test('a checkpoint of another codec is not run again: RECORD_UNREADABLE', async () => {
    const s = await stage(backend)
    const secret: Codec = {
      id: 'secret',
      encode: (v) => Buffer.from(JSON.stringify(v)),
      decode: (b) => JSON.parse(Buffer.from(b).toString()),
    }
    const first = withIdempotency({ ...options(s.actor()), codec: secret }, async (operation) => {
      await operation.checkpoint('step', () => 1)
      throw new Error('the next step broke')
    })
    await s.world.run(outcome(first))
    let ran = false
    const next = withIdempotency(options(s.actor()), (operation) =>
      operation.checkpoint('step', () => {
        ran = true
      }),
    )
    expect(await s.world.run(outcome(next))).toMatchObject({ error: { code: 'RECORD_UNREADABLE' } })
    expect(ran).toBe(false)
  })

  test('an unprotected run has none, and runs the step', async () => {
    const s = await stage(backend)
    const a = s.actor()
    const call = withIdempotency({ ...options(a), key: undefined, onMissingKey: 'run-unprotected' }, (operation) =>
      operation.checkpoint('step', () => 'ran'),
    )
    expect(await s.world.run(call)).toBe('ran')
    expect(a.wire.sent).toEqual([])
  })

  test('a completed operation leaves no checkpoint behind', async () => {
    const s = await stage(backend)
    await s.world.run(withIdempotency(options(s.actor()), (operation) => operation.checkpoint('step', () => 1)))
    expect((await s.record('ship', 'o1'))?.checkpoints).toEqual({})
  })
})
