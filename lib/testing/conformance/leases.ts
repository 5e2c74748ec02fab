import assert from 'node:assert/strict'
import { ownersOnly } from './operations.ts'
import { AGAIN, bytesOf, type Case, LONG_MS, RETAIN_MS, resultOf, type Trial } from './trial.ts'

/** What happens when leases and retentions end: the store's time is moved. */
export const leaseCases: readonly Case[] = [
  {
    title: 'V5 nobody takes over while the holder may still trust its lease, and somebody does soon after',
    needs: ['time'],
    run: async (t) => {
      const { fence, expiresAtMs } = await t.held('A')
      const takenAt = await tryUntilTaken(t)
      assert(takenAt.holderLatest >= expiresAtMs, 'taken while the holder’s own clock still trusted the lease')
      assert(takenAt.waitedMs <= t.leaseMs + LONG_MS, `taken only ${takenAt.waitedMs} ms after the grant`)
      assert(takenAt.fence > fence)
    },
  },
  {
    title: 'V7 a holder whose lease has ended renews and releases while nobody has taken over',
    needs: ['time'],
    run: async (t) => {
      const { fence } = await t.held('A')
      await t.advance(t.leaseMs + LONG_MS)
      const renewed = await t.send({ type: 'lock.renew', key: t.lock, owner: 'A', fence, leaseMs: t.leaseMs })
      assert.equal(renewed.outcome, 'renewed')
      assert.equal((await t.send(t.acquire('B'), {}, t.b)).outcome, 'held')
      await t.advance(t.leaseMs + LONG_MS)
      assert.equal((await t.send({ type: 'lock.release', key: t.lock, owner: 'A' })).outcome, 'released')
    },
  },
  {
    title: 'V4 a holder who was replaced changes nothing, and its acquire is no ghost of a grant',
    needs: ['time'],
    run: async (t) => {
      const { fence } = await t.held('A')
      await t.advance(t.leaseMs + LONG_MS)
      const taken = await takeOver(t, 'B')
      assert(taken.tookOver && taken.fence > fence)
      const renew = { type: 'lock.renew', key: t.lock, owner: 'A', fence, leaseMs: t.leaseMs * 3 } as const
      await t.refused(t.lock, [
        [renew, 'lost'],
        [renew, 'uncertain', AGAIN],
        [{ type: 'lock.release', key: t.lock, owner: 'A' }, 'lost'],
        [{ type: 'lock.release', key: t.lock, owner: 'A' }, 'gone', AGAIN],
        [{ type: 'lock.break', key: t.lock, owner: 'operator', fence }, 'unchanged'],
        [t.acquire('A'), 'held', AGAIN],
      ])
    },
  },
  {
    title: 'V3 an acquire that was first sent before somebody else’s release is a ghost',
    needs: ['time'],
    run: async (t) => {
      await t.read(t.lock)
      await t.wait(t.a.store.read(t.lock))
      const firstSentAtMs = t.a.store.now().latest
      await t.advance(LONG_MS)
      await t.held('B', t.b)
      await t.send({ type: 'lock.release', key: t.lock, owner: 'B' }, {}, t.b)
      await t.refused(t.lock, [[t.acquire('A'), 'stale', { resent: true, firstSentAtMs }]])
      await t.advance(LONG_MS)
      await t.held('C')
    },
  },
  {
    title: 'V2 fences rise over the deletion of a lock’s record',
    needs: ['time', 'removal'],
    run: async (t) => {
      const { fence } = await t.held('A')
      await t.advance(LONG_MS)
      await t.remove(t.lock)
      assert.equal(await t.read(t.lock), undefined)
      assert((await t.held('B')).fence > fence)
    },
  },
  {
    title: 'V2 V4 fences rise over the deletion of an operation’s record, and its owner completes nothing',
    needs: ['time', 'removal'],
    run: async (t) => {
      const { fence } = await t.started('A')
      await t.advance(LONG_MS)
      await t.remove(t.once)
      const complete = { type: 'once.complete', key: t.once, owner: 'A', result: resultOf('A'), retainMs: RETAIN_MS } as const
      await t.refused(t.once, [
        [complete, 'lost'],
        [complete, 'uncertain', AGAIN],
      ])
      assert((await t.started('B')).fence > fence)
    },
  },
  {
    title: 'V4 a zombie attempt changes nothing of its successor’s, whose result counts',
    needs: ['time'],
    run: async (t) => {
      await t.started('A')
      await t.send({ type: 'once.checkpoint', key: t.once, owner: 'A', name: 'paid', value: 'ch_1' })
      await t.advance(t.leaseMs + LONG_MS)
      const next = await beginAnew(t, 'B')
      assert.deepEqual([next.attempt, next.tookOver, { ...next.checkpoints }], [2, true, { paid: 'ch_1' }])
      for (const command of ownersOnly(t.once, 'A', t.leaseMs)) await t.refused(t.once, [[command, 'lost']])
      await t.refused(t.once, [
        [{ type: 'once.abandon', key: t.once, owner: 'A' }, 'lost'],
        [t.begin('A'), 'in-progress', AGAIN],
      ])
      await t.send({ type: 'once.complete', key: t.once, owner: 'B', result: resultOf('B'), retainMs: RETAIN_MS })
      for (const command of ownersOnly(t.once, 'A', t.leaseMs)) await t.refused(t.once, [[command, 'uncertain', AGAIN]])
      const replay = await t.send(t.begin('C'))
      assert(replay.outcome === 'completed')
      assert.deepEqual(bytesOf(replay.result), bytesOf(resultOf('B')))
    },
  },
  {
    title: 'V7 an owner whose lease has ended completes while nobody has taken over',
    needs: ['time'],
    run: async (t) => {
      await t.started('A')
      await t.advance(t.leaseMs + LONG_MS)
      const complete = { type: 'once.complete', key: t.once, owner: 'A', result: resultOf('A'), retainMs: RETAIN_MS } as const
      assert.equal((await t.send(complete)).outcome, 'completed')
      assert.equal((await t.send(t.begin('B'))).outcome, 'completed')
    },
  },
  {
    title: 'V7 an attempt begun with hold is never absent to others, is never purged, and its owner completes late',
    needs: ['time'],
    run: async (t) => {
      await t.started('A', { hold: true })
      await t.advance(RETAIN_MS * 100)
      await t.refused(t.once, [[t.begin('B'), 'in-progress']])
      const told = await t.send(t.begin('C'))
      assert(told.outcome === 'in-progress' && told.hold)
      assert.equal((await t.readOnce()).purgeAtMs, undefined)
      const complete = { type: 'once.complete', key: t.once, owner: 'A', result: resultOf('A'), retainMs: RETAIN_MS } as const
      assert.equal((await t.send(complete)).outcome, 'completed')
      assert((await t.readOnce()).purgeAtMs !== undefined, 'a result is purged in the end')
    },
  },
  {
    title: 'V3 after its retention a result is absent: another begins anew with nothing of it, its own begin is a ghost',
    needs: ['time'],
    run: async (t) => {
      const { fence } = await t.started('A', { fingerprint: 'p' })
      await t.send({ type: 'once.complete', key: t.once, owner: 'A', result: resultOf('A'), retainMs: RETAIN_MS })
      await t.advance(RETAIN_MS - LONG_MS)
      await t.refused(t.once, [[t.begin('B', { fingerprint: 'p' }), 'completed']])
      await t.advance(LONG_MS * 2)
      await t.refused(t.once, [[t.begin('A', { fingerprint: 'p' }), 'stale', AGAIN]])
      const next = await beginAnew(t, 'B', 'q')
      assert.deepEqual([next.attempt, { ...next.checkpoints }], [1, {}])
      assert(next.fence > fence)
      const { result, retainUntilMs, fingerprint } = await t.readOnce()
      assert.deepEqual([result, retainUntilMs, fingerprint], [undefined, undefined, 'q'])
    },
  },
]

/** B tries every half second until it is granted A's lock; A's clock is read just before each try. */
async function tryUntilTaken(t: Trial): Promise<{ holderLatest: number; waitedMs: number; fence: number }> {
  for (let waitedMs = 0; waitedMs <= t.leaseMs + 2 * LONG_MS; waitedMs += 500) {
    const holderLatest = t.a.store.now().latest
    const reply = await t.send(t.acquire(`B-${waitedMs}`), {}, t.b)
    if (reply.outcome === 'acquired') return { holderLatest, waitedMs, fence: reply.fence }
    await t.advance(500)
  }
  throw new Error('nobody could take over from a holder that is gone')
}

async function takeOver(t: Trial, owner: string): Promise<{ fence: number; tookOver: boolean }> {
  const reply = await t.send(t.acquire(owner), {}, t.b)
  assert(reply.outcome === 'acquired', `${owner} expected to take over, and was told ${reply.outcome}`)
  return reply
}

async function beginAnew(t: Trial, owner: string, fingerprint?: string) {
  const reply = await t.send(t.begin(owner, { fingerprint }), {}, t.b)
  assert(reply.outcome === 'started', `${owner} expected to start anew, and was told ${reply.outcome}`)
  return reply
}
