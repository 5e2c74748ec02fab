import assert from 'node:assert/strict'
import type { Command } from '../../store/command.ts'
import type { Fence, RecordKey } from '../../store/record.ts'
import { DAY_MS } from '../../store/time.ts'
import { AGAIN, bytesOf, type Case, RETAIN_MS, resultOf } from './trial.ts'

/** All that only the owner of a running attempt may do. */
export const ownersOnly = (key: RecordKey, owner: string, leaseMs: number): readonly Command[] => [
  { type: 'once.extend', key, owner, leaseMs: leaseMs * 3 },
  { type: 'once.checkpoint', key, owner, name: 'step', value: `by ${owner}` },
  { type: 'once.retire', key, owner, name: 'psp', generation: 9 },
  { type: 'once.complete', key, owner, result: resultOf(owner), retainMs: RETAIN_MS },
]

/** Operations while nobody's lease ends: begin, run, complete, replay. */
export const operationCases: readonly Case[] = [
  {
    title: 'a first begin starts attempt 1 with nothing noted, and the record tells who runs',
    run: async (t) => {
      const started = await t.started('A', { label: 'request-a' })
      assert.equal(started.attempt, 1)
      assert.equal(started.tookOver, false)
      assert.deepEqual([{ ...started.checkpoints }, started.epoch, { ...started.retired }], [{}, 0, {}])
      const record = await t.readOnce()
      assert.deepEqual([record.status, record.owner, record.fence], ['in-progress', 'A', started.fence])
      assert.equal(record.expiresAtMs, started.expiresAtMs)
      assert((record.purgeAtMs ?? 0) >= started.expiresAtMs + DAY_MS, 'kept for a day after its end')
    },
  },
  {
    title: 'V1 while it runs, a second begin learns who runs it and until when',
    run: async (t) => {
      const { fence, expiresAtMs } = await t.started('A', { label: 'request-a' })
      const reply = await t.send(t.begin('B'), {}, t.b)
      assert(reply.outcome === 'in-progress')
      assert.deepEqual([reply.fence, reply.expiresAtMs, reply.hold, reply.label], [fence, expiresAtMs, false, 'request-a'])
    },
  },
  {
    title: 'V1 of twenty begins at once one starts',
    run: async (t) => {
      const begins = Array.from({ length: 20 }, (_, index) => t.begin(`attempt-${index}`))
      const replies = await t.wait(Promise.all(begins.map((begin, index) => (index % 2 ? t.a : t.b).store.execute(begin))))
      assert.equal(replies.filter((reply) => reply.outcome === 'started').length, 1)
      assert.equal(replies.filter((reply) => reply.outcome === 'in-progress').length, 19)
    },
  },
  {
    title: 'V3 a begin that is sent again starts once: same fence, same expiry, nothing written',
    run: async (t) => {
      const first = await t.started('A')
      await t.refused(t.once, [[t.begin('A'), 'started', AGAIN]])
      const again = await t.send(t.begin('A'), AGAIN)
      assert(again.outcome === 'started')
      assert.deepEqual([again.fence, again.expiresAtMs, again.attempt], [first.fence, first.expiresAtMs, 1])
    },
  },
  {
    title: 'a completion is replayed byte by byte, to its own begin too',
    run: async (t) => {
      const { fence } = await t.started('A')
      const result = { form: 'value', codec: 'json+gzip', body: Uint8Array.from({ length: 256 }, (_, byte) => byte) } as const
      await t.send({ type: 'once.complete', key: t.once, owner: 'A', result, retainMs: RETAIN_MS })
      for (const owner of ['A', 'B']) {
        const replay = await t.send(t.begin(owner), owner === 'A' ? AGAIN : {}, t.b)
        assert(replay.outcome === 'completed')
        assert.deepEqual([replay.fence, replay.result.form, replay.result.codec], [fence, 'value', 'json+gzip'])
        assert.deepEqual(bytesOf(replay.result), bytesOf(result))
      }
      const record = await t.readOnce()
      assert.equal(record.status, 'completed')
      assert((record.purgeAtMs ?? 0) >= (record.retainUntilMs ?? Number.POSITIVE_INFINITY) + DAY_MS, 'a day after its retention')
    },
  },
  {
    title: 'V4 a completed record is final: the first result stays, and it is not given back',
    run: async (t) => {
      await t.started('A')
      await t.send({ type: 'once.complete', key: t.once, owner: 'A', result: resultOf('first'), retainMs: RETAIN_MS })
      const second = { type: 'once.complete', key: t.once, owner: 'A', result: resultOf('second'), retainMs: RETAIN_MS } as const
      await t.refused(t.once, [
        [second, 'completed'],
        [second, 'completed', AGAIN],
        [{ type: 'once.abandon', key: t.once, owner: 'A' }, 'completed'],
        [{ type: 'once.extend', key: t.once, owner: 'A', leaseMs: t.leaseMs * 3 }, 'lost'],
        [{ type: 'once.extend', key: t.once, owner: 'A', leaseMs: t.leaseMs * 3 }, 'uncertain', AGAIN],
        [{ type: 'once.checkpoint', key: t.once, owner: 'A', name: 'late', value: 'v' }, 'lost'],
        [{ type: 'once.retire', key: t.once, owner: 'A', name: 'psp', generation: 1 }, 'lost'],
        [{ type: 'once.abandon', key: t.once, owner: 'B' }, 'lost'],
      ])
      const replay = await t.send(t.begin('B'))
      assert(replay.outcome === 'completed')
      assert.deepEqual(bytesOf(replay.result), bytesOf(resultOf('first')))
    },
  },
  {
    title: 'V4 V6 strangers change nothing of a running attempt',
    run: async (t) => {
      await t.started('A')
      for (const command of ownersOnly(t.once, 'B', t.leaseMs)) {
        await t.refused(t.once, [
          [command, 'lost'],
          [command, 'uncertain', AGAIN],
        ])
      }
      const abandon = { type: 'once.abandon', key: t.once, owner: 'B' } as const
      await t.refused(t.once, [
        [abandon, 'lost'],
        [abandon, 'gone', AGAIN],
      ])
    },
  },
  {
    title: 'V6 where nothing is, nothing is completed, given back or forgotten, and nothing is created',
    run: async (t) => {
      for (const command of ownersOnly(t.once, 'A', t.leaseMs)) {
        await t.refused(t.once, [
          [command, 'lost'],
          [command, 'uncertain', AGAIN],
        ])
      }
      await t.refused(t.once, [
        [{ type: 'once.abandon', key: t.once, owner: 'A' }, 'lost'],
        [{ type: 'once.abandon', key: t.once, owner: 'A' }, 'gone', AGAIN],
        [{ type: 'once.forget', key: t.once, owner: 'operator', fence: 1 as Fence }, 'unchanged'],
      ])
      assert.equal(await t.read(t.once), undefined)
    },
  },
  {
    title: 'V2 V3 what is given back is begun anew by another, as the next attempt, and its own begin is a ghost',
    run: async (t) => {
      const first = await t.started('A')
      const abandon = { type: 'once.abandon', key: t.once, owner: 'A' } as const
      assert.equal((await t.send(abandon)).outcome, 'abandoned')
      await t.refused(t.once, [
        [abandon, 'abandoned', AGAIN],
        [t.begin('A'), 'stale', AGAIN],
      ])
      const next = await t.started('B')
      assert.equal(next.attempt, 2)
      assert(next.fence > first.fence)
      await t.refused(t.once, [[abandon, 'gone', AGAIN]])
    },
  },
  {
    title: 'V5 an extension raises the expiry, and a shorter one does not lower it',
    run: async (t) => {
      const { expiresAtMs } = await t.started('A')
      const longer = await t.send({ type: 'once.extend', key: t.once, owner: 'A', leaseMs: t.leaseMs * 2 })
      assert(longer.outcome === 'extended' && longer.expiresAtMs > expiresAtMs)
      const shorter = await t.send({ type: 'once.extend', key: t.once, owner: 'A', leaseMs: t.leaseMs })
      assert(shorter.outcome === 'extended' && shorter.expiresAtMs === longer.expiresAtMs)
      assert.equal((await t.readOnce()).expiresAtMs, longer.expiresAtMs)
    },
  },
]
