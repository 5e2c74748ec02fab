import { type AlonceEvent, type KeyPart, makeIdempotent, withIdempotency } from 'alonce'
import { describe, expect, test } from 'vitest'
import { backends } from '../../support/backends.ts'
import { outcome, stage, work } from './stage.ts'

interface Order {
  id?: string | undefined
  amount: number
  tenant?: string | undefined
}

describe.each(backends)('keys on $name', (backend) => {
  test('I19 two operations with the same payload on one table are independent', async () => {
    const s = await stage(backend)
    const { store } = s.actor()
    const order = { id: 'o1', amount: 1 }
    const sent: string[] = []
    const charge = makeIdempotent(async (o: Order) => `charged ${o.id}`, { store, operation: 'charge', key: (o) => o.id })
    const email = makeIdempotent(async (o: Order) => sent.push(`mail ${o.id}`), { store, operation: 'email', key: (o) => o.id })
    expect(await s.world.run(charge(order))).toBe('charged o1')
    expect(await s.world.run(email(order))).toBe(1)
    expect(sent).toEqual(['mail o1'])
  })

  const partlyMissing: readonly (readonly [string, KeyPart])[] = [
    ['undefined', undefined],
    ['null', null],
    ['an array with an undefined part', ['a', undefined]],
    ['an array with a hole', new Array<KeyPart>(2).fill('a', 1)],
    ['a nested null', ['a', { user: null }]],
    ['an empty array', []],
  ]

  test.each(partlyMissing)('I20 a key that is %s is rejected, and no request is sent', async (_what, key) => {
    const s = await stage(backend)
    const a = s.actor()
    let runs = 0
    const call = withIdempotency({ store: a.store, operation: 'charge', key, onEvent: a.onEvent }, async () => ++runs)
    expect(await s.world.run(outcome(call))).toMatchObject({ error: { code: 'KEY_MISSING', statusCode: 400 } })
    expect(runs).toBe(0)
    expect(a.wire.sent).toEqual([])
    expect(a.events).toMatchObject([{ event: 'rejected', code: 'KEY_MISSING' }])
  })

  test.each(partlyMissing)('I20 a key that is %s runs unprotected as configured, and is never shared', async (_what, key) => {
    const s = await stage(backend)
    const a = s.actor()
    const call = (user: string) =>
      withIdempotency(
        { store: a.store, operation: 'charge', key, onMissingKey: 'run-unprotected', onEvent: a.onEvent },
        async (operation) => ({ user, isProtected: operation.isProtected, downstream: operation.downstreamKey('charge') }),
      )
    const ann = await s.world.run(call('Ann'))
    const bob = await s.world.run(call('Bob'))
    expect([ann, bob]).toMatchObject([
      { user: 'Ann', isProtected: false },
      { user: 'Bob', isProtected: false },
    ])
    expect(ann.downstream).not.toBe(bob.downstream)
    expect(a.wire.sent).toEqual([])
    expect(a.events).toMatchObject([
      { event: 'run-unprotected', reason: 'missing-key' },
      { event: 'run-unprotected', reason: 'missing-key' },
    ])
  })

  test('I20 a missing scope is a missing key: one tenant never gets another’s result', async () => {
    const s = await stage(backend)
    const { store } = s.actor()
    const charge = makeIdempotent(async (o: Order) => o.amount, {
      store,
      operation: 'charge',
      key: (o) => o.id,
      scope: (o) => o.tenant,
    })
    const call = s.world.run(outcome(charge({ id: 'o1', amount: 1 })))
    expect(await call).toMatchObject({ error: { code: 'KEY_MISSING', message: expect.stringContaining('"scope"') } })
  })

  test('I21 `0`, `false` and `` are keys, each its own', async () => {
    const s = await stage(backend)
    const { store } = s.actor()
    let runs = 0
    const count = makeIdempotent(async (_key: KeyPart) => ++runs, { store, operation: 'count', key: (key) => key })
    const keys: KeyPart[] = [0, false, '', '0', 'false', [''], ['', ''], 0n]
    const first: number[] = []
    for (const key of keys) first.push(await s.world.run(count(key)))
    // `''` and `['']` are one key: a lone value is a list of one.
    expect(first).toEqual([1, 2, 3, 4, 5, 3, 6, 7])
    for (const [index, key] of keys.entries()) expect(await s.world.run(count(key))).toBe(first[index])
  })

  test('I21 the order of members does not matter; "ab"+"c" and "a"+"bc" differ; every member counts', async () => {
    const s = await stage(backend)
    const { store } = s.actor()
    let runs = 0
    const count = makeIdempotent(async (_key: KeyPart) => ++runs, { store, operation: 'count', key: (key) => key })
    const of = (key: KeyPart) => s.world.run(count(key))
    expect(await of({ a: 1, b: 2 })).toBe(await of({ b: 2, a: 1 }))
    expect(await of(['ab', 'c'])).not.toBe(await of(['a', 'bc']))
    expect(await of(['a/b'])).not.toBe(await of(['a', 'b']))
    const named = ['__proto__', 'constructor', 'toString', 'length', 'hasOwnProperty', 'id']
    const results = []
    for (const name of named) results.push(await of(JSON.parse(`{"${name}":"x"}`) as KeyPart))
    expect(new Set(results).size).toBe(named.length)
  })

  test('I22 tenants with the same key are apart', async () => {
    const s = await stage(backend)
    const { store } = s.actor()
    const charge = makeIdempotent(async (o: Order) => `${o.tenant} paid`, {
      store,
      operation: 'charge',
      key: (o) => o.id,
      scope: (o) => o.tenant,
    })
    const pay = (tenant: string) => s.world.run(charge({ id: 'o1', amount: 1, tenant }))
    expect([await pay('acme'), await pay('umbrella'), await pay('acme')]).toEqual(['acme paid', 'umbrella paid', 'acme paid'])
    // No scope is not the scope of anybody, and scope and key do not run into each other.
    const plain = makeIdempotent(async () => 'nobody paid', { store, operation: 'charge', key: ['acme', 'o1'] })
    expect(await s.world.run(plain())).toBe('nobody paid')
  })

  test('I23 a handler that changes its event changes nothing', async () => {
    const s = await stage(backend)
    const a = s.actor()
    let runs = 0
    const charge = makeIdempotent(
      async (o: Order) => {
        runs++
        o.id = 'another'
        o.amount = 0
        return runs
      },
      { store: a.store, operation: 'charge', key: (o) => o.id, fingerprint: (o) => ({ ...o }), onEvent: a.onEvent },
    )
    expect(await s.world.run(charge({ id: 'o1', amount: 5 }))).toBe(1)
    expect(await s.world.run(charge({ id: 'o1', amount: 5 }))).toBe(1)
    expect(new Set(a.events.map((event: AlonceEvent) => event.key)).size).toBe(1)
    expect(await s.world.run(charge({ id: 'another', amount: 0 }))).toBe(2)
  })

  test('I23 whoever changes the event while the begin is under way changes nothing', async () => {
    const s = await stage(backend)
    const a = s.actor()
    const begin = a.wire.hold('once.begin')
    const job = work()
    const charge = makeIdempotent(async (_o: Order) => job.run(), { store: a.store, operation: 'charge', key: (o) => o.id })
    const order: Order = { id: 'o1', amount: 5 }
    const first = charge(order)
    await s.world.run(begin.arrived)
    order.id = 'another'
    begin.letGo()
    await s.world.run(job.begun)
    expect((await s.record('charge', 'o1'))?.status).toBe('in-progress')
    job.finish('charged')
    await s.world.run(first)
    expect((await s.record('charge', 'o1'))?.status).toBe('completed')
    expect(await s.record('charge', 'another')).toBeUndefined()
  })

  test('no raw key, scope or payload is stored, told, or part of an error', async () => {
    const s = await stage(backend)
    const a = s.actor()
    const secret = '4111-1111-1111-1111'
    const job = work()
    const options = { store: a.store, operation: 'charge', key: secret, scope: `tenant ${secret}`, onEvent: a.onEvent } as const
    const call = () => withIdempotency({ ...options, fingerprint: () => ({ card: secret }) }, job.run)
    const first = call()
    await s.world.run(job.begun)
    const refused = await s.world.run(outcome(call()))
    job.finish('charged')
    await s.world.run(first)
    const told = JSON.stringify([a.events, (refused as { error: Error }).error, String((refused as { error: Error }).error)])
    expect(a.events.map((event) => event.event)).toEqual(['started', 'rejected', 'completed'])
    expect(told).not.toContain(secret)
  })
})
