import middy from '@middy/core'
import { AlonceError, currentOperation, makeIdempotent, type Operation, type Store, withIdempotency } from 'alonce'
import { idempotentBatch } from 'alonce/batch'
import { aloncePlugin, idempotent } from 'alonce/middy'
import { describe, expect, test } from 'vitest'
import type { Transactions } from '../../../lib/store/transaction.ts'
import { dynamodbMissing } from '../../support/dynamodb-table.ts'
import { entrances } from '../decorators/stage.decorated.ts'
import { type Actor, GRACE, keyOf, LEASE, outcome, work } from '../idempotency/stage.ts'
import { effectsStage, sent } from './stage.ts'

const options = (actor: Actor) =>
  ({ store: actor.store, operation: 'pay', key: 'p1', leaseMs: LEASE, onEvent: actor.onEvent }) as const

/** The actor's store, whose transactions end as told. */
function transacting(actor: Actor, transact: Transactions['transact']): Store {
  return { ...actor.store, transactions: { ...(actor.store.transactions as Transactions), transact } }
}

describe.skipIf(dynamodbMissing)('a write in one transaction with its operation', () => {
  test('I34 the write and the completion are one: two requests, and a replay that writes nothing', async () => {
    const s = await effectsStage()
    const a = s.actor()
    const pay = () =>
      withIdempotency(options(a), (operation) =>
        operation.transact([s.accounts.add('alice', 5)], { paid: 5, by: operation.fence }),
      )
    const first = await s.world.run(pay())
    expect(a.wire.sent).toEqual(['once.begin', 'transact'])
    expect(await s.world.run(pay())).toEqual(first)
    expect(await s.accounts.read('alice')).toMatchObject({ cents: 5 })
    expect(a.events.map(({ event }) => event)).toEqual(['started', 'completed', 'replayed'])
    expect(a.named('completed')).toMatchObject([{ attempt: 1, requests: 1, durationMs: expect.any(Number) }])
  })

  test('I34 a crash before the transaction leaves neither; a crash after it leaves both', async () => {
    const s = await effectsStage()
    const [a, b, c] = [s.actor(), s.actor(), s.actor()]
    const before = a.wire.hold('transact')
    const dying = withIdempotency(options(a), (operation) => operation.transact([s.accounts.add('alice', 5)], 'of A'))
    dying.catch(() => undefined)
    await s.world.run(before.arrived)
    a.client.kill()
    await s.world.advance(LEASE + GRACE)
    expect(await s.accounts.read('alice')).toBeUndefined()

    const after = work()
    const second = withIdempotency(options(b), async (operation) => {
      await operation.transact([s.accounts.add('alice', 5)], 'of B')
      return after.run()
    })
    second.catch(() => undefined)
    await s.world.run(after.begun)
    b.client.kill()
    expect(await s.world.run(withIdempotency(options(c), async () => 'another run'))).toBe('of B')
    expect(await s.accounts.read('alice')).toMatchObject({ cents: 5 })
    // What lay on the wire when A crashed comes to nothing.
    before.letGo()
    await s.world.settle()
    expect(await s.accounts.read('alice')).toMatchObject({ cents: 5 })
  })

  test('I34 the answer is lost: our own commit is recognised, though its items refuse it a second time', async () => {
    const s = await effectsStage()
    const a = s.actor()
    a.wire.inject('drop-answer', 'transact')
    const call = withIdempotency(options(a), (operation) =>
      operation.transact([s.accounts.open('alice'), s.accounts.add('bob', 5)], 'opened'),
    )
    expect(await s.world.run(call)).toBe('opened')
    expect(sent(a, 'transact')).toBe(2)
    expect(await s.accounts.read('bob')).toMatchObject({ cents: 5 })
    expect(a.named('completed')).toHaveLength(1)
    expect(await s.record('pay', 'p1')).toMatchObject({ status: 'completed', token: expect.any(String) })
  })

  test('I34 DynamoDB no longer knows the token: the record does, and the cancelled transaction counts as ours', async () => {
    const s = await effectsStage()
    const a = s.actor()
    // A refusal of the head and of the item, as after the ten minutes for which DynamoDB remembers.
    let sendings = 0
    const store = transacting(a, async (command, items, given) => {
      const { transact } = a.store.transactions as Transactions
      const done = await transact(command, items, given)
      if (++sendings > 1) return done
      throw new AlonceError('STORE_UNAVAILABLE', `lost after ${done.outcome}`, { maybeApplied: true })
    })
    const call = withIdempotency({ ...options(a), store }, async (operation) => {
      const done = operation.transact([s.accounts.open('alice')], 'opened')
      return done
    })
    expect(await s.world.run(call)).toBe('opened')
    expect(sendings).toBe(2)
    expect(a.named('completed')).toHaveLength(1)
  })

  test('I34 a zombie’s whole transaction is cancelled, and it is told', async () => {
    const s = await effectsStage()
    const [a, b] = [s.actor(), s.actor()]
    const job = work()
    const told: unknown[] = []
    const zombie = withIdempotency({ ...options(a), leaseMs: undefined, context: s.lambda(LEASE) }, async (operation) => {
      await job.run()
      told.push(await outcome(operation.transact([s.accounts.add('alice', 5)], 'of A')))
      told.push(operation.signal.reason)
    })
    await s.world.run(job.begun)
    await s.world.advance(LEASE + 1000 + GRACE)
    const newer = withIdempotency(options(b), (operation) => operation.transact([s.accounts.add('alice', 7)], 'of B'))
    expect(await s.world.run(newer)).toBe('of B')
    job.finish('go on')
    // Its caller gets what counts.
    expect(await s.world.run(zombie)).toBe('of B')
    expect(told).toMatchObject([{ error: { code: 'LOCK_LOST', reason: 'lost' } }, { reason: 'lost' }])
    expect(await s.accounts.read('alice')).toMatchObject({ cents: 7 })
    expect(a.named('lost')).toMatchObject([{ reason: 'lost', code: 'LOCK_LOST' }])
  })

  test('I34 a zombie that fails after its transaction was cancelled leaves the newer attempt alone', async () => {
    const s = await effectsStage()
    const [a, b] = [s.actor(), s.actor()]
    const job = work()
    const zombie = withIdempotency({ ...options(a), leaseMs: undefined, context: s.lambda(LEASE) }, async (operation) => {
      await job.run()
      return operation.transact([s.accounts.add('alice', 5)], 'of A')
    })
    await s.world.run(job.begun)
    await s.world.advance(LEASE + 1000 + GRACE)
    const newer = work()
    const second = withIdempotency(options(b), newer.run)
    await s.world.run(newer.begun)
    job.finish('go on')
    expect(await s.world.run(outcome(zombie))).toMatchObject({ error: { code: 'LOCK_LOST' } })
    expect(await s.accounts.read('alice')).toBeUndefined()
    newer.finish('of B')
    expect(await s.world.run(second)).toBe('of B')
    expect(a.named('abandoned')).toEqual([])
  })

  test('V6 a re-sent transaction that another owner’s record refuses is uncertain', async () => {
    const s = await effectsStage()
    const [a, b] = [s.actor(), s.actor()]
    a.wire.inject('drop-request', 'transact')
    const held = a.wire.hold('transact')
    const call = withIdempotency({ ...options(a), leaseMs: undefined, context: s.lambda(60_000) }, async (operation) =>
      operation.transact([s.accounts.add('alice', 5)], 'of A'),
    )
    call.catch(() => undefined)
    await s.world.run(held.arrived)
    const { fence } = (await s.record('pay', 'p1')) ?? {}
    if (fence === undefined) throw new Error('no record')
    await b.store.execute({ type: 'once.forget', key: keyOf('pay', 'p1'), owner: 'operator', fence })
    held.letGo()
    expect(await s.world.run(outcome(call))).toMatchObject({ error: { code: 'OUTCOME_UNCERTAIN', reason: 'uncertain' } })
    expect(await s.accounts.read('alice')).toBeUndefined()
  })

  test.each(['TransactionConflict', 'ThrottlingError'] as const)(
    'I34 a transaction cancelled by %s is sent again',
    async (Code) => {
      const s = await effectsStage()
      const client = s.world.client()
      const { store, server, wire } = s.shared.connect(client) as ReturnType<typeof s.shared.connect> & {
        server: { answer: unknown }
      }
      let conflicts = 2
      server.answer = (target: string) =>
        target === 'TransactWriteItems' && conflicts-- > 0 ? { status: 400, body: cancelled([Code, 'None']) } : undefined
      const call = withIdempotency({ store, operation: 'pay', key: 'p1' }, (o) =>
        o.transact([s.accounts.add('alice', 5)], 'paid'),
      )
      expect(await s.world.run(call)).toBe('paid')
      expect(wire.sent.filter((type) => type === 'transact')).toHaveLength(3)
      expect(await s.accounts.read('alice')).toMatchObject({ cents: 5 })
    },
  )

  test('I34 an answer that our earlier sending is in progress is asked again, and is no success', async () => {
    const s = await effectsStage()
    const { store, server } = s.shared.connect(s.world.client()) as never as { store: Store; server: { answer: unknown } }
    let answers = 1
    server.answer = (target: string) =>
      target === 'TransactWriteItems' && answers-- > 0
        ? {
            status: 400,
            body: { __type: 'com.amazonaws.dynamodb.v20120810#TransactionInProgressException', Message: 'in progress' },
          }
        : undefined
    const call = withIdempotency({ store, operation: 'pay', key: 'p1' }, (o) => o.transact([s.accounts.add('alice', 5)], 'paid'))
    expect(await s.world.run(call)).toBe('paid')
    expect(await s.accounts.read('alice')).toMatchObject({ cents: 5 })
  })

  test('a condition of the caller’s does not hold: which one is told, nothing is written, and the operation goes on', async () => {
    const s = await effectsStage()
    const a = s.actor()
    const tries: unknown[] = []
    const call = withIdempotency(options(a), async (operation) => {
      const { add } = s.accounts
      tries.push(await outcome(operation.transact([add('alice', 5), add('bob', -5, 'attribute_exists(pk)')], 'x')))
      tries.push(operation.signal.aborted)
      await operation.checkpoint('after', () => 'still ours')
      return operation.transact([add('alice', 1)], 'otherwise')
    })
    expect(await s.world.run(call)).toBe('otherwise')
    expect(tries).toMatchObject([
      { error: { code: 'TRANSACTION_REFUSED', index: 1, reason: 'ConditionalCheckFailed', statusCode: 409 } },
      false,
    ])
    expect(await s.accounts.read('alice')).toMatchObject({ cents: 1 })
    expect(await s.accounts.read('bob')).toBeUndefined()
    expect(a.named('lost')).toEqual([])
  })

  test('a refused transaction whose error the function lets out gives the record back: the next call runs', async () => {
    const s = await effectsStage()
    const a = s.actor()
    const pay = () =>
      withIdempotency(options(a), (operation) =>
        operation.transact([s.accounts.add('bob', -5, 'attribute_exists(pk)')], operation.attempt),
      )
    expect(await s.world.run(outcome(pay()))).toMatchObject({ error: { code: 'TRANSACTION_REFUSED', index: 0 } })
    await s.world.run(withIdempotency({ ...options(a), key: 'p2' }, (o) => o.transact([s.accounts.open('bob')], 1)))
    expect(await s.world.run(pay())).toBe(2)
  })

  test('a refused transaction goes on renewing its lease', async () => {
    const s = await effectsStage()
    const a = s.actor()
    const job = work()
    const call = withIdempotency(options(a), async (operation) => {
      await outcome(operation.transact([s.accounts.add('bob', -5, 'attribute_exists(pk)')], 'x'))
      return job.run()
    })
    await s.world.run(job.begun)
    await s.world.advance(LEASE * 5)
    expect(a.named('extended').length).toBeGreaterThanOrEqual(10)
    expect(a.named('extended').length).toBeLessThanOrEqual(20)
    job.finish('in the end')
    expect(await s.world.run(call)).toBe('in the end')
  })

  test('V6 a re-sent transaction that an item refuses is uncertain: the first may come yet. Its failure makes sure that it can’t', async () => {
    const s = await effectsStage()
    const a = s.actor()
    // The first sending never arrives in time; it lies on the wire.
    const first = a.wire.capture('transact')
    const late: unknown[] = []
    const store = transacting(a, async (command, items, given) => {
      const { transact } = a.store.transactions as Transactions
      const done = await transact(command, items, { ...given, resent: true })
      late.push(done.outcome)
      return done
    })
    const call = withIdempotency({ ...options(a), store }, (operation) =>
      operation.transact([s.accounts.add('alice', 5, 'attribute_exists(pk)')], 'of A'),
    )
    expect(await s.world.run(outcome(call))).toMatchObject({ error: { code: 'OUTCOME_UNCERTAIN' } })
    expect(late).toEqual(['uncertain'])
    expect(a.named('abandoned')).toHaveLength(1)
    // Now its item would take it, and the record does not.
    await s.world.run(withIdempotency({ ...options(a), key: 'p2' }, (o) => o.transact([s.accounts.open('alice')], 1)))
    await s.world.run(first.deliver())
    expect(await s.accounts.read('alice')).toMatchObject({ cents: 0 })
  })

  test('what the function returns afterwards is replaced by the transaction’s result', async () => {
    const s = await effectsStage()
    const a = s.actor()
    const call = withIdempotency(options(a), async (operation): Promise<unknown> => {
      await operation.transact([s.accounts.add('alice', 5)], { paid: 5 })
      return 'something else'
    })
    expect(await s.world.run(call)).toEqual({ paid: 5 })
    expect(a.wire.sent).toEqual(['once.begin', 'transact'])
  })

  test.each(['retry', 'store'] as const)(
    'what the function throws afterwards changes nothing, with failure: %s',
    async (failure) => {
      const s = await effectsStage()
      const [a, b] = [s.actor(), s.actor()]
      const call = withIdempotency({ ...options(a), failure }, async (operation) => {
        await operation.transact([s.accounts.add('alice', 5)], { paid: 5 })
        throw new Error('afterwards')
      })
      expect(await s.world.run(outcome(call))).toMatchObject({ error: { message: 'afterwards' } })
      expect(a.wire.sent).toEqual(['once.begin', 'transact'])
      expect(await s.world.run(withIdempotency(options(b), async () => 'another run'))).toEqual({ paid: 5 })
      expect(a.events.map(({ event }) => event)).toEqual(['started', 'completed'])
    },
  )

  test('a transaction that the function did not wait for is waited for', async () => {
    const s = await effectsStage()
    const a = s.actor()
    const held = a.wire.hold('transact')
    const call = withIdempotency(options(a), async (operation): Promise<unknown> => {
      void operation.transact([s.accounts.add('alice', 5)], 'of the transaction')
      return 'of the function'
    })
    await s.world.run(held.arrived)
    held.letGo()
    expect(await s.world.run(call)).toBe('of the transaction')
    expect(sent(a, 'once.complete')).toBe(0)
  })

  test('after it, the handle changes nothing more', async () => {
    const s = await effectsStage()
    const a = s.actor()
    const later: unknown[] = []
    const call = withIdempotency(options(a), async (operation) => {
      await operation.transact([s.accounts.add('alice', 5)], 'paid')
      later.push(operation.signal.aborted)
      for (const use of [
        () => operation.transact([s.accounts.add('alice', 5)], 'again'),
        () => operation.checkpoint('late', () => 1),
        () => operation.extend(LEASE),
      ])
        later.push(await outcome(use()))
    })
    await s.world.run(call)
    const ended = { error: { reason: 'ended' } }
    expect(later).toMatchObject([false, ended, ended, ended])
    expect(await s.accounts.read('alice')).toMatchObject({ cents: 5 })
    expect(a.client.pendingTimers).toBe(0)
  })

  test.each([2_000, 420_000])('a result of %i bytes goes aside first, and is replayed whole', async (bytes) => {
    const s = await effectsStage()
    const a = s.actor()
    const noise = Array.from({ length: bytes }, (_, index) => String.fromCharCode(33 + ((index * 7919) % 89))).join('')
    const codec = {
      id: 'plain',
      encode: (value: unknown) => Buffer.from(value as string),
      decode: (b: Uint8Array) => Buffer.from(b).toString(),
    }
    const pay = () => withIdempotency({ ...options(a), codec }, (o) => o.transact([s.accounts.add('alice', 5)], noise))
    await s.world.run(pay())
    expect(await s.world.run(pay())).toBe(noise)
    expect(await s.accounts.read('alice')).toMatchObject({ cents: 5 })
  })

  test('a result that can’t be kept is an error before anything is written', async () => {
    const s = await effectsStage()
    const a = s.actor()
    const call = withIdempotency(options(a), (o) => o.transact([s.accounts.add('alice', 5)], 10n))
    expect(await s.world.run(outcome(call))).toMatchObject({ error: { code: 'RESULT_NOT_SERIALIZABLE' } })
    expect(sent(a, 'transact')).toBe(0)
    expect(await s.record('pay', 'p1')).toMatchObject({ status: undefined })
  })

  test('the store is away: nothing is written, it is told so, and the operation goes on', async () => {
    const s = await effectsStage()
    const a = s.actor()
    const seen: unknown[] = []
    const call = withIdempotency({ ...options(a), leaseMs: LEASE * 10 }, async (operation) => {
      a.wire.cut('throttle')
      seen.push(await outcome(operation.transact([s.accounts.add('alice', 5)], 'paid')))
      a.wire.heal()
      return operation.transact([s.accounts.add('alice', 1)], 'later')
    })
    expect(await s.world.run(call)).toBe('later')
    expect(seen).toMatchObject([{ error: { code: 'STORE_UNAVAILABLE', maybeApplied: false } }])
    expect(await s.accounts.read('alice')).toMatchObject({ cents: 1 })
  })

  test('I34 no answer at all, though it was applied: the caller is told, and duplicates get what counts', async () => {
    const s = await effectsStage()
    const [a, b] = [s.actor(), s.actor()]
    const call = withIdempotency(options(a), (operation) => {
      a.wire.cut('drop-answer')
      return operation.transact([s.accounts.add('alice', 5)], 'paid')
    })
    expect(await s.world.run(outcome(call))).toMatchObject({ error: { code: 'STORE_UNAVAILABLE', maybeApplied: true } })
    expect(a.named('completion-failed')).toMatchObject([{ reason: 'uncertain' }])
    expect(await s.world.run(withIdempotency(options(b), async () => 'another run'))).toBe('paid')
    expect(await s.accounts.read('alice')).toMatchObject({ cents: 5 })
  })

  test('I34 a function that swallows the doubt: its caller gets what is in the record', async () => {
    const s = await effectsStage()
    const a = s.actor()
    const call = withIdempotency(options(a), async (operation): Promise<unknown> => {
      a.wire.cut('drop-answer')
      await outcome(operation.transact([s.accounts.add('alice', 5)], 'paid'))
      a.wire.heal()
      return 'as if it had worked'
    })
    expect(await s.world.run(call)).toBe('paid')
  })

  test.each<[string, (TableName: string) => unknown, RegExp]>([
    ['no array', () => 'items', /array of at most 99/],
    [
      'a hundred items',
      (TableName) => Array.from({ length: 100 }, () => ({ Delete: { TableName, Key: { pk: 'x', sk: 'x' } } })),
      /at most 99/,
    ],
    ['an item without an action', () => [{}], /item 0 has none/],
    ['an item with two', (TableName) => [{ Put: { TableName, Item: {} }, Delete: { TableName, Key: {} } }], /item 0 has 2/],
    ['an item without a table', () => [{ Put: { TableName: undefined, Item: {} } }], /no "TableName"/],
    [
      'a class instance',
      (TableName) => [{ Put: { TableName, Item: { pk: 'x', sk: 'x', at: new URL('http://secret.example') } } }],
      /no type for, in "Item"/,
    ],
    ['a key that is no object', (TableName) => [{ Delete: { TableName, Key: 'x' } }], /"Key" of item 0/],
    [
      'more than 4 MB',
      (TableName) =>
        Array.from({ length: 14 }, (_, n) => ({ Put: { TableName, Item: { pk: `x${n}`, sk: 'x', d: 'x'.repeat(320_000) } } })),
      /at most 4194304/,
    ],
    [
      'one item twice',
      (TableName) => [1, 2].map(() => ({ Delete: { TableName, Key: { pk: 'x', sk: 'x' } } })),
      /no transaction that DynamoDB takes/,
    ],
  ])('%s is CONFIG_INVALID, and the operation goes on', async (_, items, sentence) => {
    const s = await effectsStage()
    const a = s.actor()
    const seen: { error?: AlonceError }[] = []
    const call = withIdempotency(options(a), async (operation) => {
      seen.push((await outcome(operation.transact(items(s.accounts.TableName) as never, 'x'))) as never)
      return operation.transact([s.accounts.add('alice', 1)], 'otherwise')
    })
    expect(await s.world.run(call)).toBe('otherwise')
    expect(seen[0]?.error).toMatchObject({ code: 'CONFIG_INVALID', option: 'items' })
    expect(seen[0]?.error?.message).toMatch(sentence)
    expect(JSON.stringify(seen[0]?.error)).not.toContain('secret')
  })

  test('with a retention shorter than the lease it is a second transaction that says so, and both live as long as they must', async () => {
    const s = await effectsStage()
    const a = s.actor()
    const call = withIdempotency({ ...options(a), retainMs: 1000, leaseMs: 60_000 }, (o) =>
      o.transact([s.accounts.add('alice', 5)], 'paid'),
    )
    expect(await s.world.run(call)).toBe('paid')
    expect(sent(a, 'transact')).toBe(2)
    expect(await s.accounts.read('alice')).toMatchObject({ cents: 5 })
    const record = await s.record('pay', 'p1')
    expect((record?.purgeAtMs ?? 0) - s.world.now).toBeGreaterThanOrEqual(60_000 + 86_400_000 - 5000)
  })
})

const record = {
  messageId: 'm1',
  body: '',
  attributes: { ApproximateReceiveCount: '1' },
  eventSourceARN: 'arn:aws:sqs:eu-central-1:1:q',
}
const lambda = { getRemainingTimeInMillis: () => 30_000, awsRequestId: 'r1' }

describe.skipIf(dynamodbMissing)('through every entrance', () => {
  type Pay = (operation: Operation) => Promise<unknown>
  test.each<[string, (actor: Actor, pay: Pay) => () => Promise<unknown>, unknown]>([
    ['makeIdempotent', (actor, pay) => makeIdempotent(() => pay(currentOperation()), options(actor)), 'paid'],
    [
      'middy',
      (actor, pay) => {
        const handler = middy(aloncePlugin())
          .use(idempotent(options(actor)))
          .handler(async (_event, { alonce }) => {
            await pay(alonce.operation)
            return 'something else'
          })
        return () => handler({}, lambda as never) as Promise<unknown>
      },
      'paid',
    ],
    [
      'a batch',
      (actor, pay) => {
        const handler = idempotentBatch(() => pay(currentOperation()), options(actor))
        return () => handler({ Records: [record] }, lambda)
      },
      { batchItemFailures: [] },
    ],
    ...entrances.map(({ standard, once }): [string, (actor: Actor, pay: Pay) => () => Promise<unknown>, unknown] => [
      `a decorator (${standard})`,
      (actor, pay) => {
        const method = once(() => pay(currentOperation()), options(actor))
        return () => method({})
      },
      'paid',
    ]),
  ])('I34 %s: two requests, one effect, and duplicates get the transaction’s result', async (_, make, answer) => {
    const s = await effectsStage()
    const a = s.actor()
    const call = make(a, (operation) => operation.transact([s.accounts.add('alice', 5)], 'paid'))
    expect(await s.world.run(call())).toEqual(answer)
    expect(a.wire.sent).toEqual(['once.begin', 'transact'])
    expect(await s.world.run(call())).toEqual(answer)
    expect(await s.accounts.read('alice')).toMatchObject({ cents: 5 })
  })
})

test('on a store whose records are not in DynamoDB, transact() is CONFIG_INVALID in a clear sentence', async () => {
  const { memoryStore } = await import('alonce/memory')
  let seen: unknown
  const use = async (operation: Operation) => {
    seen = await outcome(operation.transact([], 'x'))
    return 'goes on'
  }
  expect(await withIdempotency({ store: memoryStore(), operation: 'pay', key: 'p1' }, use)).toBe('goes on')
  expect(seen).toMatchObject({ error: { code: 'CONFIG_INVALID', option: 'store' } })
  expect(String((seen as { error: Error }).error)).toMatch(/"memory", which can't write your items .* dynamodbStore\(\)/)
})

const cancelled = (codes: readonly string[]) => ({
  __type: 'com.amazonaws.dynamodb.v20120810#TransactionCanceledException',
  Message: `Transaction cancelled, please refer cancellation reasons for specific reasons [${codes.join(', ')}]`,
  CancellationReasons: codes.map((Code) => ({ Code })),
})
