import { aloncePlugin, idempotent, locked } from 'alonce/middy'
import { describe, expect, test } from 'vitest'
import { GRACE, outcome, work } from '../idempotency/stage.ts'
import { hosts, invocation, type MiddyStage, open, type Payment, payment } from './stage.ts'

const INVOCATION_MS = 60_000
/** By then the claim and the lock of such an invocation have ended for everybody. */
const OVER_MS = INVOCATION_MS + 1000 + GRACE

/** A handler that is still at work when middy gives up on it. The wait is real, and a moment: middy's timer is no port. */
function slow(s: MiddyStage, plugin: object = {}) {
  const { context, timeIsUp } = invocation(INVOCATION_MS)
  const job = work()
  const signals: AbortSignal[] = []
  const handler = s
    .middy(plugin)
    .use(locked(s.alone))
    .use(idempotent(s.once))
    .handler(async (_event, ctx) => {
      signals.push(ctx.alonce.lock.signal, ctx.alonce.operation.signal)
      timeIsUp()
      return job.run()
    })
  return { call: () => outcome(s.start(handler, payment('p1'), context)), job, signals }
}

/** Nothing was given back: the lock is held, the operation in progress, and no timer is left that would prolong them. */
async function expectLeftToTheLease(s: MiddyStage): Promise<void> {
  expect(await s.holder()).toBeDefined()
  expect(await s.record('charge', 'p1')).toMatchObject({ status: 'in-progress' })
  expect(s.app.events.map((event) => event.event)).toEqual(['acquired', 'started', 'completion-failed'])
  expect(s.app.named('completion-failed')).toMatchObject([{ reason: 'still-running' }])
  expect(s.app.client.pendingTimers).toBe(0)
}

describe.each(hosts)('middy’s early time-out on $name under middy $major', (host) => {
  test.each([
    ['without', () => ({})],
    ['with', aloncePlugin],
  ])(
    'L2 the handler still runs, %s the plugin: timers stop, signals abort, the leases end by themselves',
    async (_with, plugin) => {
      const s = await open(host)
      const { call, job, signals } = slow(s, plugin())
      expect(await call()).toMatchObject({ error: { name: 'TimeoutError' } })
      await expectLeftToTheLease(s)
      expect(signals.map((signal) => signal.aborted)).toEqual([true, true])

      // Frozen, and thawed in a later invocation: what the handler does then reaches no record.
      const before = await s.record('charge', 'p1')
      job.finish('too late')
      await s.world.settle()
      expect(await s.record('charge', 'p1')).toEqual(before)
    },
  )

  test('I4 after the early time-out nobody begins within the grace, and somebody does afterwards', async () => {
    const s = await open(host)
    const { call } = slow(s)
    await call()
    const again = s
      .middy()
      .use(idempotent(s.once))
      .handler(async () => 'paid')
    await s.world.advance(INVOCATION_MS + 500)
    await expect(s.call(again, payment('p1'))).rejects.toMatchObject({ code: 'IN_PROGRESS' })
    await s.world.advance(OVER_MS)
    expect(await s.call(again, payment('p1'))).toBe('paid')
  })

  test('the early time-out wrapped in another error by an inner onError is still recognised', async () => {
    const s = await open(host)
    const { context, timeIsUp } = invocation(INVOCATION_MS)
    const wrapping = {
      onError: (request: { error: unknown }) => {
        request.error = Object.assign(new Error('gateway timeout', { cause: request.error }), { statusCode: 504 })
      },
    }
    const handler = s
      .middy()
      .use(locked(s.alone))
      .use(idempotent(s.once))
      .use(wrapping)
      .handler(async () => {
        timeIsUp()
        return work().run()
      })
    expect(await outcome(s.start(handler, payment('p1'), context))).toMatchObject({ error: { message: 'gateway timeout' } })
    await expectLeftToTheLease(s)
  })

  test('with the plugin it is recognised even when an inner onError puts another error in its place', async () => {
    const s = await open(host)
    const { context, timeIsUp } = invocation(INVOCATION_MS)
    const replacing = {
      onError: (request: { error: unknown }) => {
        request.error = new Error('gateway timeout')
      },
    }
    const handler = s
      .middy(aloncePlugin())
      .use(locked(s.alone))
      .use(idempotent(s.once))
      .use(replacing)
      .handler(async () => {
        timeIsUp()
        return work().run()
      })
    expect(await outcome(s.start(handler, payment('p1'), context))).toMatchObject({ error: { message: 'gateway timeout' } })
    await expectLeftToTheLease(s)
  })

  test('a TimeoutError of the handler’s own (fetch, AbortSignal.timeout, the AWS SDK) is its failure', async () => {
    const s = await open(host)
    const errors = [
      new DOMException('The operation was aborted due to timeout', 'TimeoutError'),
      Object.assign(new Error('Connection timed out after 1000 ms'), { name: 'TimeoutError' }),
    ]
    for (const error of errors) {
      const handler = s
        .middy()
        .use(locked(s.alone))
        .use(idempotent(s.once))
        .handler(async () => {
          throw error
        })
      expect(await outcome(s.call(handler, payment('p1'), invocation(INVOCATION_MS).context))).toEqual({ error })
      expect(await s.holder()).toBeUndefined()
    }
    expect(s.app.named('abandoned')).toHaveLength(2)
  })

  test('a timeoutEarlyResponse that answers is not taken for the handler’s answer', async () => {
    const s = await open(host)
    const answer = { statusCode: 408 }
    const { call } = slow(s, aloncePlugin({ timeoutEarlyResponse: () => answer }))
    expect(await call()).toEqual({ value: answer })
    await expectLeftToTheLease(s)
  })

  test('a timeoutEarlyResponse that throws an error of its own leaves everything to the leases, too', async () => {
    const s = await open(host)
    const error = new Error('too slow')
    const timeoutEarlyResponse = () => {
      throw error
    }
    const { call } = slow(s, aloncePlugin({ timeoutEarlyResponse }))
    expect(await call()).toEqual({ error })
    await expectLeftToTheLease(s)
  })

  test('an early time-out that an inner onError answers leaves everything to the leases, too', async () => {
    const s = await open(host)
    const { context, timeIsUp } = invocation(INVOCATION_MS)
    const handler = s
      .middy(aloncePlugin())
      .use(locked(s.alone))
      .use(idempotent(s.once))
      .use({ onError: () => 'sorry' })
      .handler(async (_event: Payment) => {
        timeIsUp()
        return work().run()
      })
    expect(await outcome(s.start(handler, payment('p1'), context))).toEqual({ value: 'sorry' })
    await expectLeftToTheLease(s)
  })
})
