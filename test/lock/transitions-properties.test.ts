import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { LockRecord } from '../../lib/store/record.ts'
import type { Transition } from '../../lib/store/store.ts'
import { transition } from '../../lib/stores/transition.ts'
import {
  answersAreHonest,
  expiriesRise,
  fencesRise,
  ghostsStayDead,
  holdsAreKept,
  isGrant,
  isHandOver,
  lateOwnersAreServed,
  oneBeliever,
  ownGrantIsFinal,
  poolsAddUp,
  runners,
  strangersChangeNothing,
  turnsAreKept,
} from '../conformance/invariants.ts'
import { type Played, play, scripts } from '../conformance/script.ts'
import { effort, seeds } from '../conformance/seeds.ts'

type Check = (played: readonly Played[]) => void

type LockKind = 'lock' | 'more locks'

const holds = (check: Check, { kind, seed }: { readonly kind: LockKind; readonly seed: number }, apply?: Transition): void =>
  fc.assert(
    fc.property(scripts(kind), (script) => check(play(kind, script, apply))),
    { seed, numRuns: effort(300) },
  )

const runs = seeds(71).flatMap(({ title, seed }) => [
  { title: `held alone, ${title}`, seed: { kind: 'lock', seed } as const },
  { title: `shared, with permits, and queued for, ${title}`, seed: { kind: 'more locks', seed } as const },
])

describe.each(runs)('locks $title', ({ seed }) => {
  test('V1 nobody believes that it holds the lock but who may', () => holds(oneBeliever, seed))
  test('V1 whoever holds it alone is alone, and no limit is exceeded', () => holds(poolsAddUp, seed))
  test('L13 nobody overtakes a waiter that is alive, and the order stays', () => holds(turnsAreKept, seed))
  test('V2 fences and versions rise strictly, over deletions too', () => holds(fencesRise, seed))
  test('V3 an acquire never matches its own grant a second time', () => holds(ownGrantIsFinal, seed))
  test('V3 an acquire older than the last release is refused', () => holds(ghostsStayDead, seed))
  test('V3 whatever succeeded succeeds again when it is sent again', () => holds(repeatsAgree, seed))
  test('V4 strangers, zombies and operators with another fence change nothing', () => holds(strangersChangeNothing, seed))
  test('V5 an expiry only rises for one owner', () => holds(expiriesRise, seed))
  test('V6 answers are honest', () => holds(answersAreHonest, seed))
  test('V7 an ended lease that nobody took over is still its owner’s to renew and release', () =>
    holds(lateOwnersAreServed, seed))
  test('V7 a record is kept for a day after its end', () => holds(holdsAreKept, seed))
})

/** The same command again, at once and a minute later, as a retry and as a ghost: the same answer, nothing undone. */
function repeatsAgree(played: readonly Played[]): void {
  const successes = new Set(['acquired', 'renewed', 'released'])
  for (const { command, moment, reply, after } of played) {
    if (!successes.has(reply.outcome)) continue
    for (const laterMs of [0, 60_000]) {
      for (const resent of [true, false]) {
        const later = { ...moment, earliest: moment.earliest + laterMs, latest: moment.latest + laterMs, resent }
        const again = transition(after, command, later)
        // Whoever left may find others there: "gone" is no alarm.
        const left = command.type === 'lock.release' && after?.kind === 'lock' && after.holder !== undefined
        expect(again.reply.outcome).toBe(left ? (resent ? 'gone' : 'lost') : reply.outcome)
        expect(again.record).toEqual(command.type === 'lock.renew' ? expect.anything() : after)
        expect(runners(again.record).map(({ owner, fence }) => [owner, fence])).toEqual(
          runners(after).map(({ owner, fence }) => [owner, fence]),
        )
      }
    }
  }
}

const EVERYWHERE = [
  'lock.acquire acquired',
  'lock.acquire held',
  'lock.acquire stale',
  'lock.renew renewed',
  'lock.renew lost',
  'lock.renew uncertain',
  'lock.release released',
  'lock.release lost',
  'lock.release gone',
  'lock.break broken',
  'lock.break unchanged',
  'took over',
  'ghost acquire acquired',
  'ghost acquire stale',
  'ghost renew renewed',
  'ghost renew lost',
]
const WITH_OTHERS = [
  'lock.acquire queued',
  'because shared',
  'because full',
  'because limit',
  'because queue',
  'handed over',
  'ghost acquire queued',
]

test.each([
  ['lock', EVERYWHERE],
  ['more locks', [...EVERYWHERE, ...WITH_OTHERS]],
] as const)('the scripts of %s reach every outcome, and every kind of late and repeated command', (kind, wanted) => {
  const seen = new Map<string, number>()
  const count = (what: string): unknown => seen.set(what, (seen.get(what) ?? 0) + 1)
  for (const script of fc.sample(scripts(kind), { seed: 71, numRuns: 300 })) {
    for (const step of play(kind, script)) {
      count(`${step.command.type} ${step.reply.outcome}`)
      if ('because' in step.reply) count(`because ${step.reply.because}`)
      if (isHandOver(step)) count('handed over')
      if (isGrant(step) && 'tookOver' in step.reply && step.reply.tookOver) count('took over')
      if (step.sending === 'ghost' && step.command.type === 'lock.acquire') count(`ghost acquire ${step.reply.outcome}`)
      if (step.sending === 'ghost' && step.command.type === 'lock.renew') count(`ghost renew ${step.reply.outcome}`)
    }
  }
  expect(Object.fromEntries(wanted.map((what) => [what, (seen.get(what) ?? 0) > 5]))).toEqual(
    Object.fromEntries(wanted.map((what) => [what, true])),
  )
})

/** Bugs of the kind that published libraries have; each check must see its own. */
const planted: readonly { readonly bug: string; readonly check: Check; readonly apply: Transition; readonly kind?: LockKind }[] =
  [
    {
      bug: 'a permit is handed out beyond the limit',
      kind: 'more locks',
      check: oneBeliever,
      apply: (record, command, moment) => {
        const lock = record?.kind === 'lock' ? record : undefined
        const lighter = lock?.pool && { ...lock, pool: { ...lock.pool, weight: Math.max(0, lock.pool.weight - 1) } }
        return transition(command.type === 'lock.acquire' && lighter ? lighter : record, command, moment)
      },
    },
    {
      bug: 'readers pass a writer that waits',
      kind: 'more locks',
      check: turnsAreKept,
      apply: (record, command, moment) => {
        const reads = command.type === 'lock.acquire' && command.share && record?.kind === 'lock'
        return transition(reads ? { ...record, queue: [] } : record, command, moment)
      },
    },
    {
      bug: 'the dead stay in the sum',
      kind: 'more locks',
      check: poolsAddUp,
      apply: (record, command, moment) => {
        const result = transition(record, command, moment)
        if (command.type !== 'lock.release' || result.record?.kind !== 'lock' || !result.record.pool) return result
        const weight = record?.kind === 'lock' ? (record.pool?.weight ?? 0) : 0
        return { ...result, record: { ...result.record, pool: { ...result.record.pool, weight } } }
      },
    },
    {
      bug: 'a contender with a fast clock takes over early',
      check: oneBeliever,
      apply: (record, command, moment) => transition(record, command, { ...moment, earliest: moment.latest }),
    },
    {
      bug: 'a deleted key counts its fences from the start again',
      check: fencesRise,
      apply: (record, command, moment) => transition(record, command, { ...moment, seed: 0 }),
    },
    {
      bug: 'a repeated acquire renews its own lease',
      check: ownGrantIsFinal,
      apply: (record, command, moment) => {
        const { record: after, reply } = transition(record, command, moment)
        if (command.type !== 'lock.acquire' || reply.outcome !== 'acquired' || after !== record) return { record: after, reply }
        const held = after as LockRecord
        return { record: { ...held, holder: { owner: command.owner, expiresAtMs: moment.latest + command.leaseMs } }, reply }
      },
    },
    {
      bug: 'the release leaves no tombstone',
      check: ghostsStayDead,
      apply: (record, command, moment) => transition(record && { ...record, tombstone: undefined }, command, moment),
    },
    {
      bug: 'a release frees whatever is there',
      check: strangersChangeNothing,
      apply: (record, command, moment) => {
        const holder = record?.kind === 'lock' ? record.holder : undefined
        const whoever = command.type === 'lock.release' && holder ? { ...command, owner: holder.owner } : command
        return transition(record, whoever, moment)
      },
    },
    {
      bug: 'a late renewal rewinds the expiry',
      check: expiriesRise,
      apply: (record, command, moment) => {
        const result = transition(record, command, moment)
        if (command.type !== 'lock.renew' || result.reply.outcome !== 'renewed') return result
        const expiresAtMs = moment.latest + command.leaseMs
        const after = { ...(result.record as LockRecord), holder: { owner: command.owner, expiresAtMs } }
        return { record: after, reply: { outcome: 'renewed', expiresAtMs } }
      },
    },
    {
      bug: 'a re-sent command is told that it lost',
      check: answersAreHonest,
      apply: (record, command, moment) => {
        const { record: after, reply } = transition(record, command, moment)
        return { record: after, reply: reply.outcome === 'uncertain' ? { outcome: 'lost' } : reply }
      },
    },
  ]

test.each(planted)('negative control: $bug', ({ check, apply, kind = 'lock' }) => {
  expect(() => holds(check, { kind, seed: 71 }, apply)).toThrow()
})
