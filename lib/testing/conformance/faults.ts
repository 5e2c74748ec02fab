import assert from 'node:assert/strict'
import type { Command, CommandType, Reply } from '../../store/command.ts'
import type { AlonceRecord, Fence, RecordKey } from '../../store/record.ts'
import type { Fault } from '../wire.ts'
import { type Case, LONG_MS, RETAIN_MS, resultOf, type Trial } from './trial.ts'

/** A command that A sends, and how to come to the state in which it succeeds. */
interface Act {
  readonly type: CommandType
  readonly success: Reply['outcome']
  /** Each sending counts from its own arrival: the second may raise the expiry once more. */
  readonly risesAgain?: boolean
  prepare(trial: Trial): Promise<Command>
}

const acts: readonly Act[] = [
  { type: 'lock.acquire', success: 'acquired', prepare: async (t) => t.acquire('A') },
  {
    type: 'lock.renew',
    success: 'renewed',
    risesAgain: true,
    prepare: async (t) => {
      const { fence } = await t.held('A')
      return { type: 'lock.renew', key: t.lock, owner: 'A', fence, leaseMs: t.leaseMs * 2 }
    },
  },
  {
    type: 'lock.release',
    success: 'released',
    prepare: async (t) => {
      await t.held('A')
      return { type: 'lock.release', key: t.lock, owner: 'A' }
    },
  },
  { type: 'once.begin', success: 'started', prepare: async (t) => t.begin('A') },
  {
    type: 'once.extend',
    success: 'extended',
    risesAgain: true,
    prepare: async (t) => {
      await t.started('A')
      return { type: 'once.extend', key: t.once, owner: 'A', leaseMs: t.leaseMs * 2 }
    },
  },
  {
    type: 'once.retire',
    success: 'retired',
    prepare: async (t) => {
      await t.started('A')
      return { type: 'once.retire', key: t.once, owner: 'A', name: 'psp', generation: 1 }
    },
  },
  {
    type: 'once.complete',
    success: 'completed',
    prepare: async (t) => {
      await t.started('A')
      return { type: 'once.complete', key: t.once, owner: 'A', result: resultOf('A'), retainMs: RETAIN_MS }
    },
  },
  {
    type: 'once.abandon',
    success: 'abandoned',
    prepare: async (t) => {
      await t.started('A')
      return { type: 'once.abandon', key: t.once, owner: 'A' }
    },
  },
]

const faults: readonly { readonly fault: Fault; readonly title: string }[] = [
  { fault: 'drop-answer', title: 'applied, its answer lost, sent again' },
  { fault: 'drop-request', title: 'lost on its way, sent again' },
  { fault: 'throttle', title: 'throttled, sent again' },
]

/** V3: what became of one sending does not show: the command succeeds, and is applied once. */
const lossCases: readonly Case[] = acts.flatMap((act) =>
  faults.map(
    ({ fault, title }): Case => ({
      title: `V3 ${act.type} ${title}: it succeeds`,
      run: async (t) => {
        const command = await act.prepare(t)
        const before = await t.read(command.key)
        t.a.wire.inject(fault, act.type)
        const reply = await t.send<Command>(command)
        assert.equal(reply.outcome, act.success)
        const after = await t.read(command.key)
        // A new record's version starts from the store's seed; each write after it raises it by one.
        if (before && !act.risesAgain) assert.equal(after?.version, before.version + 1, 'written once')
        if ('expiresAtMs' in reply) assert.equal(expiryOf(after), reply.expiresAtMs)
        if ('fence' in reply) assert.equal(reply.fence, after?.fence)
      },
    }),
  ),
)

const expiryOf = (record: AlonceRecord | undefined): number | undefined =>
  record?.kind === 'once' ? record.expiresAtMs : record?.holder?.expiresAtMs

/** A checkpoint that is sent again may only say that the value is there: the caller's own. */
const checkpointCases: readonly Case[] = faults.map(
  ({ fault, title }): Case => ({
    title: `V3 once.checkpoint ${title}: its value is kept, once`,
    run: async (t) => {
      await t.started('A')
      t.a.wire.inject(fault, 'once.checkpoint')
      const reply = await t.send({ type: 'once.checkpoint', key: t.once, owner: 'A', name: 'step', value: 'mine' })
      assert(reply.outcome === 'saved' || (reply.outcome === 'exists' && reply.value === 'mine'), reply.outcome)
      assert.deepEqual({ ...(await t.readOnce()).checkpoints }, { step: 'mine' })
    },
  }),
)

const outage: Case = {
  title: 'an outage is told as STORE_UNAVAILABLE, with whether the command may have been applied; afterwards all goes on',
  run: async (t) => {
    for (const [fault, maybeApplied] of [
      ['throttle', false],
      ['drop-answer', true],
    ] as const) {
      const owner = `A-${fault}`
      t.a.wire.cut(fault)
      const failure = await t.send(t.acquire(owner)).then(
        () => undefined,
        (error: unknown) => error as { code?: string; maybeApplied?: boolean },
      )
      t.a.wire.heal()
      assert.equal(failure?.code, 'STORE_UNAVAILABLE')
      assert.equal(failure?.maybeApplied, maybeApplied, `after ${fault}`)
    }
    assert.equal((await t.send(t.acquire('A-drop-answer'), { resent: true })).outcome, 'acquired')
  },
}

/** Late duplicates: the very bytes arrive once more, when the world has moved on. */
const ghostCases: readonly Case[] = [
  {
    title: 'V3 a late duplicate of an acquire or a renewal does not bring back what was released, by itself or by others since',
    needs: ['time'],
    run: async (t) => {
      await t.wait(t.a.store.read(t.lock))
      const acquire = t.a.wire.capture('lock.acquire')
      const { fence } = await t.held('A')
      const renew = t.a.wire.capture('lock.renew')
      await t.send({ type: 'lock.renew', key: t.lock, owner: 'A', fence, leaseMs: t.leaseMs * 2 })
      await t.send({ type: 'lock.release', key: t.lock, owner: 'A' })
      await untouched(t, t.lock, [acquire, renew])
      await t.advance(LONG_MS)
      await t.held('B', t.b)
      await untouched(t, t.lock, [acquire, renew])
      await t.send({ type: 'lock.release', key: t.lock, owner: 'B' }, {}, t.b)
      await untouched(t, t.lock, [acquire, renew])
    },
  },
  {
    title: 'V5 a late duplicate of a renewal does not rewind the expiry',
    run: async (t) => {
      const { fence } = await t.held('A')
      const renew = { type: 'lock.renew', key: t.lock, owner: 'A', fence } as const
      const ghost = t.a.wire.capture('lock.renew')
      await t.send({ ...renew, leaseMs: t.leaseMs + 5000 })
      const later = await t.send({ ...renew, leaseMs: t.leaseMs * 10 })
      assert(later.outcome === 'renewed')
      await untouched(t, t.lock, [ghost])
    },
  },
  {
    title: 'V4 a late duplicate of a release leaves the next holder alone',
    run: async (t) => {
      await t.held('A')
      const ghost = t.a.wire.capture('lock.release')
      await t.send({ type: 'lock.release', key: t.lock, owner: 'A' })
      await untouched(t, t.lock, [ghost])
      await t.held('B', t.b)
      await untouched(t, t.lock, [ghost])
    },
  },
  {
    title: 'V3 V4 late duplicates of an attempt that gave back leave its successor alone, running and completed',
    needs: ['time'],
    run: async (t) => {
      await t.wait(t.a.store.read(t.once))
      const begin = t.a.wire.capture('once.begin')
      await t.started('A')
      const extend = t.a.wire.capture('once.extend')
      await t.send({ type: 'once.extend', key: t.once, owner: 'A', leaseMs: t.leaseMs * 2 })
      const abandon = t.a.wire.capture('once.abandon')
      await t.send({ type: 'once.abandon', key: t.once, owner: 'A' })
      await untouched(t, t.once, [begin, extend, abandon])
      await t.advance(LONG_MS)
      await t.send(t.begin('B'), {}, t.b)
      await untouched(t, t.once, [begin, extend, abandon])
      await t.send({ type: 'once.complete', key: t.once, owner: 'B', result: resultOf('B'), retainMs: RETAIN_MS }, {}, t.b)
      await untouched(t, t.once, [begin, extend, abandon])
    },
  },
  {
    title: 'V4 a late duplicate of a completion changes nothing once an operator has forgotten the record',
    run: async (t) => {
      const { fence } = await t.started('A')
      const ghost = t.a.wire.capture('once.complete')
      await t.send({ type: 'once.complete', key: t.once, owner: 'A', result: resultOf('A'), retainMs: RETAIN_MS })
      await untouched(t, t.once, [ghost])
      await t.send({ type: 'once.forget', key: t.once, owner: 'operator', fence: fence as Fence })
      await untouched(t, t.once, [ghost])
      await t.send(t.begin('B'), {}, t.b)
      await untouched(t, t.once, [ghost])
    },
  },
]

async function untouched(t: Trial, key: RecordKey, ghosts: readonly { deliver(): Promise<void> }[]): Promise<void> {
  const before = await t.read(key)
  for (const ghost of ghosts) {
    await t.wait(ghost.deliver())
    assert.deepEqual(await t.read(key), before, 'a late duplicate changed the record')
  }
}

export const faultCases: readonly Case[] = [...lossCases, ...checkpointCases, outage, ...ghostCases]
