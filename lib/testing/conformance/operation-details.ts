import assert from 'node:assert/strict'
import type { Fence, StoredResult } from '../../store/record.ts'
import { AGAIN, bytesOf, type Case, RETAIN_MS, resultOf, type Trial } from './trial.ts'

/** Names that a store may not take for syntax, nor for what objects inherit. */
const ODD_NAMES = ['a.b', '#n', ':v', 'x[0]', '', ' ', 'size', '__proto__', 'constructor', 'Zürich ✓'] as const

/** What a record keeps besides its owner: checkpoints, retired keys, fingerprints, results of any size. */
export const operationDetailCases: readonly Case[] = [
  {
    title: 'a checkpoint is kept for the next attempt, and the first value under a name stays',
    run: async (t) => {
      await t.started('A')
      const checkpoint = { type: 'once.checkpoint', key: t.once, owner: 'A' } as const
      for (const name of ODD_NAMES) {
        const saved = await t.send({ ...checkpoint, name, value: `value of ${name}` })
        assert.equal(saved.outcome, 'saved', `the name ${JSON.stringify(name)}`)
        const again = await t.send({ ...checkpoint, name, value: 'another' }, AGAIN)
        assert.deepEqual({ ...again }, { outcome: 'exists', value: `value of ${name}` })
      }
      await t.send({ type: 'once.abandon', key: t.once, owner: 'A' })
      const { checkpoints } = await t.started('B')
      assert.deepEqual(Object.keys(checkpoints).sort(), [...ODD_NAMES].sort())
      for (const name of ODD_NAMES) assert.equal(checkpoints[name], `value of ${name}`)
    },
  },
  {
    title: 'a downstream key is retired to the generation that was named, however often it is sent, and never back',
    run: async (t) => {
      await t.started('A')
      const retire = { type: 'once.retire', key: t.once, owner: 'A', name: 'psp' } as const
      assert.deepEqual({ ...(await t.send({ ...retire, generation: 2 })) }, { outcome: 'retired', generation: 2 })
      await t.refused(t.once, [
        [{ ...retire, generation: 2 }, 'retired', AGAIN],
        [{ ...retire, generation: 1 }, 'retired', AGAIN],
      ])
      for (const name of ODD_NAMES) await t.send({ ...retire, name, generation: 1 })
      await t.send({ type: 'once.abandon', key: t.once, owner: 'A' })
      const { retired } = await t.started('B')
      assert.deepEqual(Object.keys(retired).sort(), [...ODD_NAMES, 'psp'].sort())
      assert.equal(retired['psp'], 2)
    },
  },
  {
    title: 'the same key with another fingerprint is a mismatch while it runs and when it is completed; nothing is written',
    run: async (t) => {
      await t.started('A', { fingerprint: 'p' })
      const other = t.begin('B', { fingerprint: 'q' })
      await t.refused(t.once, [[other, 'mismatch']])
      assert.deepEqual({ ...(await t.send(other)) }, { outcome: 'mismatch', status: 'in-progress' })
      await t.refused(t.once, [[t.begin('C'), 'in-progress']])
      await t.send({ type: 'once.complete', key: t.once, owner: 'A', result: resultOf('A'), retainMs: RETAIN_MS })
      await t.refused(t.once, [
        [other, 'mismatch'],
        [t.begin('B', { fingerprint: 'p' }), 'completed'],
        [t.begin('C'), 'completed'],
      ])
      assert.deepEqual({ ...(await t.send(other)) }, { outcome: 'mismatch', status: 'completed' })
    },
  },
  {
    title: 'another payload begins anew after a hand-back: attempt 1, no checkpoints',
    run: async (t) => {
      await t.started('A', { fingerprint: 'p' })
      await t.send({ type: 'once.checkpoint', key: t.once, owner: 'A', name: 'step', value: 'v' })
      await t.send({ type: 'once.abandon', key: t.once, owner: 'A' })
      const { attempt, checkpoints } = await t.started('B', { fingerprint: 'q' })
      assert.deepEqual([attempt, { ...checkpoints }], [1, {}])
      assert.equal((await t.readOnce()).fingerprint, 'q')
    },
  },
  {
    title: 'V4 an operator forgets the fence that was named, and no other; the operation then starts in a new epoch',
    run: async (t) => {
      const { fence } = await t.started('A', { fingerprint: 'p' })
      await t.send({ type: 'once.retire', key: t.once, owner: 'A', name: 'psp', generation: 1 })
      await t.send({ type: 'once.complete', key: t.once, owner: 'A', result: resultOf('A'), retainMs: RETAIN_MS })
      const forget = { type: 'once.forget', key: t.once, owner: 'operator', fence, reason: 'refunded', by: 'ann' } as const
      await t.refused(t.once, [[{ ...forget, fence: (fence - 1) as Fence }, 'unchanged']])
      assert.equal((await t.send(forget)).outcome, 'forgotten')
      await t.refused(t.once, [
        [forget, 'unchanged'],
        [forget, 'forgotten', AGAIN],
        [t.begin('A', { fingerprint: 'p' }), 'stale', AGAIN],
      ])
      const next = await t.started('B', { fingerprint: 'q' })
      assert.deepEqual([next.attempt, next.epoch, { ...next.retired }], [1, fence, {}])
      assert(next.fence > fence)
      const noted = (await t.read(t.once))?.intervention
      assert.deepEqual([noted?.fence, noted?.reason, noted?.by], [fence, 'refunded', 'ann'])
    },
  },
  {
    title: 'V4 an attempt that was forgotten while it ran completes nothing',
    run: async (t) => {
      const { fence } = await t.started('A', { hold: true })
      await t.send({ type: 'once.forget', key: t.once, owner: 'operator', fence })
      const complete = { type: 'once.complete', key: t.once, owner: 'A', result: resultOf('A'), retainMs: RETAIN_MS } as const
      await t.refused(t.once, [
        [complete, 'lost'],
        [complete, 'uncertain', AGAIN],
      ])
      await t.started('B')
    },
  },
  ...(['value', 'error', 'unstorable'] as const).map(
    (form): Case => ({
      title: `a result of the form "${form}" comes back as it was, an empty one too`,
      run: (t) => replays(t, { form, codec: 'RESULT_TOO_LARGE', body: new Uint8Array(0) }),
    }),
  ),
  ...[1, 1024, 450_000, 3_000_000].map(
    (bytes): Case => ({
      title: `a result of ${bytes} bytes is replayed whole`,
      run: async (t) => {
        if (bytes > t.a.store.capabilities.maxResultBytes) return // what is larger is the codec's to refuse
        await replays(t, { form: 'value', codec: 'raw', body: Uint8Array.from({ length: bytes }, (_, at) => (at * 31) % 251) })
      },
    }),
  ),
]

async function replays(t: Trial, result: StoredResult): Promise<void> {
  await t.started('A')
  const reply = await t.send({ type: 'once.complete', key: t.once, owner: 'A', result, retainMs: RETAIN_MS })
  assert.equal(reply.outcome, 'completed')
  const replay = await t.send(t.begin('B'), {}, t.b)
  assert(replay.outcome === 'completed')
  assert.deepEqual([replay.result.form, replay.result.codec], [result.form, result.codec])
  assert.deepEqual(bytesOf(replay.result), bytesOf(result))
}
