import { currentLock, currentOperation, makeIdempotent, makeLocked } from 'alonce'
import { describe, expect, test } from 'vitest'
import { outcome, work } from '../idempotency/stage.ts'
import { answering, hosts, invocation, open, type Payment, payment } from './stage.ts'

describe.each(hosts)('wrappers inside middy $major on $name', (host) => {
  test('a wrapped handler shows middy and Lambda at most two parameters', async () => {
    const s = await open(host)
    const run = async (event: Payment, _context: object, _middy: { signal: AbortSignal }) => event.id
    const charge = makeIdempotent(makeLocked(run, { ...s.alone, key: (event) => event.account }), {
      ...s.once,
      key: (event) => event.id,
    })
    expect(charge.length).toBe(2)
    expect(s.middy(charge as never).length).toBeLessThanOrEqual(2)
  })

  test.each([
    ['undefined', undefined],
    ['null', null],
    ['false', false],
  ])('I24 %s comes back, and the handler does not run again', async (_name, value) => {
    const s = await open(host)
    let runs = 0
    const run = async (_event: Payment) => {
      runs++
      return value
    }
    const handler = s.middy(makeIdempotent(makeLocked(run, s.alone), s.once) as never)
    expect([await s.call(handler, payment('p1')), await s.call(handler, payment('p1'))]).toEqual([value, value])
    expect(runs).toBe(1)
  })

  test('I32 whatever the middlewares around it do, the wrapper sees the handler’s end', async () => {
    const s = await open(host)
    const run = async (_event: Payment) => [currentOperation().attempt, currentLock().name]
    const wrapped = makeIdempotent(makeLocked(run, s.alone), s.once)
    const early = s.middy(wrapped as never).use(answering('cached'))
    const replaced = s.middy(wrapped as never).use({ after: () => 'replaced' })
    const plain = s.middy(wrapped as never)
    expect(await s.call(early, payment('p1'))).toBe('cached')
    expect(s.app.wire.sent).toEqual([])
    expect(await s.call(replaced, payment('p1'))).toBe('replaced')
    expect(await s.holder()).toBeUndefined()
    expect(await s.call(plain, payment('p1'))).toEqual([1, 'a1'])
  })

  test('an early time-out touches nothing, and the handler’s own end still counts', async () => {
    const s = await open(host)
    const { context, timeIsUp } = invocation(60_000)
    const job = work()
    const wrapped = makeIdempotent((_event: Payment, _context: object) => job.run(), { ...s.once, key: (event) => event.id })
    const handler = s.middy(((event: Payment, ctx: object) => {
      const ended = wrapped(event, ctx)
      timeIsUp()
      return ended
    }) as never)
    expect(await outcome(s.start(handler, payment('p1'), context))).toMatchObject({ error: { name: 'TimeoutError' } })
    await s.world.run(job.begun)
    expect(await s.record('charge', 'p1')).toMatchObject({ status: 'in-progress' })
    job.finish('paid after all')
    await s.world.settle()
    expect(await s.record('charge', 'p1')).toMatchObject({ status: 'completed' })
    expect(await s.call(handler, payment('p1'))).toBe('paid after all')
  })
})
