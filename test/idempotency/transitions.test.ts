import { describe, expect, test } from 'vitest'
import { onceTransition } from '../../lib/idempotency/transitions.ts'
import type { OnceBegin, OnceCommand } from '../../lib/store/command.ts'
import type { Fence, OnceRecord } from '../../lib/store/record.ts'
import { DAY_MS, type Moment } from '../../lib/store/time.ts'
import { ONCE_KEY, resultOf } from '../conformance/script.ts'

/** Times are milliseconds since T; the store knows its time to ±100 ms. Leases end at T+10_000, retentions at T+60_000. */
const T = Date.UTC(2026, 0, 15)
const at = (ms: number, rest: Partial<Moment> = {}): Moment => ({
  earliest: T + ms - 100,
  latest: T + ms + 100,
  sentAtMs: T + ms + 100,
  resent: false,
  seed: 40,
  ...rest,
})

const head = { kind: 'once', fence: 7 as Fence, version: 12, epoch: 3, purgeAtMs: T + 60_000 + DAY_MS } as const
const running: OnceRecord = {
  ...head,
  status: 'in-progress',
  owner: 'A',
  label: 'request-a',
  attempt: 2,
  expiresAtMs: T + 10_000,
  fingerprint: 'p',
  checkpoints: { paid: 'ch_1' },
  retired: { psp: 1 },
}
const states: { readonly [name: string]: OnceRecord | undefined } = {
  absent: undefined,
  'A runs': running,
  'A runs, hold': { ...running, hold: true, purgeAtMs: undefined },
  'A runs, q hold': { ...running, fingerprint: 'q', hold: true, purgeAtMs: undefined },
  'A reconciles': { ...running, hold: true, purgeAtMs: undefined, crashed: { fence: 5 as Fence, attempt: 1 } },
  'A transacted': {
    ...running,
    status: 'completed',
    expiresAtMs: undefined,
    checkpoints: {},
    result: resultOf('A'),
    retainUntilMs: T + 60_000,
    token: 't1',
  },
  'A done': {
    ...running,
    status: 'completed',
    expiresAtMs: undefined,
    checkpoints: {},
    result: resultOf('A'),
    retainUntilMs: T + 60_000,
  },
  'A gave back': {
    ...running,
    status: undefined,
    owner: undefined,
    label: undefined,
    expiresAtMs: undefined,
    tombstone: { owner: 'A', atMs: T + 4000 },
  },
  'B runs after A': { ...running, owner: 'B', attempt: 3, tombstone: { owner: 'A', atMs: T + 1000 } },
}

const begin: OnceBegin = { type: 'once.begin', key: ONCE_KEY, owner: 'A', leaseMs: 5000, retainMs: 60_000, fingerprint: 'p' }
const of = (owner: string) => ({ key: ONCE_KEY, owner })
const commands: { readonly [name: string]: OnceCommand } = {
  'A begins': begin,
  'B begins': { ...begin, owner: 'B' },
  'B begins q': { ...begin, owner: 'B', fingerprint: 'q' },
  'B begins bare': { ...begin, owner: 'B', fingerprint: undefined },
  'B reconciles': { ...begin, owner: 'B', reconcile: true },
  'A reconciles': { ...begin, reconcile: true },
  'A transacts t1': { type: 'once.complete', ...of('A'), result: resultOf('A'), retainMs: 30_000, token: 't1' },
  'A transacts t2': { type: 'once.complete', ...of('A'), result: resultOf('A'), retainMs: 30_000, token: 't2' },
  'A extends': { type: 'once.extend', ...of('A'), leaseMs: 5000 },
  'A notes paid': { type: 'once.checkpoint', ...of('A'), name: 'paid', value: 'ch_2' },
  'A notes mailed': { type: 'once.checkpoint', ...of('A'), name: 'mailed', value: 'm_1' },
  'A retires psp 1': { type: 'once.retire', ...of('A'), name: 'psp', generation: 1 },
  'A retires psp 2': { type: 'once.retire', ...of('A'), name: 'psp', generation: 2 },
  'A completes': { type: 'once.complete', ...of('A'), result: resultOf('A'), retainMs: 30_000 },
  'B completes': { type: 'once.complete', ...of('B'), result: resultOf('B'), retainMs: 30_000 },
  'A abandons': { type: 'once.abandon', ...of('A') },
  'B abandons': { type: 'once.abandon', ...of('B') },
  'forget 7': { type: 'once.forget', ...of('op'), fence: 7 as Fence, reason: 'refunded' },
  'forget 6': { type: 'once.forget', ...of('op'), fence: 6 as Fence },
}

/** state | when | command | answer | the record afterwards: `=` is the very same object. `again`: a re-sent command. */
const table = `
  absent         | 5000          | A begins        | started     | A runs until 10100, fence 41, attempt 1
  absent         | 5000          | A completes     | lost        | =
  absent         | 5000 again    | A completes     | uncertain   | =
  absent         | 5000          | A abandons      | lost        | =
  absent         | 5000 again    | A abandons      | gone        | =
  absent         | 5000          | forget 7        | unchanged   | =
  A runs         | 5000 again    | A begins        | started     | =
  A runs         | 99000         | A begins        | started     | =
  A runs         | 5000          | B begins        | in-progress | =
  A runs         | 5000          | B begins q      | mismatch    | =
  A runs         | 5000          | B begins bare   | in-progress | =
  A runs         | 10100         | B begins        | in-progress | =
  A runs         | 10101         | B begins        | started     | B runs until 15201, fence 8, attempt 3
  A runs         | 10101         | B begins q      | started     | B runs until 15201, fence 8, attempt 1
  A runs         | 3000          | A extends       | extended    | =
  A runs         | 8000          | A extends       | extended    | A runs until 13100, fence 7, attempt 2
  A runs         | 99000         | A extends       | extended    | A runs until 104100, fence 7, attempt 2
  A runs         | 5000          | A notes paid    | exists      | =
  A runs         | 5000          | A notes mailed  | saved       | A runs until 10000, fence 7, attempt 2
  A runs         | 5000          | A retires psp 1 | retired     | =
  A runs         | 5000          | A retires psp 2 | retired     | A runs until 10000, fence 7, attempt 2
  A runs         | 5000          | A completes     | completed   | A done, replayed until 35100
  A runs         | 99000         | A completes     | completed   | A done, replayed until 129100
  A runs         | 5000          | B completes     | lost        | =
  A runs         | 5000 again    | B completes     | uncertain   | =
  A runs         | 5000          | A abandons      | abandoned   | free, last A at 4900
  A runs         | 5000          | B abandons      | lost        | =
  A runs         | 5000 again    | B abandons      | gone        | =
  A runs         | 5000          | forget 7        | forgotten   | free, last A at 4900
  A runs         | 5000          | forget 6        | unchanged   | =
  A runs, hold   | 999000        | B begins        | in-progress | =
  A runs, hold   | 999000        | A completes     | completed   | A done, replayed until 1029100
  A runs, hold   | 999000        | A abandons      | abandoned   | free, last A at 998900
  A runs, hold   | 999000        | forget 7        | forgotten   | free, last A at 998900
  A runs, hold   | 999000        | B reconciles    | started     | B runs until 1004100, fence 8, attempt 3
  A runs, hold   | 10100         | B reconciles    | in-progress | =
  A runs         | 10101         | B reconciles    | started     | B runs until 15201, fence 8, attempt 3
  A runs, q hold | 999000        | B reconciles    | mismatch    | =
  A reconciles   | 999000        | B begins        | in-progress | =
  A reconciles   | 999000        | B reconciles    | started     | B runs until 1004100, fence 8, attempt 3
  A reconciles   | 5000 again    | A reconciles    | started     | =
  A gave back    | 5000          | B reconciles    | started     | B runs until 10100, fence 8, attempt 3
  A runs         | 5000          | A transacts t1  | completed   | A done, replayed until 35100
  A transacted   | 5000 again    | A transacts t1  | completed   | =
  A transacted   | 5000          | A transacts t2  | lost        | =
  A transacted   | 5000 again    | A transacts t2  | uncertain   | =
  A transacted   | 5000          | A completes     | completed   | =
  A done         | 5000 again    | A transacts t1  | uncertain   | =
  A done         | 5000          | B begins        | completed   | =
  A done         | 5000          | B begins q      | mismatch    | =
  A done         | 5000 again    | A begins        | completed   | =
  A done         | 5000 again    | A completes     | completed   | =
  A done         | 5000          | B completes     | lost        | =
  A done         | 5000 again    | B completes     | uncertain   | =
  A done         | 5000          | A extends       | lost        | =
  A done         | 5000          | A notes mailed  | lost        | =
  A done         | 5000          | A abandons      | completed   | =
  A done         | 5000          | B abandons      | lost        | =
  A done         | 5000          | forget 7        | forgotten   | free, last A at 4900
  A done         | 60100         | B begins        | completed   | =
  A done         | 60101         | B begins        | started     | B runs until 65201, fence 8, attempt 1
  A done         | 60101         | B begins q      | started     | B runs until 65201, fence 8, attempt 1
  A done         | 60101 again   | A begins        | stale       | =
  A gave back    | 5000          | B begins        | started     | B runs until 10100, fence 8, attempt 3
  A gave back    | 5000          | B begins q      | started     | B runs until 10100, fence 8, attempt 1
  A gave back    | 5000 sent 500 | B begins        | stale       | =
  A gave back    | 5000          | A begins        | stale       | =
  A gave back    | 5000          | A completes     | lost        | =
  A gave back    | 5000 again    | A completes     | uncertain   | =
  A gave back    | 5000 again    | A abandons      | abandoned   | =
  A gave back    | 5000          | forget 7        | unchanged   | =
  B runs after A | 5000          | A completes     | lost        | =
  B runs after A | 5000          | A extends       | lost        | =
  B runs after A | 5000          | A notes mailed  | lost        | =
  B runs after A | 5000          | A retires psp 2 | lost        | =
  B runs after A | 5000          | A abandons      | lost        | =
  B runs after A | 5000 again    | A abandons      | gone        | =
  B runs after A | 20000         | A begins        | stale       | =
`

const rows = table
  .trim()
  .split('\n')
  .map((line) => line.split('|').map((cell) => cell.trim()) as [string, string, string, string, string])

describe('what an operation’s record answers', () => {
  test.each(rows)('%s, at %s: %s -> %s, %s', (state, when, command, outcome, afterwards) => {
    const before = states[state]
    const sent = /sent (\d+)/.exec(when)
    const moment = at(Number.parseInt(when, 10), {
      resent: when.includes('again'),
      ...(sent && { sentAtMs: T + Number(sent[1]) }),
    })
    const { record, reply } = onceTransition(before, commands[command] as OnceCommand, moment)
    expect(reply.outcome).toBe(outcome)
    expect(record === before ? '=' : describeRecord(record)).toBe(afterwards)
  })
})

function describeRecord(record: OnceRecord | undefined): string {
  if (!record) return 'absent'
  const { status, owner, expiresAtMs = 0, fence, attempt, retainUntilMs = 0, tombstone } = record
  if (status === 'in-progress') return `${owner} runs until ${expiresAtMs - T}, fence ${fence}, attempt ${attempt}`
  if (status === 'completed') return `${owner} done, replayed until ${retainUntilMs - T}`
  return `free, last ${tombstone?.owner} at ${(tombstone?.atMs ?? 0) - T}`
}

const apply = (state: string, command: string, ms: number) =>
  onceTransition(states[state], commands[command] as OnceCommand, at(ms))

test('the next attempt at the same payload finds the checkpoints and the retired keys; another payload finds no checkpoints', () => {
  const found = { checkpoints: { paid: 'ch_1' }, epoch: 3, retired: { psp: 1 } }
  expect(apply('A runs', 'B begins', 20_000).reply).toMatchObject({ ...found, tookOver: true })
  expect(apply('A gave back', 'B begins', 20_000).reply).toMatchObject({ ...found, tookOver: false })
  expect(apply('A gave back', 'B begins q', 20_000).reply).toMatchObject({ ...found, checkpoints: {} })
})

test('a begin over an expired result keeps nothing of it', () => {
  const { record } = apply('A done', 'B begins q', 99_000)
  expect(record).toMatchObject({ checkpoints: {}, fingerprint: 'q', owner: 'B' })
  expect([record?.result, record?.retainUntilMs]).toEqual([undefined, undefined])
})

test('a checkpoint answers with the value that was there first', () => {
  expect(apply('A runs', 'A notes paid', 5000).reply).toEqual({ outcome: 'exists', value: 'ch_1' })
})

test('names that objects inherit are ordinary names of checkpoints and of downstream keys', () => {
  for (const name of ['__proto__', 'constructor', 'toString']) {
    const noted = onceTransition(states['A runs'], { type: 'once.checkpoint', ...of('A'), name, value: 'v' }, at(5000))
    expect(noted.reply.outcome).toBe('saved')
    const again = onceTransition(noted.record, { type: 'once.checkpoint', ...of('A'), name, value: 'w' }, at(5000))
    expect(again.reply).toEqual({ outcome: 'exists', value: 'v' })
    const retired = onceTransition(noted.record, { type: 'once.retire', ...of('A'), name, generation: 1 }, at(5000))
    expect(retired.reply).toEqual({ outcome: 'retired', generation: 1 })
    expect(Object.hasOwn(retired.record?.retired ?? {}, name)).toBe(true)
  }
})

test('forgetting starts a new epoch: no attempt, checkpoint, fingerprint or retired key is left of the old one', () => {
  const { record } = apply('A done', 'forget 7', 5000)
  expect(record).toMatchObject({ epoch: 7, attempt: 0, checkpoints: {}, retired: {} })
  expect([record?.fingerprint, record?.result]).toEqual([undefined, undefined])
  expect(record?.tombstone).toEqual({ owner: 'A', atMs: T + 4900, reason: 'refunded' })
})

test('a replay carries the result, its fence and how long it is kept', () => {
  const { reply } = apply('A done', 'B begins', 5000)
  expect(reply).toEqual({ outcome: 'completed', fence: 7, result: resultOf('A'), retainUntilMs: T + 60_000 })
})

test('who waits learns the end of the lease, and whether that end means anything', () => {
  const progress = { outcome: 'in-progress', fence: 7, expiresAtMs: T + 10_000, label: 'request-a' }
  expect(apply('A runs', 'B begins', 5000).reply).toEqual({ ...progress, hold: false })
  expect(apply('A runs, hold', 'B begins', 5000).reply).toEqual({ ...progress, hold: true })
})

test('who takes a crashed attempt over to find out about it is told whose it was, again when the answer was lost', () => {
  const taken = apply('A runs, hold', 'B reconciles', 999_000)
  expect(taken.reply).toMatchObject({ crashed: { fence: 7, attempt: 2 }, tookOver: true, checkpoints: { paid: 'ch_1' } })
  const again = onceTransition(taken.record, commands['B reconciles'] as OnceCommand, at(999_000, { resent: true }))
  expect(again.record).toBe(taken.record)
  expect(again.reply).toMatchObject({ crashed: { fence: 7, attempt: 2 } })
  expect(apply('A runs', 'B begins', 20_000).reply).toMatchObject({ crashed: undefined })
  expect(apply('A gave back', 'B reconciles', 20_000).reply).toMatchObject({ crashed: undefined })
})

test('who reconciles holds: nobody who does not may take over from him, and nothing is purged', () => {
  const { record } = apply('A gave back', 'B reconciles', 5000)
  expect(record).toMatchObject({ hold: true, purgeAtMs: undefined })
  expect(apply('A reconciles', 'B begins', 999_000).reply).toMatchObject({ outcome: 'in-progress', hold: true })
  expect(apply('A reconciles', 'B reconciles', 5000).reply).toMatchObject({ outcome: 'in-progress', hold: false })
})

test('what was found out ends with the attempt that found it out', () => {
  for (const command of ['A completes', 'A abandons', 'forget 7'])
    expect(apply('A reconciles', command, 5000).record?.crashed, command).toBeUndefined()
  expect(apply('A reconciles', 'A extends', 8000).record?.crashed).toEqual({ fence: 5, attempt: 1 })
})

test('the token of a transaction stays with its result, and no longer', () => {
  expect(apply('A runs', 'A transacts t1', 5000).record?.token).toBe('t1')
  expect(apply('A transacted', 'B begins', 99_000).record?.token).toBeUndefined()
  expect(apply('A transacted', 'forget 7', 5000).record?.token).toBeUndefined()
})

test('a held attempt that ends well, or is given back, may be purged again', () => {
  expect(apply('A runs, hold', 'A completes', 5000).record?.purgeAtMs).toBe(T + 5100 + 30_000 + DAY_MS)
  expect(apply('A runs, hold', 'A abandons', 5000).record?.purgeAtMs).toBe(T + 5100 + DAY_MS)
})

test('V3 who was taken over, or outlived by its retention, does not come back by a late duplicate when the next attempt has died too', () => {
  for (const state of ['A runs', 'A done']) {
    const { record } = apply(state, 'B begins', 99_000)
    const late = onceTransition(record, begin, at(200_000, { sentAtMs: T, resent: true }))
    expect(late).toEqual({ record, reply: { outcome: 'stale' } })
  }
})

test('V6 the first abandonment after an operator forgot the record is not told that it gave anything back', () => {
  for (const reason of ['refunded', undefined]) {
    const { record } = onceTransition(states['A runs'], { ...commands['forget 7'], reason } as OnceCommand, at(5000))
    expect(onceTransition(record, commands['A abandons'] as OnceCommand, at(5001)).reply.outcome).toBe('lost')
  }
})
