import assert from 'node:assert/strict'
import type { AcquiredAll, Granted, LockAcquire } from '../../store/command.ts'
import { lockKey } from '../../store/key.ts'
import type { LockRecord, RecordKey } from '../../store/record.ts'
import type { SendOptions } from '../../store/store.ts'
import type { Fault } from '../wire.ts'
import { AGAIN, type Case, type Client, LONG_MS, type Trial } from './trial.ts'

const faults: readonly Fault[] = ['drop-answer', 'drop-request', 'throttle']

/** Several locks in one transaction: for stores that have `acquireAll`. */
const cases: readonly Case[] = [
  {
    title: 'all are granted: each record shows its grant',
    run: async (t) => {
      const grants = await granted(t, pair(t, 'A'))
      for (const [index, record] of (await records(t)).entries()) {
        const { fence, expiresAtMs, tookOver } = grants[index] as Granted
        assert.deepEqual([record?.fence, record?.holder?.owner], [fence, owners('A')[index]])
        assert.equal(record?.holder?.expiresAtMs, expiresAtMs)
        assert.equal(tookOver, false)
      }
    },
  },
  {
    title: 'V1 when one is held none is taken, wherever it comes in the order, and the holder is named',
    run: async (t) => {
      for (const held of [0, 1]) {
        const [command] = pair(t, `B${held}`).slice(held)
        assert(command)
        assert.equal((await t.send(command, {}, t.b)).outcome, 'acquired')
        const before = await records(t)
        const answer = await acquireAll(t, pair(t, `A${held}`))
        assert(answer.outcome === 'refused' && answer.reply.outcome === 'held', JSON.stringify(answer))
        assert.deepEqual([answer.index, answer.reply.holder.owner], [held, command.owner])
        assert.deepEqual(await records(t), before)
        await t.send({ type: 'lock.release', key: command.key, owner: command.owner }, {}, t.b)
      }
      await granted(t, pair(t, 'C'))
    },
  },
  {
    title: 'V2 fences rise, taken together or alone, by this client or that',
    run: async (t) => {
      const fences: number[] = []
      for (const [round, client] of [t.a, t.b, t.a, t.a, t.b].entries()) {
        const grants = await granted(t, pair(t, `A${round}`), {}, client)
        fences.push(grants[0]?.fence ?? 0)
        for (const { key, owner } of pair(t, `A${round}`)) await t.send({ type: 'lock.release', key, owner })
        const alone = await t.held(`B${round}`, client)
        fences.push(alone.fence)
        await t.send({ type: 'lock.release', key: t.lock, owner: `B${round}` })
      }
      assert.deepEqual(
        fences,
        [...new Set(fences)].sort((a, b) => a - b),
      )
    },
  },
  {
    title:
      'V3 sent again they are granted once: same fences, same expiries, nothing written; after their releases they are ghosts',
    run: async (t) => {
      const grants = await granted(t, pair(t, 'A'))
      const before = await records(t)
      assert.deepEqual(
        (await granted(t, pair(t, 'A'), AGAIN)).map(({ fence, expiresAtMs }) => [fence, expiresAtMs]),
        grants.map(({ fence, expiresAtMs }) => [fence, expiresAtMs]),
      )
      assert.deepEqual(await records(t), before)
      for (const { key, owner } of pair(t, 'A')) await t.send({ type: 'lock.release', key, owner })
      const released = await records(t)
      for (const options of [AGAIN, {}]) {
        const answer = await acquireAll(t, pair(t, 'A'), options)
        assert(answer.outcome === 'refused' && answer.reply.outcome === 'stale', JSON.stringify(answer))
      }
      assert.deepEqual(await records(t), released)
    },
  },
  ...faults.map(
    (fault): Case => ({
      title: `V3 ${fault}: they are sent again, and each is granted once`,
      run: async (t) => {
        await t.wait(t.a.store.read(t.lock))
        for (const owner of ['first', 'second']) {
          const before = await records(t)
          t.a.wire.inject(fault, 'acquire-all')
          const grants = await granted(t, pair(t, owner))
          for (const [index, record] of (await records(t)).entries()) {
            assert.equal(record?.fence, grants[index]?.fence)
            // A new record's version starts from the store's seed.
            if (before[index]) assert.equal(record?.version, before[index].version + 1, 'written once')
          }
          for (const { key, owner: part } of pair(t, owner)) await t.send({ type: 'lock.release', key, owner: part })
        }
      },
    }),
  ),
  {
    title: 'V3 a late duplicate does not bring back what was released, by itself or by others since',
    needs: ['time'],
    run: async (t) => {
      await t.wait(t.a.store.read(t.lock))
      const ghost = t.a.wire.capture('acquire-all')
      await granted(t, pair(t, 'A'))
      for (const { key, owner } of pair(t, 'A')) await t.send({ type: 'lock.release', key, owner })
      const untouched = async (): Promise<void> => {
        const before = await records(t)
        await t.wait(ghost.deliver())
        assert.deepEqual(await records(t), before)
      }
      await untouched()
      await t.advance(LONG_MS)
      await granted(t, pair(t, 'B'), {}, t.b)
      await untouched()
    },
  },
  {
    title: 'V4 sent again after an operator has ended one of them: refused, and nothing is left of the others',
    run: async (t) => {
      const [first] = await granted(t, pair(t, 'A'))
      assert(first)
      await t.send({ type: 'lock.break', key: t.lock, owner: 'operator', fence: first.fence, reason: 'stuck' }, {}, t.b)
      assert.equal((await acquireAll(t, pair(t, 'A'), AGAIN)).outcome, 'refused')
      assert.deepEqual(
        (await records(t)).map((record) => record?.holder),
        [undefined, undefined],
      )
    },
  },
  {
    title: 'V5 a dead holder’s lock is taken over with the others once its lease has ended, and not before',
    needs: ['time'],
    run: async (t) => {
      const dead = await t.held('dead', t.b)
      await t.wait(t.a.store.read(t.lock))
      await t.advance(t.leaseMs - 1000)
      assert.equal((await acquireAll(t, pair(t, 'A'))).outcome, 'refused')
      await t.advance(LONG_MS)
      await t.wait(t.a.store.read(t.lock))
      const [over, free] = await granted(t, pair(t, 'B'))
      assert(over && free)
      assert.deepEqual([over.tookOver, free.tookOver], [true, false])
      assert(over.fence > dead.fence)
      assert.equal((await records(t))[0]?.tombstone?.owner, 'dead')
      assert.equal((await t.send({ type: 'lock.release', key: t.lock, owner: 'dead' }, {}, t.b)).outcome, 'lost')
    },
  },
  {
    title: 'V1 shares and permits are taken together, up to their limits, and each is renewed and left as any is',
    run: async (t) => {
      const shares = (owner: string): LockAcquire[] =>
        pair(t, owner).map((command) => ({ ...command, share: { limit: 2, weight: 1 } }))
      await granted(t, shares('A'))
      const [, grant] = await granted(t, shares('B'), {}, t.b)
      const full = await acquireAll(t, shares('C'))
      assert(full.outcome === 'refused' && full.reply.outcome === 'held' && full.reply.because === 'full')
      assert.equal((await acquireAll(t, pair(t, 'D'))).outcome, 'refused')
      const [, b] = shares('B')
      assert(b && grant)
      const renew = { type: 'lock.renew', key: b.key, owner: b.owner, fence: grant.fence, leaseMs: t.leaseMs * 2 } as const
      assert.equal((await t.send({ ...renew, hint: 'shared' }, {}, t.b)).outcome, 'renewed')
      for (const { key, owner } of shares('B')) await t.send({ type: 'lock.release', key, owner, hint: 'shared' }, {}, t.b)
      await granted(t, shares('E'), {}, t.b)
      for (const record of await records(t)) assert.deepEqual([record?.pool?.weight, record?.holder], [2, undefined])
    },
  },
  {
    title: 'a lock that somebody waits for in its queue is not taken before him',
    run: async (t) => {
      await t.held('A', t.b)
      assert.equal((await t.send(t.acquire('waiter', { queueMs: t.leaseMs }), {}, t.b)).outcome, 'queued')
      await t.send({ type: 'lock.release', key: t.lock, owner: 'A' }, {}, t.b)
      const before = await records(t)
      const answer = await acquireAll(t, pair(t, 'B'))
      assert(answer.outcome === 'refused' && answer.reply.outcome === 'held')
      assert.equal(answer.reply.holder.owner, 'waiter')
      assert.deepEqual(await records(t), before)
    },
  },
  {
    title: 'V1 of many contenders at once for pairs that overlap, those are granted that go together',
    run: async (t) => {
      const [x, y] = keys(t) as [RecordKey, RecordKey]
      const z = lockKey(['conformance', `${t.lock}-z`])
      const pairs = Array.from({ length: 12 }, (_, index) => {
        const chosen = [[x, y] as const, [y, z] as const, [z, x] as const][index % 3] ?? [x, y]
        return chosen.map((key) => ({ ...t.acquire(`contender-${index}-${key}`), key }))
      })
      const sent = pairs.map((commands, index) => send(commands, {}, index % 2 ? t.a : t.b))
      const answers = await t.wait(Promise.all(sent))
      const taken = pairs.filter((_, index) => answers[index]?.outcome === 'acquired').flat()
      assert.equal(taken.length, 2, 'any two of the pairs have a lock in common')
      for (const { key, owner } of taken) {
        const record = (await t.read(key)) as LockRecord | undefined
        assert.equal(record?.holder?.owner, owner)
      }
      const left = [x, y, z].filter((key) => taken.every((command) => command.key !== key))
      for (const key of left) assert.equal(((await t.read(key)) as LockRecord | undefined)?.holder, undefined)
    },
  },
  {
    title: 'what can’t be taken together is refused before anything is sent: one key twice, none, a place in a queue',
    run: async (t) => {
      const [command] = pair(t, 'A')
      assert(command)
      const wrong: readonly (readonly LockAcquire[])[] = [[], [command, command], [{ ...command, queueMs: 1000 }]]
      for (const commands of wrong) await assert.rejects(acquireAll(t, commands), { code: 'CONFIG_INVALID' })
      assert.deepEqual(await records(t), [undefined, undefined])
    },
  },
]

export const togetherCases: readonly Case[] = cases.map((entry) => ({ ...entry, needs: [...(entry.needs ?? []), 'together'] }))

const keys = (t: Trial): readonly RecordKey[] => [t.lock, lockKey(['conformance', `${t.lock}-too`])]

const owners = (owner: string): readonly string[] => [owner, `${owner}-too`]

const pair = (t: Trial, owner: string): readonly LockAcquire[] =>
  keys(t).map((key, index) => ({ ...t.acquire(owners(owner)[index] ?? owner), key }))

function send(commands: readonly LockAcquire[], options: SendOptions, { store }: Client): Promise<AcquiredAll> {
  assert(store.acquireAll, 'the store can’t take several locks at once: say so in skip.together')
  return store.acquireAll(commands, options)
}

const acquireAll = (t: Trial, commands: readonly LockAcquire[], options: SendOptions = {}): Promise<AcquiredAll> =>
  t.wait(send(commands, options, t.a))

async function granted(
  t: Trial,
  commands: readonly LockAcquire[],
  ...[options = {}, client = t.a]: [SendOptions?, Client?]
): Promise<readonly Granted[]> {
  const answer = await t.wait(send(commands, options, client))
  assert(answer.outcome === 'acquired', JSON.stringify(answer))
  return answer.grants
}

async function records(t: Trial): Promise<readonly (LockRecord | undefined)[]> {
  const found: (LockRecord | undefined)[] = []
  for (const key of keys(t)) found.push((await t.read(key)) as LockRecord | undefined)
  return found
}
