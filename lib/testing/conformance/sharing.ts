import assert from 'node:assert/strict'
import type { LockAcquire, LockCommand, Obstacle, ReplyTo } from '../../store/command.ts'
import type { LockRecord } from '../../store/record.ts'
import { AGAIN, type Case, LONG_MS, type Trial } from './trial.ts'

/** Locks that several hold together: shared by any number, or by permits. */
export const sharingCases: readonly Case[] = [
  {
    title: 'V1 V2 those who share a lock hold it together, each under a fence of its own',
    run: async (t) => {
      const a = await granted(t, share(t, 'A', { label: 'host-a' }))
      const b = await granted(t, share(t, 'B'))
      assert(b.fence > a.fence)
      const { pool, fence, holder } = await lockOf(t)
      assert.deepEqual(Object.keys(pool?.members ?? {}).sort(), ['A', 'B'])
      const member = pool?.members['A']
      assert.deepEqual([member?.fence, member?.expiresAtMs, member?.label], [a.fence, a.expiresAtMs, 'host-a'])
      assert.deepEqual([pool?.weight, pool?.limit, fence, holder], [2, undefined, b.fence, undefined])
    },
  },
  {
    title: 'V1 who would hold a lock alone is refused while others share it, and the other way round',
    run: async (t) => {
      await granted(t, share(t, 'A'))
      assert.equal((await refusal(t, t.acquire('W'))).because, 'shared')
      await t.send(leave(t, 'A'))
      await t.held('W')
      const { holder, because } = await refusal(t, share(t, 'B'))
      assert.deepEqual([holder.owner, because], ['W', undefined])
      await t.send({ type: 'lock.release', key: t.lock, owner: 'W' })
      await granted(t, share(t, 'B'))
    },
  },
  {
    title: 'V1 of twenty who ask at once for five permits five get one, and the sum is right',
    run: async (t) => {
      const commands = Array.from({ length: 20 }, (_, index) => permit(t, `owner-${index}`, { limit: 5 }))
      const replies = await t.wait(Promise.all(commands.map((command, index) => (index % 2 ? t.a : t.b).store.execute(command))))
      assert.equal(replies.filter((reply) => reply.outcome === 'acquired').length, 5)
      const refused = replies.filter((reply) => reply.outcome === 'held')
      assert.deepEqual(
        refused.map((reply) => reply.because),
        Array.from({ length: 15 }, () => 'full'),
      )
      const { pool } = await lockOf(t)
      assert.deepEqual([pool?.weight, Object.keys(pool?.members ?? {}).length], [5, 5])
    },
  },
  {
    title: 'V1 twenty who join, renew and leave at once do not get in each other’s way',
    run: async (t) => {
      const stay = async (index: number): Promise<unknown> => {
        const { store } = index % 2 ? t.a : t.b
        const owner = `owner-${index}`
        const reply = await store.execute(permit(t, owner, { limit: 20 }))
        assert(reply.outcome === 'acquired', reply.outcome)
        const { fence } = reply
        const renewed = await store.execute({
          type: 'lock.renew',
          key: t.lock,
          owner,
          fence,
          leaseMs: t.leaseMs * 2,
          hint: 'shared',
        })
        assert(renewed.outcome === 'renewed' && renewed.expiresAtMs > reply.expiresAtMs)
        return store.execute(leave(t, owner))
      }
      const left = await t.wait(Promise.all(Array.from({ length: 20 }, (_, index) => stay(index))))
      assert.deepEqual(
        left,
        Array.from({ length: 20 }, () => ({ outcome: 'released' })),
      )
      const { pool } = await lockOf(t)
      assert.deepEqual([pool?.weight, pool?.members], [0, {}])
    },
  },
  {
    title: 'V1 weights count, and another limit has to wait until nobody is left',
    run: async (t) => {
      await granted(t, permit(t, 'A', { limit: 5, weight: 3 }))
      assert.equal((await refusal(t, permit(t, 'B', { limit: 5, weight: 3 }))).because, 'full')
      await granted(t, permit(t, 'B', { limit: 5, weight: 2 }))
      assert.equal((await refusal(t, permit(t, 'C', { limit: 9 }))).because, 'limit')
      assert.equal((await refusal(t, share(t, 'C'))).because, 'limit')
      await t.send(leave(t, 'A'))
      assert.equal((await refusal(t, permit(t, 'C', { limit: 9 }))).because, 'limit')
      await t.send(leave(t, 'B'))
      await granted(t, permit(t, 'C', { limit: 9 }))
      assert.equal((await lockOf(t)).pool?.limit, 9)
    },
  },
  {
    title: 'V3 sent again, a share is granted once and left once',
    run: async (t) => {
      const { fence, expiresAtMs } = await granted(t, share(t, 'A'))
      await granted(t, share(t, 'B'))
      await t.refused(t.lock, [[share(t, 'A'), 'acquired', AGAIN]])
      const again = await t.send(share(t, 'A'), AGAIN)
      assert(again.outcome === 'acquired')
      assert.deepEqual([again.fence, again.expiresAtMs], [fence, expiresAtMs])
      await t.send(leave(t, 'A'))
      await t.refused(t.lock, [
        [leave(t, 'A'), 'released', AGAIN],
        [share(t, 'A'), 'stale', AGAIN],
      ])
      assert.equal((await lockOf(t)).pool?.weight, 1)
    },
  },
  {
    title: 'V4 V5 V6 a member renews and leaves its own entry, whatever it believes of itself, and no other',
    run: async (t) => {
      const { fence, expiresAtMs } = await granted(t, share(t, 'A'))
      await granted(t, share(t, 'B'))
      const renew = { type: 'lock.renew', key: t.lock, owner: 'A', fence, leaseMs: t.leaseMs * 2 } as const
      await t.refused(t.lock, [
        [{ ...renew, owner: 'C', hint: 'shared' }, 'lost'],
        [{ ...renew, owner: 'B', hint: 'shared' }, 'lost'],
        [{ ...renew, owner: 'C', hint: 'shared' }, 'uncertain', AGAIN],
        [leave(t, 'C'), 'lost'],
        [leave(t, 'C'), 'gone', AGAIN],
        [{ ...renew, leaseMs: 1, hint: 'shared' }, 'renewed'],
      ])
      const renewed = await t.send(renew) // without the hint
      assert(renewed.outcome === 'renewed' && renewed.expiresAtMs > expiresAtMs)
      assert.equal((await lockOf(t)).pool?.members['A']?.expiresAtMs, renewed.expiresAtMs)
      assert.equal((await t.send({ type: 'lock.release', key: t.lock, owner: 'A' })).outcome, 'released')
      assert.deepEqual(Object.keys((await lockOf(t)).pool?.members ?? {}), ['B'])
    },
  },
  {
    title: 'V4 an operator breaks the member that was named by its fence, and no other',
    run: async (t) => {
      const a = await granted(t, share(t, 'A'))
      await granted(t, share(t, 'B'))
      assert.equal((await t.send({ type: 'lock.break', key: t.lock, owner: 'operator', fence: a.fence })).outcome, 'broken')
      assert.deepEqual(Object.keys((await lockOf(t)).pool?.members ?? {}), ['B'])
      await t.refused(t.lock, [[{ type: 'lock.break', key: t.lock, owner: 'operator', fence: a.fence }, 'unchanged']])
    },
  },
  {
    title: 'V5 V7 a dead member’s permit is free when its lease has ended, and its lease is its own',
    needs: ['time'],
    run: async (t) => {
      const a = await granted(t, permit(t, 'A', { limit: 2 }))
      await granted(t, { ...permit(t, 'B', { limit: 2 }), leaseMs: t.leaseMs + 4 * LONG_MS })
      await t.advance(t.leaseMs + LONG_MS)
      const late = { type: 'lock.renew', key: t.lock, owner: 'A', fence: a.fence, leaseMs: t.leaseMs, hint: 'shared' } as const
      assert.equal((await t.send(late)).outcome, 'renewed')
      assert.equal((await refusal(t, permit(t, 'C', { limit: 2 }))).because, 'full')
      await t.advance(t.leaseMs + LONG_MS)
      assert((await granted(t, permit(t, 'C', { limit: 2 }))).tookOver)
      assert.deepEqual(Object.keys((await lockOf(t)).pool?.members ?? {}).sort(), ['B', 'C'])
      await t.refused(t.lock, [
        [late, 'lost'],
        [leave(t, 'A'), 'lost'],
        [permit(t, 'A', { limit: 2 }), 'held', AGAIN],
      ])
    },
  },
]

export const share = (t: Trial, owner: string, more: Partial<LockAcquire> = {}): LockAcquire =>
  t.acquire(owner, { share: { weight: 1 }, ...more })

const permit = (t: Trial, owner: string, { limit, weight = 1 }: { limit: number; weight?: number }): LockAcquire =>
  t.acquire(owner, { share: { limit, weight } })

export const leave = (t: Trial, owner: string): LockCommand & { type: 'lock.release' } => ({
  type: 'lock.release',
  key: t.lock,
  owner,
  hint: 'shared',
})

export async function granted(t: Trial, command: LockAcquire): Promise<ReplyTo<LockAcquire> & { outcome: 'acquired' }> {
  const reply = await t.send(command)
  assert(reply.outcome === 'acquired', `${command.owner} expected to acquire, and was told ${reply.outcome}`)
  return reply
}

/** Sends what has to be refused as held, and looks that nothing changed. */
export async function refusal(t: Trial, command: LockAcquire): Promise<Obstacle> {
  const before = await t.read(t.lock)
  const reply = await t.send(command, {}, t.b)
  assert(reply.outcome === 'held', `${command.owner} expected to be refused, and was told ${reply.outcome}`)
  assert.deepEqual(await t.read(t.lock), before)
  return reply
}

export async function lockOf(t: Trial): Promise<LockRecord> {
  const record = await t.read(t.lock)
  assert(record?.kind === 'lock', `expected a lock's record, found ${record?.kind ?? 'nothing'}`)
  return record
}
