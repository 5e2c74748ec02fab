import { idempotent, locked } from 'alonce/middy'
import { describe, expect, test } from 'vitest'
import { aloneOptions, answering, hosts, type MiddyStage, onceOptions, open, type Payment, payment, throwing } from './stage.ts'

/** Nothing of Alonce is left: the lock is free, and nobody has the operation. */
async function expectNothingHeld(s: MiddyStage, id = 'p1'): Promise<void> {
  expect(await s.holder()).toBeUndefined()
  expect((await s.record('charge', id))?.status).not.toBe('in-progress')
}

/** A handler of another process under the same lock: it holds it while `during` runs. */
async function whileHeld(s: MiddyStage, during: () => Promise<void>): Promise<void> {
  const other = s.actor()
  const gate = Promise.withResolvers<void>()
  const begun = Promise.withResolvers<void>()
  const holder = s
    .middy()
    .use(locked(aloneOptions(other)))
    .handler(async () => {
      begun.resolve()
      await gate.promise
    })
  const held = s.start(holder, payment('other'))
  await s.world.run(begun.promise)
  await during()
  gate.resolve()
  await s.world.run(held)
}

describe.each(hosts)('the order of middlewares on $name under middy $major', (host) => {
  test('I32 an earlier middleware that answers early, or throws, reaches neither lock nor operation', async () => {
    const s = await open(host)
    const refusal = new Error('not authorised')
    const chain = (first: object) =>
      s
        .middy()
        .use(first)
        .use(idempotent(s.once))
        .use(locked(s.alone))
        .handler(async () => 'unreachable')
    expect(await s.call(chain(answering('cached')), payment('p1'))).toBe('cached')
    await expect(s.call(chain(throwing(refusal)), payment('p1'))).rejects.toBe(refusal)
    expect(s.app.wire.sent).toEqual([])
  })

  test('I32 behind a body parser the key is of the parsed body, before it of the raw one', async () => {
    const s = await open(host)
    interface Http {
      body: string | { readonly id: string }
    }
    const parser = {
      before: (request: { event: Http }) => {
        request.event.body = JSON.parse(String(request.event.body))
      },
    }
    const parsed = (event: Http) => (typeof event.body === 'object' ? event.body.id : undefined)
    const raw = (event: Http) => (typeof event.body === 'string' ? event.body : undefined)
    let runs = 0
    const run = async () => ++runs
    const behind = s
      .middy()
      .use(parser)
      .use(idempotent({ ...s.once, key: parsed }))
      .handler(run)
    const before = s
      .middy()
      .use(idempotent({ ...s.once, operation: 'raw', key: raw }))
      .use(parser)
      .handler(run)
    const event = (text: string) => ({ body: text })
    expect([await s.call(behind, event('{"id":"p1"}')), await s.call(behind, event('{ "id": "p1" }'))]).toEqual([1, 1])
    // The spaces make it another key: whoever wants them ignored puts the parser first.
    expect([await s.call(before, event('{"id":"p1"}')), await s.call(before, event('{ "id": "p1" }'))]).toEqual([2, 3])
    expect(await s.call(before, event('{"id":"p1"}'))).toBe(2)
  })

  test('I32 locked, then idempotent: a replay leaves the lock free', async () => {
    const s = await open(host)
    let runs = 0
    const handler = s
      .middy()
      .use(locked(s.alone))
      .use(idempotent(s.once))
      .handler(async () => ++runs)
    expect([await s.call(handler, payment('p1')), await s.call(handler, payment('p1'))]).toEqual([1, 1])
    expect(s.app.named('released')).toHaveLength(2)
    await expectNothingHeld(s)
  })

  test('I32 idempotent, then locked: a replay never asks for the lock', async () => {
    const s = await open(host)
    const handler = s
      .middy()
      .use(idempotent(s.once))
      .use(locked(s.alone))
      .handler(async () => 'paid')
    await s.call(handler, payment('p1'))
    await whileHeld(s, async () => expect(await s.call(handler, payment('p1'))).toBe('paid'))
    expect(s.app.named('acquired')).toHaveLength(1)
    await expectNothingHeld(s)
  })

  test('I32 idempotent, then locked with skip: the skipped operation is given back, and a later request runs', async () => {
    const s = await open(host)
    let runs = 0
    // `store` would keep a failure: being skipped is none.
    const handler = s
      .middy()
      .use(idempotent({ ...s.once, failure: () => 'store' }))
      .use(locked({ ...s.alone, onHeld: 'skip' }))
      .handler(async () => ++runs)
    await whileHeld(s, async () => {
      expect(await s.call(handler, payment('p1'))).toBeUndefined()
      expect((await s.record('charge', 'p1'))?.status).not.toBe('completed')
    })
    expect(s.app.named('abandoned')).toHaveLength(1)
    expect(await s.call(handler, payment('p1'))).toBe(1)
  })

  test('I32 idempotent, then locked: a held lock is no result, and a later request runs', async () => {
    const s = await open(host)
    const handler = s
      .middy()
      .use(idempotent({ ...s.once, failure: 'store' }))
      .use(locked(s.alone))
      .handler(async () => 'paid')
    await whileHeld(s, () => expect(s.call(handler, payment('p1'))).rejects.toMatchObject({ code: 'LOCK_HELD', statusCode: 409 }))
    await expectNothingHeld(s)
    expect(await s.call(handler, payment('p1'))).toBe('paid')
  })

  test('I32 locked, then idempotent: a rejected duplicate releases its lock', async () => {
    const s = await open(host)
    const gate = Promise.withResolvers<string>()
    const begun = Promise.withResolvers<void>()
    const first = s
      .middy()
      .use(idempotent(s.once))
      .handler(async () => {
        begun.resolve()
        return gate.promise
      })
    const both = s
      .middy()
      .use(locked(s.alone))
      .use(idempotent(s.once))
      .handler(async () => 'unreachable')
    const running = s.start(first, payment('p1'))
    await s.world.run(begun.promise)
    await expect(s.call(both, payment('p1'))).rejects.toMatchObject({ code: 'IN_PROGRESS' })
    expect(await s.holder()).toBeUndefined()
    gate.resolve('paid')
    expect(await s.world.run(running)).toBe('paid')
  })

  test('I32 several locks in one chain are all released: at the end, on skip, and when a later one is held', async () => {
    const s = await open(host)
    const inner = { ...s.alone, key: (event: { id: string }) => ['payment', event.id] }
    const chain = (onHeld: 'skip' | 'reject') =>
      s
        .middy()
        .use(locked(inner))
        .use(locked({ ...s.alone, onHeld }))
        .handler(async (_event, context) => context.alonce.lock?.name)
    expect(await s.call(chain('reject'), payment('p1'))).toBe('a1')
    await whileHeld(s, async () => {
      expect(await s.call(chain('skip'), payment('p1'))).toBeUndefined()
      await expect(s.call(chain('reject'), payment('p1'))).rejects.toMatchObject({ code: 'LOCK_HELD', key: 'a1' })
    })
    expect(s.app.named('acquired')).toHaveLength(4)
    expect(s.app.named('released')).toHaveLength(4)
    expect(await s.holder('payment/p1')).toBeUndefined()
  })

  test('I32 the completion is written before the outer lock is released, and after the inner one', async () => {
    const s = await open(host)
    const order = () => s.app.events.map((event) => event.event).filter((name) => name === 'completed' || name === 'released')
    const lockOutside = s
      .middy()
      .use(locked(s.alone))
      .use(idempotent(s.once))
      .handler(async () => 'paid')
    await s.call(lockOutside, payment('p1'))
    expect(order()).toEqual(['completed', 'released'])
    const lockInside = s
      .middy()
      .use(idempotent(s.once))
      .use(locked(s.alone))
      .handler(async () => 'paid')
    await s.call(lockInside, payment('p2'))
    expect(order().slice(2)).toEqual(['released', 'completed'])
  })

  test('I32 each middleware ends its own part: what stands between them is in the stored result', async () => {
    const s = await open(host)
    const between = {
      after: (request: { response: unknown }) => {
        request.response = `${request.response}, with a receipt`
      },
    }
    const handler = s
      .middy()
      .use(idempotent(s.once))
      .use(between)
      .use(locked({ ...s.alone, onStoreUnavailable: 'run-unprotected' }))
      .handler(async () => 'paid')
    s.app.wire.inject('throttle', 'lock.acquire', 1000)
    expect(await s.call(handler, payment('p1'))).toBe('paid, with a receipt')
    expect(await s.call(handler, payment('p1'))).toBe('paid, with a receipt')
    expect(s.app.named('run-unprotected')).toHaveLength(1)
  })

  test('I18 two requests at once keep their own handles, with one context object and a shared `internal` too', async () => {
    const s = await open(host)
    const both = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const
    const gate = Promise.withResolvers<void>()
    const handler = s
      .middy({ internal: { shared: true } })
      .use(locked({ ...s.alone, key: (event: Payment) => event.id }))
      .use(idempotent(s.once))
      .handler(async (event, context) => {
        both[event.id === 'p1' ? 0 : 1].resolve()
        await gate.promise
        const { lock, operation } = context.alonce
        return [event.id, lock.name, operation.key, context.awsRequestId]
      })
    const context = { awsRequestId: 'r' }
    const answers = [s.start(handler, payment('p1'), context), s.start(handler, payment('p2'), context)]
    await s.world.run(Promise.all(both.map((one) => one.promise)))
    gate.resolve()
    const [first, second] = (await s.world.run(Promise.all(answers))) as string[][]
    expect([first?.slice(0, 2), second?.slice(0, 2)]).toEqual([
      ['p1', 'p1'],
      ['p2', 'p2'],
    ])
    expect(first?.[2]).not.toBe(second?.[2])
    expect([first?.[3], second?.[3]]).toEqual(['r', 'r'])
    expect([await s.holder('p1'), await s.holder('p2')]).toEqual([undefined, undefined])
    await expectNothingHeld(s, 'p1')
    await expectNothingHeld(s, 'p2')
  })

  test('I18 each invocation has its own deadline', async () => {
    const s = await open(host)
    const handler = s
      .middy()
      .use(locked({ ...s.alone, key: (event: Payment) => event.id }))
      .handler(async (_event, context) => context.alonce.lock.remainingMs())
    const [short, long] = (await s.world.run(
      Promise.all([s.start(handler, payment('p1'), s.lambda(10_000)), s.start(handler, payment('p2'), s.lambda(60_000))]),
    )) as number[]
    expect(short).toBeLessThanOrEqual(11_000)
    expect(long).toBeGreaterThan(50_000)
  })

  test('I19 two operations with one payload in one chain are apart', async () => {
    const s = await open(host)
    const handler = (operation: string) =>
      s
        .middy()
        .use(idempotent({ ...onceOptions(s.app), operation }))
        .handler(async () => operation)
    expect(await s.call(handler('charge'), payment('p1'))).toBe('charge')
    expect(await s.call(handler('sendEmail'), payment('p1'))).toBe('sendEmail')
  })
})
