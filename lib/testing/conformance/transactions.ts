import assert from 'node:assert/strict'
import type { Fence } from '../../store/record.ts'
import type { SendOptions } from '../../store/store.ts'
import type { TokenCompletion, Transacted, TransactItem, Transactions } from '../../store/transaction.ts'
import type { Fault } from '../wire.ts'
import type { Counters } from './subject.ts'
import { AGAIN, bytesOf, type Case, LONG_MS, RETAIN_MS, resultOf, type Trial } from './trial.ts'

const faults: readonly Fault[] = ['drop-answer', 'drop-request', 'throttle']

/** Completions in one transaction with something of the caller's, and guards: for stores that have `transactions`. */
const cases: readonly Case[] = [
  {
    title: 'the items and the completion are written together, and replayed as any completion is',
    run: async (t) => {
      await t.started('A')
      assert.deepEqual(await transact(t, completion(t, 'A')), { outcome: 'completed' })
      assert.equal(await countersOf(t).read('paid'), 1)
      const replay = await t.send(t.begin('B'), {}, t.b)
      assert(replay.outcome === 'completed')
      assert.deepEqual(bytesOf(replay.result), bytesOf(resultOf('A')))
    },
  },
  {
    title: 'V4 V6 of a stranger, a zombie and where nothing is, nothing is written: lost, or uncertain when it was sent before',
    needs: ['time'],
    run: async (t) => {
      await nothing(t, 'A')
      await t.started('A')
      await nothing(t, 'B')
      await t.advance(t.leaseMs + LONG_MS)
      await t.wait(t.b.store.read(t.once))
      assert.equal((await t.send(t.begin('B'), {}, t.b)).outcome, 'started')
      await nothing(t, 'A')
      assert.equal(await countersOf(t).read('paid'), 0)
    },
  },
  {
    title: 'V3 it is recognised by its token when it is sent again, and another token of the same owner is not',
    run: async (t) => {
      await t.started('A')
      await transact(t, completion(t, 'A'))
      assert.equal((await transact(t, completion(t, 'A'), AGAIN)).outcome, 'completed')
      assert.equal((await transact(t, completion(t, 'A', 'another'))).outcome, 'lost')
      assert.equal((await transact(t, completion(t, 'A', 'another'), AGAIN)).outcome, 'uncertain')
      assert.equal(await countersOf(t).read('paid'), 1)
    },
  },
  {
    title: 'an item is refused: it is told which, nothing is written, and the attempt goes on',
    run: async (t) => {
      await t.started('A')
      const before = await t.read(t.once)
      const items = [countersOf(t).increment('paid'), countersOf(t).mustExist('missing')]
      const refused = await transact(t, completion(t, 'A'), { items })
      assert.deepEqual(refused, { outcome: 'refused', index: 1, reason: 'ConditionalCheckFailed' })
      assert.deepEqual(await transact(t, completion(t, 'A'), { ...AGAIN, items }), { outcome: 'uncertain' })
      assert.deepEqual(await t.read(t.once), before)
      assert.equal(await countersOf(t).read('paid'), 0)
      assert.equal((await transact(t, completion(t, 'A', 'otherwise'))).outcome, 'completed')
    },
  },
  ...faults.map(
    (fault): Case => ({
      title: `V3 ${fault}: it is sent again, succeeds, and is applied once`,
      run: async (t) => {
        await t.started('A')
        t.a.wire.inject(fault, 'transact')
        assert.deepEqual(await transact(t, completion(t, 'A')), { outcome: 'completed' })
        assert.equal(await countersOf(t).read('paid'), 1)
      },
    }),
  ),
  {
    title: 'V4 a late duplicate of a transaction changes nothing, nor once an operator has forgotten the record',
    run: async (t) => {
      const { fence } = await t.started('A')
      const ghost = t.a.wire.capture('transact')
      await transact(t, completion(t, 'A'))
      await t.wait(ghost.deliver())
      assert.equal(await countersOf(t).read('paid'), 1)
      await t.send({ type: 'once.forget', key: t.once, owner: 'operator', fence })
      const before = await t.read(t.once)
      await t.wait(ghost.deliver())
      assert.deepEqual(await t.read(t.once), before)
      assert.equal(await countersOf(t).read('paid'), 1)
    },
  },
  {
    title: 'a large result is replayed whole',
    run: async (t) => {
      await t.started('A')
      const body = Uint8Array.from({ length: 450_000 }, (_, at) => (at * 31) % 251)
      await transact(t, { ...completion(t, 'A'), result: { form: 'value', codec: 'raw', body } })
      const replay = await t.send(t.begin('B'), {}, t.b)
      assert(replay.outcome === 'completed')
      assert.deepEqual(bytesOf(replay.result), body)
    },
  },
  {
    title: 'V1 a lock’s guard lets a transaction pass while the lock is held, and no longer',
    run: async (t) => {
      const first = await t.held('A')
      const guard = transactionsOf(t).guard(t.lock, { owner: 'A', fence: first.fence })
      const pay = async (owner: string, item: TransactItem): Promise<Transacted['outcome']> => {
        await t.started(owner)
        const { outcome } = await transact(t, completion(t, owner), { items: [countersOf(t).increment('paid'), item] })
        const { fence } = await t.readOnce()
        await t.send({ type: 'once.forget', key: t.once, owner: 'operator', fence })
        return outcome
      }
      assert.equal(await pay('P', guard), 'completed')
      assert.equal(await pay('Q', transactionsOf(t).guard(t.lock, { owner: 'A', fence: (first.fence + 1) as Fence })), 'refused')
      await t.send({ type: 'lock.release', key: t.lock, owner: 'A' })
      assert.equal(await pay('R', guard), 'refused')
      const second = await t.held('B')
      assert.equal(await pay('S', guard), 'refused')
      assert.equal(await pay('T', transactionsOf(t).guard(t.lock, { owner: 'B', fence: second.fence })), 'completed')
      assert.equal(await countersOf(t).read('paid'), 2)
    },
  },
  {
    title: 'V1 each of those who hold a lock together has a guard, until it leaves',
    run: async (t) => {
      const shared = async (owner: string): Promise<TransactItem> => {
        const reply = await t.send(t.acquire(owner, { share: { weight: 1 } }))
        assert(reply.outcome === 'acquired')
        return transactionsOf(t).guard(t.lock, { owner, fence: reply.fence })
      }
      const [a, b] = [await shared('A'), await shared('B')]
      await t.started('P')
      await t.send({ type: 'lock.release', key: t.lock, owner: 'A' })
      assert.equal((await transact(t, completion(t, 'P'), { items: [a] })).outcome, 'refused')
      assert.equal((await transact(t, completion(t, 'P'), { items: [b] })).outcome, 'completed')
    },
  },
]

export const transactionCases: readonly Case[] = cases.map((entry) => ({ ...entry, needs: [...(entry.needs ?? []), 'counters'] }))

const completion = (t: Trial, owner: string, token = 'token'): TokenCompletion => ({
  type: 'once.complete',
  key: t.once,
  owner,
  result: resultOf(owner),
  retainMs: RETAIN_MS,
  token: `${owner}-${token}`,
})

interface Sending extends SendOptions {
  /** Default: one that counts. */
  readonly items?: readonly TransactItem[]
}

function transact(t: Trial, command: TokenCompletion, { items, ...options }: Sending = {}): Promise<Transacted> {
  return t.wait(transactionsOf(t).transact(command, items ?? [countersOf(t).increment('paid')], options))
}

async function nothing(t: Trial, owner: string): Promise<void> {
  const before = await t.read(t.once)
  assert.equal((await transact(t, completion(t, owner))).outcome, 'lost')
  assert.equal((await transact(t, completion(t, owner), AGAIN)).outcome, 'uncertain')
  assert.deepEqual(await t.read(t.once), before)
}

function transactionsOf({ a: { store } }: Trial): Transactions {
  assert(store.transactions, 'the suite was given counters, and the store has no transactions')
  return store.transactions
}

function countersOf(t: Trial): Counters {
  assert(t.subject.counters)
  return t.subject.counters
}
