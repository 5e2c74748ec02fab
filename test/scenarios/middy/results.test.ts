import { idempotent, locked } from 'alonce/middy'
import { describe, expect, test } from 'vitest'
import { hosts, open, type Payment, payment } from './stage.ts'

describe.each(hosts)('keys and results on $name under middy $major', (host) => {
  test.each([
    ['undefined', undefined],
    ['null', null],
    ['0', 0],
    ["''", ''],
    ['false', false],
    ['[]', []],
    ['{}', {}],
  ])('I24 %s comes back as it was, and the handler does not run again', async (_name, value) => {
    const s = await open(host)
    let runs = 0
    const handler = s
      .middy()
      .use(locked(s.alone))
      .use(idempotent(s.once))
      .handler(async () => {
        runs++
        return value
      })
    expect(await s.call(handler, payment('p1'))).toEqual(value)
    expect(await s.call(handler, payment('p1'))).toEqual(value)
    expect(runs).toBe(1)
  })

  test('I27 a replay is a fresh copy: whoever changes it changes no later one', async () => {
    const s = await open(host)
    const spoiling = {
      after: (request: { response: unknown }) => {
        const { items } = request.response as { items: string[] }
        items.push('spoiled')
      },
    }
    const plain = s
      .middy()
      .use(idempotent(s.once))
      .handler(async () => ({ items: ['a'] }))
    const spoiled = s
      .middy()
      .use(spoiling)
      .use(idempotent(s.once))
      .handler(async () => ({ items: ['a'] }))
    // What an outer middleware does to the first answer happens after it was stored.
    expect(await s.call(spoiled, payment('p1'))).toEqual({ items: ['a', 'spoiled'] })
    const replay = (await s.call(plain, payment('p1'))) as { items: string[] }
    expect(replay).toEqual({ items: ['a'] })
    replay.items.push('mine')
    expect(await s.call(plain, payment('p1'))).toEqual({ items: ['a'] })
  })

  test('I20 a missing key is refused, by both', async () => {
    const s = await open(host)
    const none = { ...payment('p1'), id: undefined, account: undefined }
    const once = s
      .middy()
      .use(idempotent(s.once))
      .handler(async () => 'unreachable')
    const alone = s
      .middy()
      .use(locked(s.alone))
      .handler(async () => 'unreachable')
    await expect(s.call(once, none)).rejects.toMatchObject({ code: 'KEY_MISSING', statusCode: 400 })
    await expect(s.call(alone, none)).rejects.toMatchObject({ code: 'KEY_MISSING', statusCode: 400 })
    expect(s.app.wire.sent).toEqual([])
  })

  test('I20 a missing key runs unprotected where the user says so, and shares nothing', async () => {
    const s = await open(host)
    let runs = 0
    const handler = s
      .middy()
      .use(idempotent({ ...s.once, onMissingKey: 'run-unprotected' }))
      .handler(async (_event, context) => [++runs, context.alonce.operation.isProtected])
    const none = { ...payment('p1'), id: undefined }
    expect([await s.call(handler, none), await s.call(handler, none)]).toEqual([
      [1, false],
      [2, false],
    ])
    expect(s.app.wire.sent).toEqual([])
  })

  test('I23 a handler or a middleware that changes the event changes nothing', async () => {
    const s = await open(host)
    let runs = 0
    const changing = {
      before: (request: { event: unknown }) => {
        request.event = payment('another')
      },
    }
    const handler = s
      .middy()
      .use(idempotent(s.once))
      .use(locked(s.alone))
      .use(changing)
      .handler(async (event: Payment) => {
        event.account = 'changed'
        return ++runs
      })
    expect(await s.call(handler, payment('p1'))).toBe(1)
    expect(await s.call(handler, payment('p1'))).toBe(1)
    expect(await s.holder()).toBeUndefined()
    expect(await s.call(handler, payment('p2'))).toBe(2)
  })

  test('I8 the begin is applied and its answer lost: one run, no wait', async () => {
    const s = await open(host)
    const handler = s
      .middy()
      .use(idempotent(s.once))
      .handler(async () => 'paid')
    s.app.wire.inject('drop-answer', 'once.begin')
    expect(await s.call(handler, payment('p1'))).toBe('paid')
    expect(await s.record('charge', 'p1')).toMatchObject({ status: 'completed', attempt: 1 })
  })

  test('I11 the completion can’t be written: the caller gets the response, and an event tells', async () => {
    const s = await open(host)
    const handler = s
      .middy()
      .use(idempotent(s.once))
      .handler(async () => {
        s.app.wire.cut()
        return 'paid'
      })
    expect(await s.call(handler, payment('p1'))).toBe('paid')
    expect(s.app.named('completion-failed')).toHaveLength(1)
    s.app.wire.heal()
    expect((await s.record('charge', 'p1'))?.status).toBe('in-progress')
  })
})
