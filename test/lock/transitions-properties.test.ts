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
  lateOwnersAreServed,
  oneBeliever,
  ownGrantIsFinal,
  running,
  strangersChangeNothing,
} from '../conformance/invariants.ts'
import { type Played, play, scripts } from '../conformance/script.ts'
import { effort, seeds } from '../conformance/seeds.ts'

type Check = (played: readonly Played[]) => void

const holds = (check: Check, seed: number, apply?: Transition): void =>
  fc.assert(
    fc.property(scripts('lock'), (script) => check(play('lock', script, apply))),
    { seed, numRuns: effort(300) },
  )

describe.each(seeds(71))('locks, over random scripts, $title', ({ seed }) => {
  test('V1 one owner at most believes that it holds the lock', () => holds(oneBeliever, seed))
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
        expect(again.reply.outcome).toBe(reply.outcome)
        expect(again.record?.fence).toBe(after?.fence)
        expect(running(again.record)?.owner).toBe(running(after)?.owner)
      }
    }
  }
}

test('the scripts reach every outcome, and every kind of late and repeated command', () => {
  const seen = new Map<string, number>()
  const count = (what: string): unknown => seen.set(what, (seen.get(what) ?? 0) + 1)
  for (const script of fc.sample(scripts('lock'), { seed: 71, numRuns: 300 })) {
    for (const step of play('lock', script)) {
      count(`${step.command.type} ${step.reply.outcome}`)
      if (isGrant(step) && 'tookOver' in step.reply && step.reply.tookOver) count('took over')
      if (step.sending === 'ghost' && step.command.type === 'lock.acquire') count(`ghost acquire ${step.reply.outcome}`)
      if (step.sending === 'ghost' && step.command.type === 'lock.renew') count(`ghost renew ${step.reply.outcome}`)
    }
  }
  const wanted = [
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
  expect(Object.fromEntries(wanted.map((what) => [what, (seen.get(what) ?? 0) > 5]))).toEqual(
    Object.fromEntries(wanted.map((what) => [what, true])),
  )
})

/** Bugs of the kind that published libraries have; each check must see its own. */
const planted: readonly { readonly bug: string; readonly check: Check; readonly apply: Transition }[] = [
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

test.each(planted)('negative control: $bug', ({ check, apply }) => {
  expect(() => holds(check, 71, apply)).toThrow()
})
