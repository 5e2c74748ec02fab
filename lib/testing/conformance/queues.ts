import assert from 'node:assert/strict'
import type { LockAcquire, LockRelease, Queued } from '../../store/command.ts'
import { granted, lockOf, refusal, share } from './sharing.ts'
import { AGAIN, type Case, LONG_MS, type Trial } from './trial.ts'

/** Locks that are waited for in the order of arrival. */
export const queueCases: readonly Case[] = [
  {
    title: 'L13 waiters stand in the order of their arrival, and each release hands over to the next',
    run: async (t) => {
      const a = await t.held('A')
      assert.equal((await queued(t, 'B', { label: 'host-b' })).place, 0)
      const second = await queued(t, 'C')
      assert.deepEqual([second.place, second.holder.owner, second.fence], [1, 'A', a.fence])
      assert.equal((await t.send(handOver(t, 'A'))).outcome, 'released')
      const next = await lockOf(t)
      assert.deepEqual([next.holder?.owner, next.holder?.label, next.queue?.map(({ owner }) => owner)], ['B', 'host-b', ['C']])
      assert(next.fence > a.fence)
      assert.equal((await t.send({ type: 'lock.release', key: t.lock, owner: 'B' })).outcome, 'released') // without the hint
      assert.equal((await lockOf(t)).holder?.owner, 'C')
      assert.equal((await t.send(handOver(t, 'C'))).outcome, 'released')
      const last = await lockOf(t)
      assert.deepEqual([last.holder, last.queue], [undefined, []])
    },
  },
  {
    title: 'L13 twenty who take a place at once each have one of their own',
    run: async (t) => {
      await t.held('A')
      const commands = Array.from({ length: 20 }, (_, index) => waiting(t, `owner-${index}`))
      const replies = await t.wait(Promise.all(commands.map((command, index) => (index % 2 ? t.a : t.b).store.execute(command))))
      const places = replies.map((reply) => (reply.outcome === 'queued' ? reply.place : reply.outcome))
      assert.deepEqual(
        [...places].sort((x, y) => Number(x) - Number(y)),
        Array.from({ length: 20 }, (_, index) => index),
      )
    },
  },
  {
    title: 'L13 of twenty who see at once that it is free, one has it and the others queue',
    run: async (t) => {
      const commands = Array.from({ length: 20 }, (_, index) => waiting(t, `owner-${index}`, { hint: 'free' }))
      const replies = await t.wait(Promise.all(commands.map((command, index) => (index % 2 ? t.a : t.b).store.execute(command))))
      const outcomes = replies.map((reply) => (reply.outcome === 'queued' ? reply.place : reply.outcome))
      assert.deepEqual(
        outcomes.filter((outcome) => typeof outcome === 'number').sort((x, y) => x - y),
        Array.from({ length: 19 }, (_, index) => index),
      )
      assert.equal(outcomes.filter((outcome) => outcome === 'acquired').length, 1)
      assert.equal((await lockOf(t)).queue?.length, 19)
    },
  },
  {
    title: 'L13 what a look has shown may be over, and decides nothing',
    run: async (t) => {
      await granted(t, waiting(t, 'A', { hint: 'queue' }))
      assert.deepEqual((await lockOf(t)).queue, [])
      assert.equal((await queued(t, 'B', { hint: 'free' })).place, 0)
      assert.equal((await queued(t, 'C', { hint: 'queue' })).place, 1)
      await t.refused(t.lock, [
        [waiting(t, 'A', { hint: 'queue' }), 'acquired', AGAIN],
        [waiting(t, 'B', { hint: 'free' }), 'queued', AGAIN],
      ])
      for (const owner of ['A', 'B', 'C']) await t.send(handOver(t, owner))
      await granted(t, waiting(t, 'D', { hint: 'queue' }))
    },
  },
  {
    title: 'V3 sent again a place is taken once, and sent by whom the lock was handed over to it is its grant',
    run: async (t) => {
      await t.held('A')
      await queued(t, 'B')
      const again = await t.send(waiting(t, 'B'), AGAIN)
      assert(again.outcome === 'queued' && again.place === 0)
      assert.equal((await lockOf(t)).queue?.length, 1)
      await t.send(handOver(t, 'A'))
      await t.refused(t.lock, [
        [waiting(t, 'B'), 'acquired', AGAIN],
        [handOver(t, 'A'), 'gone', AGAIN],
        [waiting(t, 'A'), 'stale', AGAIN],
      ])
    },
  },
  {
    title: 'V4 V6 who leaves the queue leaves its own place, and does not come back by a late duplicate',
    run: async (t) => {
      await t.held('A')
      const ghost = t.a.wire.capture('lock.acquire')
      await queued(t, 'B')
      await queued(t, 'C')
      await t.refused(t.lock, [[{ type: 'lock.release', key: t.lock, owner: 'D' }, 'lost']])
      assert.equal((await t.send({ type: 'lock.release', key: t.lock, owner: 'B' })).outcome, 'released')
      const left = await lockOf(t)
      assert.deepEqual([left.holder?.owner, left.queue?.map(({ owner }) => owner)], ['A', ['C']])
      await t.wait(ghost.deliver())
      assert.deepEqual(await lockOf(t), left)
    },
  },
  {
    title: 'L13 who takes no place is refused while a live waiter stands there, though nobody holds the lock',
    run: async (t) => {
      const { fence } = await t.held('A')
      await queued(t, 'B')
      await t.send({ type: 'lock.break', key: t.lock, owner: 'operator', fence })
      for (const command of [t.acquire('C'), share(t, 'D')]) {
        const { because, holder } = await refusal(t, command)
        assert.deepEqual([because, holder.owner], ['queue', 'B'])
      }
      await granted(t, waiting(t, 'B'))
      assert.deepEqual((await lockOf(t)).queue, [])
    },
  },
  {
    title: 'L18 no reader passes a writer that waits, and the writer is granted when the last reader has left',
    run: async (t) => {
      await granted(t, share(t, 'R1'))
      await granted(t, share(t, 'R2'))
      await queued(t, 'W')
      assert.equal((await refusal(t, share(t, 'R3'))).because, 'queue')
      for (const owner of ['R1', 'R2']) await t.send({ type: 'lock.release', key: t.lock, owner, hint: 'shared' })
      assert.equal((await refusal(t, share(t, 'R3'))).because, 'queue')
      await granted(t, waiting(t, 'W'))
      await t.send(handOver(t, 'W'))
      await granted(t, share(t, 'R3'))
    },
  },
  {
    title: 'L18 a writer that died waiting blocks readers no longer than its sign of life says',
    needs: ['time'],
    run: async (t) => {
      await granted(t, share(t, 'R1', { leaseMs: t.leaseMs * 9 }))
      await queued(t, 'W', { queueMs: t.leaseMs })
      assert.equal((await refusal(t, share(t, 'R2'))).because, 'queue')
      await t.advance(t.leaseMs + LONG_MS)
      await granted(t, share(t, 'R2'))
    },
  },
  {
    title: 'L13 a dead waiter that the lock was handed over to holds it for a short while, then the next takes over',
    needs: ['time'],
    run: async (t) => {
      await t.held('A')
      await queued(t, 'dead', { queueMs: t.leaseMs })
      await queued(t, 'B', { queueMs: t.leaseMs * 9 })
      await queued(t, 'C', { queueMs: t.leaseMs * 9 })
      await t.send(handOver(t, 'A'))
      assert.equal((await lockOf(t)).holder?.owner, 'dead')
      await t.advance(LONG_MS)
      const other = await t.send(waiting(t, 'C'))
      assert(other.outcome === 'queued' && other.holder.owner === 'B', 'the dead holder’s lock is the next one’s')
      assert((await granted(t, waiting(t, 'B'))).tookOver)
      assert.deepEqual(
        (await lockOf(t)).queue?.map(({ owner }) => owner),
        ['C'],
      )
    },
  },
  {
    title: 'V5 whom the lock was handed over to claims it with its first renewal',
    needs: ['time'],
    run: async (t) => {
      await t.held('A')
      await queued(t, 'B')
      await t.send(handOver(t, 'A'))
      const { fence, holder } = await lockOf(t)
      const claimed = await t.send({ type: 'lock.renew', key: t.lock, owner: 'B', fence, leaseMs: t.leaseMs })
      assert(claimed.outcome === 'renewed' && claimed.expiresAtMs > (holder?.expiresAtMs ?? 0))
      await t.advance(LONG_MS)
      assert.equal((await refusal(t, t.acquire('C'))).holder.owner, 'B')
    },
  },
  {
    title: 'L13 at most 128 wait; the next is refused, and the dead make room',
    needs: ['time'],
    run: async (t) => {
      await t.held('A')
      await queued(t, 'B', { queueMs: t.leaseMs * 9 })
      for (let index = 1; index < 128; index++) await queued(t, `dead-${index}`, { queueMs: 1 })
      assert.equal((await refusal(t, waiting(t, 'C'))).because, 'queue-full')
      await t.advance(LONG_MS)
      assert.equal((await queued(t, 'C')).place, 1)
    },
  },
]

const waiting = (t: Trial, owner: string, more: Partial<LockAcquire> = {}): LockAcquire =>
  t.acquire(owner, { queueMs: t.leaseMs * 3, ...more })

const handOver = (t: Trial, owner: string): LockRelease => ({ type: 'lock.release', key: t.lock, owner, hint: 'queue' })

async function queued(t: Trial, owner: string, more: Partial<LockAcquire> = {}): Promise<Queued> {
  const reply = await t.send(waiting(t, owner, more))
  assert(reply.outcome === 'queued', `${owner} expected a place in the queue, and was told ${reply.outcome}`)
  return reply
}
