import { idempotent, locked } from 'alonce/middy'
import { describe, expect, test } from 'vitest'
import { GRACE, LEASE, outcome, work } from '../idempotency/stage.ts'
import { aloneOptions, hosts, open, payment } from './stage.ts'

describe.each(hosts)('locks on $name under middy $major', (host) => {
  test('L2 at the end of an invocation timers are stopped and signals aborted: after a result, an error, an early answer', async () => {
    const s = await open(host)
    const signals: AbortSignal[] = []
    let runs = 0
    const handler = s
      .middy()
      .use(locked({ ...s.alone, leaseMs: LEASE }))
      .use(idempotent({ ...s.once, leaseMs: LEASE }))
      .handler(async (_event, { alonce }) => {
        signals.push(alonce.lock.signal, alonce.operation.signal)
        if (++runs === 1) throw new Error('no connection')
        return 'paid'
      })
    await outcome(s.call(handler, payment('p1')))
    expect(s.app.client.pendingTimers).toBe(0)
    expect([await s.call(handler, payment('p1')), await s.call(handler, payment('p1'))]).toEqual(['paid', 'paid'])
    expect(s.app.client.pendingTimers).toBe(0)
    expect(signals.map((signal) => signal.aborted)).toEqual([true, true, true, true])

    const sent = s.app.wire.sent.length
    s.app.client.freeze()
    await s.world.advance(LEASE * 3)
    s.app.client.thaw()
    await s.world.settle()
    expect(s.app.wire.sent).toHaveLength(sent)
  })

  test('I17 a handler five times longer than its leases keeps both', async () => {
    const s = await open(host)
    const job = work()
    const handler = s
      .middy()
      .use(locked({ ...s.alone, leaseMs: LEASE }))
      .use(idempotent({ ...s.once, leaseMs: LEASE }))
      .handler(job.run)
    const call = s.start(handler, payment('p1'))
    await s.world.run(job.begun)
    await s.world.advance(LEASE * 5)
    job.finish('paid')
    expect(await s.world.run(call)).toBe('paid')
    expect(s.app.named('lost')).toEqual([])
    expect(s.app.named('renewed').length).toBeGreaterThanOrEqual(5)
  })

  test.each(['a result', 'an error'])('L10 releasing what another holds now changes nothing and hides %s not', async (end) => {
    const s = await open(host)
    const other = s.actor()
    const [slow, next] = [work(), work()]
    const late = new Error('too late')
    const handler = s.middy().use(locked(s.alone)).handler(slow.run)
    const taker = s
      .middy()
      .use(locked(aloneOptions(other)))
      .handler(next.run)
    const first = s.start(handler, payment('p1'), s.lambda(LEASE))
    await s.world.run(slow.begun)
    await s.world.advance(LEASE + 1000 + GRACE)
    const second = s.start(taker, payment('p2'))
    await s.world.run(next.begun)
    const holder = await s.holder()

    if (end === 'an error') slow.fail(late)
    else slow.finish('late result')
    expect(await s.world.run(outcome(first))).toEqual(end === 'an error' ? { error: late } : { value: 'late result' })
    expect(await s.holder()).toEqual(holder)
    next.finish('done')
    expect(await s.world.run(second)).toBe('done')
    expect(await s.holder()).toBeUndefined()
  })

  test('L22 the handler’s error comes out, also when the release fails', async () => {
    const s = await open(host)
    const error = new Error('no connection')
    const handler = s
      .middy()
      .use(locked(s.alone))
      .handler(async () => {
        s.app.wire.cut()
        throw error
      })
    const ended = await outcome(s.call(handler, payment('p1')))
    expect('error' in ended && ended.error).toBe(error)
    expect(s.app.named('release-failed')).toHaveLength(1)
  })

  test('L12 the holder’s process dies: the first contender after the lease’s end takes over', async () => {
    const s = await open(host)
    const other = s.actor()
    const job = work()
    const mortal = s
      .middy()
      .use(locked({ ...s.alone, leaseMs: LEASE }))
      .handler(job.run)
    void s.start(mortal, payment('p1'))
    await s.world.run(job.begun)
    expect(await s.holder()).toBeDefined()
    s.app.client.kill()
    await s.world.advance(LEASE + GRACE)
    const heir = s
      .middy()
      .use(locked(aloneOptions(other)))
      .handler(async (_event, context) => context.alonce.lock.fence)
    expect(await s.call(heir, payment('p2'))).toBeGreaterThan(0)
    expect(await s.holder()).toBeUndefined()
  })
})
