import { aloncePlugin, idempotent, locked } from 'alonce/middy'
import { describe, expect, test } from 'vitest'
import { outcome, work } from '../idempotency/stage.ts'
import { answering, hosts, type MiddyStage, open, payment } from './stage.ts'

interface Chain {
  /** What comes after ours in the chain. */
  readonly inner?: object
  readonly run?: () => Promise<unknown>
  readonly plugin?: object
}

/** Ours in front of `inner`: where middy skips our ends. */
const chain = (s: MiddyStage, { inner = {}, run = async () => 'paid', plugin = aloncePlugin() }: Chain) =>
  s
    .middy(plugin)
    .use(locked(s.alone))
    .use(idempotent({ ...s.once, failure: (error) => (error instanceof RangeError ? 'store' : 'retry') }))
    .use({ before: () => undefined, ...inner })
    .handler(run)

describe.each(hosts)('the plugin on $name under middy $major', (host) => {
  test('I32 a later `before` answers early: the handler never ran, so the operation is given back and the lock released', async () => {
    const s = await open(host)
    expect(await s.call(chain(s, { inner: answering('cached') }), payment('p1'))).toBe('cached')
    expect(s.app.named('abandoned')).toHaveLength(1)
    expect(await s.holder()).toBeUndefined()
    expect(await s.call(chain(s, {}), payment('p1'))).toBe('paid')
  })

  test('I32 an early answer of `undefined` is one, too', async () => {
    const s = await open(host)
    const early = {
      before: (request: { earlyResponse?: unknown }) => {
        request.earlyResponse = undefined
      },
    }
    expect(await s.call(chain(s, { inner: early }), payment('p1'))).toBeUndefined()
    expect(s.app.named('abandoned')).toHaveLength(1)
    expect(await s.holder()).toBeUndefined()
  })

  test('I32 an inner `after` answers: the handler ran, so that answer is its result, and replays have it', async () => {
    const s = await open(host)
    let runs = 0
    const replaced = { after: () => ({ replaced: true }) }
    const handler = chain(s, { inner: replaced, run: async () => ++runs })
    expect(await s.call(handler, payment('p1'))).toEqual({ replaced: true })
    expect(await s.holder()).toBeUndefined()
    expect(await s.call(handler, payment('p1'))).toEqual({ replaced: true })
    expect(runs).toBe(1)
  })

  test('I32 an inner `onError` answers: the handler failed, so the next request runs', async () => {
    const s = await open(host)
    const forgiving = { onError: () => ({ statusCode: 500 }) }
    const fail = async () => {
      throw new Error('no connection')
    }
    expect(await s.call(chain(s, { inner: forgiving, run: fail }), payment('p1'))).toEqual({ statusCode: 500 })
    expect(s.app.named('abandoned')).toHaveLength(1)
    expect(await s.holder()).toBeUndefined()
    expect(await s.call(chain(s, {}), payment('p1'))).toBe('paid')
  })

  test('I30 an inner `onError` answers a final error: it is stored, and thrown to the next request', async () => {
    const s = await open(host)
    const forgiving = { onError: () => ({ statusCode: 402 }) }
    const decline = async () => {
      throw new RangeError('card declined')
    }
    await s.call(chain(s, { inner: forgiving, run: decline }), payment('p1'))
    await expect(s.call(chain(s, {}), payment('p1'))).rejects.toMatchObject({ name: 'RangeError', message: 'card declined' })
  })

  test('I29 an inner `onError` throws: middy 7 lets the plugin release, middy 6 does not call it', async () => {
    const s = await open(host)
    const second = new Error('while handling')
    const worse = {
      onError: () => {
        throw second
      },
    }
    const fail = async () => {
      throw new Error('no connection')
    }
    const ended = await outcome(s.call(chain(s, { inner: worse, run: fail }), payment('p1')))
    expect('error' in ended && ended.error).toBe(second)
    const held = host.major === 6
    expect((await s.holder()) !== undefined).toBe(held)
    expect((await s.record('charge', 'p1'))?.owner !== undefined).toBe(held)
    expect(s.app.named('abandoned')).toHaveLength(held ? 0 : 1)
  })

  test('what was thrown and forgiven may be `undefined`', async () => {
    const s = await open(host)
    const forgiving = { onError: () => 'forgiven' }
    const run = () => Promise.reject(undefined)
    expect(await s.call(chain(s, { inner: forgiving, run }), payment('p1'))).toBe('forgiven')
    expect(s.app.named('completed')).toEqual([])
    expect(s.app.named('abandoned')).toHaveLength(1)
  })

  test('a `before` that assigns a response by hand and answers with it is left to its lease: it may be the handler’s', async () => {
    const s = await open(host)
    // As @middy/http-cors does on a preflight.
    const preflight = {
      before: (request: { response: unknown }) => {
        request.response = { statusCode: 204 }
        return request.response
      },
    }
    expect(await s.call(chain(s, { inner: preflight }), payment('p1'))).toEqual({ statusCode: 204 })
    expect(await s.record('charge', 'p1')).toMatchObject({ status: 'in-progress' })
    expect(s.app.named('completion-failed')).toMatchObject([{ reason: 'unknown' }])
    expect(await s.holder()).toBeUndefined()
    expect(s.app.client.pendingTimers).toBe(0)
  })

  test('a beforeHandler that takes the place of ours costs the knowledge, and never gives back what has run', async () => {
    const s = await open(host)
    const plugin = { ...aloncePlugin(), beforeHandler: () => undefined }
    const handler = chain(s, { plugin, inner: { after: () => 'replaced' } })
    expect(await s.call(handler, payment('p1'))).toBe('replaced')
    expect(s.app.named('abandoned')).toEqual([])
    expect(s.app.named('completion-failed')).toMatchObject([{ reason: 'unknown' }])
    await expect(s.call(chain(s, {}), payment('p1'))).rejects.toMatchObject({ code: 'IN_PROGRESS' })
  })

  test('I18 of two requests at once, each is ended by what became of it', async () => {
    const s = await open(host)
    const job = work()
    const plugin = aloncePlugin()
    const early = {
      before: async ({ event }: { event: { id: string } }) => {
        if (event.id !== 'early') return undefined
        await job.begun
        return 'cached'
      },
    }
    const handler = s
      .middy(plugin)
      .use(idempotent(s.once))
      .use(early)
      .use({ after: () => 'replaced' })
      .handler(job.run)
    const answers = [s.start(handler, payment('early')), s.start(handler, payment('runs'))]
    await s.world.run(job.begun)
    job.finish('paid')
    expect(await s.world.run(Promise.all(answers))).toEqual(['cached', 'replaced'])
    expect(await s.record('charge', 'runs')).toMatchObject({ status: 'completed' })
    expect((await s.record('charge', 'early'))?.status).not.toBe('completed')
    expect(s.app.named('abandoned')).toHaveLength(1)
  })

  test('I18 that one request’s handler ran says nothing of the next one’s', async () => {
    const s = await open(host)
    const early = { before: ({ event }: { event: { id: string } }) => (event.id === 'early' ? 'cached' : undefined) }
    const handler = chain(s, { inner: early })
    expect([await s.call(handler, payment('p1')), await s.call(handler, payment('early'))]).toEqual(['paid', 'cached'])
    expect((await s.record('charge', 'early'))?.status).not.toBe('completed')
    expect(s.app.named('abandoned')).toHaveLength(1)
  })

  test('what our ends have ended is left alone at the request’s end', async () => {
    const s = await open(host)
    const handler = chain(s, { plugin: { ...aloncePlugin(), timeoutEarlyInMillis: 0 } })
    expect([await s.call(handler, payment('p1')), await s.call(handler, payment('p1'))]).toEqual(['paid', 'paid'])
    expect(s.app.wire.sent).toEqual([
      'lock.acquire',
      'once.begin',
      'once.complete',
      'lock.release',
      'lock.acquire',
      'once.begin',
      'lock.release',
    ])
  })

  test('the user’s own hooks are called, and their requestEnd after ours', async () => {
    const s = await open(host)
    const calls: string[] = []
    const plugin = aloncePlugin({
      requestStart: () => void calls.push('requestStart'),
      beforeHandler: () => void calls.push('beforeHandler'),
      requestEnd: () => void calls.push(`requestEnd after ${s.app.events.at(-1)?.event}`),
      timeoutEarlyInMillis: 0,
    })
    const handler = chain(s, { plugin, inner: { after: () => 'replaced' } })
    expect(await s.call(handler, payment('p1'))).toBe('replaced')
    expect(calls).toEqual(['requestStart', 'beforeHandler', 'requestEnd after released'])
  })

  test('without the plugin an inner early answer leaves the lock to its lease: it is not given back by chance', async () => {
    const s = await open(host)
    expect(await s.call(chain(s, { plugin: {}, inner: answering('cached') }), payment('p1'))).toBe('cached')
    expect(await s.holder()).toBeDefined()
    expect(await s.record('charge', 'p1')).toMatchObject({ status: 'in-progress' })
  })
})
