import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { OnceRecord } from '../../lib/store/record.ts'
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
  resultsStay,
  running,
  strangersChangeNothing,
} from '../conformance/invariants.ts'
import { type Played, play, scripts } from '../conformance/script.ts'
import { effort, seeds } from '../conformance/seeds.ts'

type Check = (played: readonly Played[]) => void

const holds = (check: Check, seed: number, apply?: Transition): void =>
  fc.assert(
    fc.property(scripts('once'), (script) => check(play('once', script, apply))),
    { seed, numRuns: effort(300) },
  )

describe.each(seeds(72))('operations, over random scripts, $title', ({ seed }) => {
  test('V1 one attempt at most believes that it runs', () => holds(oneBeliever, seed))
  test('V2 fences and versions rise strictly, over deletions too', () => holds(fencesRise, seed))
  test('V3 a begin never matches its own record a second time', () => holds(ownGrantIsFinal, seed))
  test('V3 a begin older than the last hand-back is refused', () => holds(ghostsStayDead, seed))
  test('V3 whatever succeeded succeeds again when it is sent again', () => holds(repeatsAgree, seed))
  test('V4 strangers, zombies and operators with another fence change nothing', () => holds(strangersChangeNothing, seed))
  test('V4 a completed record is never given back and never completed anew', () => holds(resultsStay, seed))
  test('V5 an expiry only rises for one owner', () => holds(expiriesRise, seed))
  test('V6 answers are honest', () => holds(answersAreHonest, seed))
  test('V7 with hold an attempt is never absent and never purged; else a record is kept for a day', () =>
    holds(holdsAreKept, seed))
  test('V7 an ended lease that nobody took over is still its owner’s to extend and complete', () =>
    holds(lateOwnersAreServed, seed))
  test('checkpoints and retired keys of a running attempt are only added to', () => holds(notesAreKept, seed))
})

/** The same command again, at once and a minute later, as a retry and as a ghost: the same answer, nothing undone. */
function repeatsAgree(played: readonly Played[]): void {
  const successes = new Set(['started', 'extended', 'saved', 'retired', 'abandoned', 'completed'])
  for (const { command, moment, reply, after } of played) {
    if (!successes.has(reply.outcome) || (command.type === 'once.begin' && reply.outcome === 'completed')) continue
    for (const laterMs of [0, 60_000]) {
      for (const resent of [true, false]) {
        const later = { ...moment, earliest: moment.earliest + laterMs, latest: moment.latest + laterMs, resent }
        const again = transition(after, command, later)
        // A checkpoint that is already there is told with its value, which is the caller's own.
        const value = command.type === 'once.checkpoint' ? command.value : undefined
        if (reply.outcome === 'saved') expect(again.reply).toEqual({ outcome: 'exists', value })
        else expect(again.reply.outcome).toBe(reply.outcome)
        expect(again.record?.fence).toBe(after?.fence)
        expect(running(again.record)?.owner).toBe(running(after)?.owner)
      }
    }
  }
}

function notesAreKept(played: readonly Played[]): void {
  for (const { command, before, after } of played) {
    if (before?.kind !== 'once' || after?.kind !== 'once' || !running(before)) continue
    if (running(after)?.owner !== running(before)?.owner) continue
    expect(after.checkpoints, command.type).toMatchObject(before.checkpoints)
    for (const [name, generation] of Object.entries(before.retired)) {
      expect(after.retired[name], command.type).toBeGreaterThanOrEqual(generation)
    }
  }
}

test('the scripts reach every outcome, and every kind of late and repeated command', () => {
  const seen = new Map<string, number>()
  const count = (what: string): unknown => seen.set(what, (seen.get(what) ?? 0) + 1)
  for (const script of fc.sample(scripts('once'), { seed: 72, numRuns: 600 })) {
    for (const step of play('once', script)) {
      count(`${step.command.type.slice('once.'.length)} ${step.reply.outcome}`)
      if (isGrant(step) && 'tookOver' in step.reply && step.reply.tookOver) count('took over')
      if (step.sending === 'ghost' && step.command.type === 'once.begin') count(`ghost begin ${step.reply.outcome}`)
      if (step.before?.kind === 'once' && step.before.hold && step.command.type === 'once.begin') count('begin over hold')
    }
  }
  const wanted = [
    ...['started', 'in-progress', 'completed', 'mismatch', 'stale'].map((outcome) => `begin ${outcome}`),
    ...['extended', 'lost', 'uncertain'].map((outcome) => `extend ${outcome}`),
    ...['saved', 'exists', 'lost', 'uncertain'].map((outcome) => `checkpoint ${outcome}`),
    ...['retired', 'lost', 'uncertain'].map((outcome) => `retire ${outcome}`),
    ...['completed', 'lost', 'uncertain'].map((outcome) => `complete ${outcome}`),
    ...['abandoned', 'completed', 'lost', 'gone'].map((outcome) => `abandon ${outcome}`),
    ...['forgotten', 'unchanged'].map((outcome) => `forget ${outcome}`),
    'took over',
    'begin over hold',
    'ghost begin started',
    'ghost begin stale',
  ]
  expect(wanted.filter((what) => (seen.get(what) ?? 0) < 3)).toEqual([])
})

/** Bugs of the kind that published libraries have; each check must see its own. */
const planted: readonly { readonly bug: string; readonly check: Check; readonly apply: Transition }[] = [
  {
    bug: 'a begin takes over a lease that has not ended',
    check: oneBeliever,
    apply: (record, command, moment) => transition(record, command, { ...moment, earliest: moment.latest }),
  },
  {
    bug: 'completion asks nobody who the owner is',
    check: strangersChangeNothing,
    apply: (record, command, moment) => {
      const owner = record?.kind === 'once' ? record.owner : undefined
      return transition(record, command.type === 'once.complete' && owner ? { ...command, owner } : command, moment)
    },
  },
  {
    bug: 'an abandonment gives a completed record back',
    check: resultsStay,
    apply: (record, command, moment) => {
      const reopened = record?.kind === 'once' && record.status === 'completed' && command.type === 'once.abandon'
      return transition(reopened ? { ...record, status: 'in-progress' } : record, command, moment)
    },
  },
  {
    bug: 'an extension sets the expiry to its own idea of it',
    check: expiriesRise,
    apply: (record, command, moment) => {
      const result = transition(record, command, moment)
      if (result.reply.outcome !== 'extended' || command.type !== 'once.extend') return result
      const expiresAtMs = moment.latest + command.leaseMs
      return { record: { ...(result.record as OnceRecord), expiresAtMs }, reply: { outcome: 'extended', expiresAtMs } }
    },
  },
  {
    bug: 'a re-sent completion that was refused is told that it lost',
    check: answersAreHonest,
    apply: (record, command, moment) => {
      const { record: after, reply } = transition(record, command, moment)
      return { record: after, reply: reply.outcome === 'uncertain' ? { outcome: 'lost' } : reply }
    },
  },
  {
    bug: 'hold is forgotten when the lease has ended',
    check: holdsAreKept,
    apply: (record, command, moment) =>
      transition(
        record?.kind === 'once' && command.type === 'once.begin' ? { ...record, hold: undefined } : record,
        command,
        moment,
      ),
  },
  {
    bug: 'an owner is refused once its lease has ended',
    check: lateOwnersAreServed,
    apply: (record, command, moment) => {
      const ended = (running(record)?.expiresAtMs ?? 0) < moment.earliest
      if (ended && command.type === 'once.complete') return { record, reply: { outcome: moment.resent ? 'uncertain' : 'lost' } }
      return transition(record, command, moment)
    },
  },
]

test.each(planted)('negative control: $bug', ({ check, apply }) => {
  expect(() => holds(check, 72, apply)).toThrow()
})
