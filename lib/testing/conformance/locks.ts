import assert from 'node:assert/strict'
import type { Fence } from '../../store/record.ts'
import { DAY_MS } from '../../store/time.ts'
import { AGAIN, type Case } from './trial.ts'

/** Locks while nobody's lease ends: every command, every answer. */
export const lockCases: readonly Case[] = [
  {
    title: 'a free lock is granted, and the record tells to whom, until when and under which fence',
    run: async (t) => {
      const { fence, expiresAtMs } = await t.held('A')
      const record = await t.read(t.lock)
      assert(record?.kind === 'lock')
      assert.equal(record.fence, fence)
      assert.equal(record.holder?.owner, 'A')
      assert.equal(record.holder?.expiresAtMs, expiresAtMs)
      assert(record.purgeAtMs !== undefined && record.purgeAtMs >= expiresAtMs + DAY_MS, 'kept for a day after its end')
    },
  },
  {
    title: 'V1 a held lock is refused, and the refusal names the holder',
    run: async (t) => {
      const granted = await t.send(t.acquire('A', { label: 'host-a' }))
      assert(granted.outcome === 'acquired')
      const refused = await t.send(t.acquire('B'), {}, t.b)
      assert(refused.outcome === 'held')
      assert.equal(refused.fence, granted.fence)
      assert.deepEqual({ ...refused.holder }, { owner: 'A', expiresAtMs: granted.expiresAtMs, label: 'host-a' })
    },
  },
  {
    title: 'V1 of twenty contenders at once one is granted the lock',
    run: async (t) => {
      const contenders = Array.from({ length: 20 }, (_, index) => t.acquire(`contender-${index}`))
      const sent = contenders.map((command, index) => (index % 2 ? t.a : t.b).store.execute(command))
      const replies = await t.wait(Promise.all(sent))
      assert.equal(replies.filter((reply) => reply.outcome === 'acquired').length, 1)
      assert.equal(replies.filter((reply) => reply.outcome === 'held').length, 19)
    },
  },
  {
    title: 'V2 the fence rises with each grant',
    run: async (t) => {
      const fences: number[] = []
      for (const owner of ['A', 'B', 'C']) {
        fences.push((await t.held(owner)).fence)
        await t.send({ type: 'lock.release', key: t.lock, owner })
      }
      assert(
        fences.every((fence, index) => index === 0 || fence > (fences[index - 1] as number)),
        `fences ${fences}`,
      )
    },
  },
  {
    title: 'V3 an acquire that is sent again is granted once: same fence, same expiry, nothing written',
    run: async (t) => {
      const { fence, expiresAtMs } = await t.held('A')
      await t.refused(t.lock, [[t.acquire('A'), 'acquired', AGAIN]])
      const again = await t.send(t.acquire('A'), AGAIN)
      assert(again.outcome === 'acquired')
      assert.deepEqual([again.fence, again.expiresAtMs], [fence, expiresAtMs])
    },
  },
  {
    title: 'V3 after its own release an acquire is a ghost',
    run: async (t) => {
      await t.held('A')
      await t.send({ type: 'lock.release', key: t.lock, owner: 'A' })
      await t.refused(t.lock, [
        [t.acquire('A'), 'stale', AGAIN],
        [t.acquire('A'), 'stale'],
      ])
    },
  },
  {
    title: 'V5 a renewal raises the expiry, and a shorter one does not lower it',
    run: async (t) => {
      const { fence, expiresAtMs } = await t.held('A')
      const renew = { type: 'lock.renew', key: t.lock, owner: 'A', fence } as const
      const longer = await t.send({ ...renew, leaseMs: t.leaseMs * 2 })
      assert(longer.outcome === 'renewed' && longer.expiresAtMs > expiresAtMs)
      const shorter = await t.send({ ...renew, leaseMs: t.leaseMs })
      assert(shorter.outcome === 'renewed' && shorter.expiresAtMs === longer.expiresAtMs)
      const record = await t.read(t.lock)
      assert(record?.kind === 'lock' && record.holder?.expiresAtMs === longer.expiresAtMs)
      assert((record.purgeAtMs ?? 0) >= longer.expiresAtMs + DAY_MS, 'the end of its keeping rises with it')
    },
  },
  {
    title: 'V4 V6 what is not theirs, strangers neither renew nor release',
    run: async (t) => {
      const { fence } = await t.held('A')
      const renew = { type: 'lock.renew', key: t.lock, owner: 'B', fence, leaseMs: t.leaseMs * 2 } as const
      const release = { type: 'lock.release', key: t.lock, owner: 'B' } as const
      await t.refused(t.lock, [
        [renew, 'lost'],
        [renew, 'uncertain', AGAIN],
        [{ ...renew, owner: 'A', fence: (fence - 1) as Fence }, 'lost'],
        [release, 'lost'],
        [release, 'gone', AGAIN],
      ])
    },
  },
  {
    title: 'V6 where nothing is, nothing is renewed, released or broken, and nothing is created',
    run: async (t) => {
      const renew = { type: 'lock.renew', key: t.lock, owner: 'A', fence: 1 as Fence, leaseMs: t.leaseMs } as const
      const release = { type: 'lock.release', key: t.lock, owner: 'A' } as const
      await t.refused(t.lock, [
        [renew, 'lost'],
        [renew, 'uncertain', AGAIN],
        [release, 'lost'],
        [release, 'gone', AGAIN],
        [{ type: 'lock.break', key: t.lock, owner: 'operator', fence: 1 as Fence }, 'unchanged'],
      ])
      assert.equal(await t.read(t.lock), undefined)
    },
  },
  {
    title: 'V6 a release that is sent again has released',
    run: async (t) => {
      await t.held('A')
      const release = { type: 'lock.release', key: t.lock, owner: 'A' } as const
      assert.equal((await t.send(release)).outcome, 'released')
      await t.refused(t.lock, [[release, 'released', AGAIN]])
      await t.held('B')
      await t.refused(t.lock, [[release, 'gone', AGAIN]])
    },
  },
  {
    title: 'V4 an operator breaks the fence that was named, and no other',
    run: async (t) => {
      const { fence } = await t.held('A')
      const named = { type: 'lock.break', key: t.lock, owner: 'operator', fence, reason: 'stuck', by: 'ann' } as const
      await t.refused(t.lock, [[{ ...named, fence: (fence - 1) as Fence }, 'unchanged']])
      assert.equal((await t.send(named)).outcome, 'broken')
      const record = await t.read(t.lock)
      assert.deepEqual([record?.tombstone?.owner, record?.tombstone?.reason], ['A', 'stuck'])
      await t.refused(t.lock, [
        [{ type: 'lock.renew', key: t.lock, owner: 'A', fence, leaseMs: t.leaseMs * 2 }, 'lost'],
        [t.acquire('A'), 'stale', AGAIN],
      ])
      const next = await t.held('B')
      assert(next.fence > fence)
      await t.refused(t.lock, [[named, 'unchanged']])
    },
  },
  {
    title: 'V3 a break whose answer was lost has broken the lock, and no later holder’s',
    run: async (t) => {
      const { fence } = await t.held('A')
      const named = { type: 'lock.break', key: t.lock, owner: 'operator', fence, reason: 'stuck', by: 'ann' } as const
      assert.equal((await t.send(named)).outcome, 'broken')
      await t.refused(t.lock, [
        [named, 'broken', AGAIN],
        [named, 'unchanged'],
        [{ ...named, by: 'bob' }, 'unchanged', AGAIN],
      ])
      await t.held('B')
      await t.refused(t.lock, [[named, 'broken', AGAIN]])
    },
  },
  {
    title: 'who broke a lock, when and why, stays in the record through what others do with it',
    run: async (t) => {
      const { fence } = await t.held('A')
      await t.send({ type: 'lock.break', key: t.lock, owner: 'operator', fence, reason: 'stuck', by: 'ann' })
      const noted = (await t.read(t.lock))?.intervention
      assert.deepEqual([noted?.fence, noted?.reason, noted?.by], [fence, 'stuck', 'ann'])
      await t.held('B')
      assert.deepEqual((await t.read(t.lock))?.intervention, noted)
      await t.send({ type: 'lock.release', key: t.lock, owner: 'B' })
      assert.deepEqual((await t.read(t.lock))?.intervention, noted)
    },
  },
]
