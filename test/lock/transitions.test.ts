import { describe, expect, test } from 'vitest'
import { lockTransition } from '../../lib/lock/transitions.ts'
import type { LockCommand } from '../../lib/store/command.ts'
import type { Fence, LockRecord } from '../../lib/store/record.ts'
import { DAY_MS, type Moment } from '../../lib/store/time.ts'
import { LOCK_KEY } from '../conformance/script.ts'

/** Times are milliseconds since T; the store knows its time to ±100 ms. A holds from T to T+10_000 under fence 7. */
const T = Date.UTC(2026, 0, 15)
const at = (ms: number, rest: Partial<Moment> = {}): Moment => ({
  earliest: T + ms - 100,
  latest: T + ms + 100,
  sentAtMs: T + ms + 100,
  resent: false,
  seed: 40,
  ...rest,
})

const head = { kind: 'lock', fence: 7 as Fence, version: 12 } as const
const states: { readonly [name: string]: LockRecord | undefined } = {
  absent: undefined,
  'held by A': { ...head, holder: { owner: 'A', expiresAtMs: T + 10_000, label: 'host-a' }, purgeAtMs: T + 10_000 + DAY_MS },
  'released by A': { ...head, tombstone: { owner: 'A', atMs: T + 4000 }, purgeAtMs: T + 10_000 + DAY_MS },
  'held by B after A': {
    ...head,
    holder: { owner: 'B', expiresAtMs: T + 10_000 },
    tombstone: { owner: 'A', atMs: T + 1000 },
    purgeAtMs: T + 10_000 + DAY_MS,
  },
}

const commands: { readonly [name: string]: LockCommand } = {
  'A acquires': { type: 'lock.acquire', key: LOCK_KEY, owner: 'A', leaseMs: 5000, label: 'host-a' },
  'B acquires': { type: 'lock.acquire', key: LOCK_KEY, owner: 'B', leaseMs: 5000 },
  'A renews': { type: 'lock.renew', key: LOCK_KEY, owner: 'A', leaseMs: 5000, fence: 7 as Fence },
  'A renews fence 6': { type: 'lock.renew', key: LOCK_KEY, owner: 'A', leaseMs: 5000, fence: 6 as Fence },
  'B renews': { type: 'lock.renew', key: LOCK_KEY, owner: 'B', leaseMs: 5000, fence: 7 as Fence },
  'A releases': { type: 'lock.release', key: LOCK_KEY, owner: 'A' },
  'B releases': { type: 'lock.release', key: LOCK_KEY, owner: 'B' },
  'break 7': { type: 'lock.break', key: LOCK_KEY, owner: 'op', fence: 7 as Fence, reason: 'stuck' },
  'break 6': { type: 'lock.break', key: LOCK_KEY, owner: 'op', fence: 6 as Fence },
}

/**
 * state | when | command | answer | the record afterwards: `=` is the very same object, else who holds it until when.
 * `again`: the command is a re-sent one. `sent 500`: it was first sent at T+500.
 */
const table = `
  absent            | 5000             | A acquires       | acquired  | A until 10100, fence 41
  absent            | 5000             | A renews         | lost      | =
  absent            | 5000 again       | A renews         | uncertain | =
  absent            | 5000             | A releases       | lost      | =
  absent            | 5000 again       | A releases       | gone      | =
  absent            | 5000             | break 7          | unchanged | =
  held by A         | 5000             | B acquires       | held      | =
  held by A         | 10100            | B acquires       | held      | =
  held by A         | 10101            | B acquires       | acquired  | B until 15201, fence 8
  held by A         | 5000 again       | A acquires       | acquired  | =
  held by A         | 5000             | A acquires       | acquired  | =
  held by A         | 99000            | A acquires       | acquired  | =
  held by A         | 3000             | A renews         | renewed   | =
  held by A         | 8000             | A renews         | renewed   | A until 13100, fence 7
  held by A         | 99000            | A renews         | renewed   | A until 104100, fence 7
  held by A         | 8000             | A renews fence 6 | lost      | =
  held by A         | 8000             | B renews         | lost      | =
  held by A         | 8000 again       | B renews         | uncertain | =
  held by A         | 5000             | A releases       | released  | free, last A at 4900
  held by A         | 99000            | A releases       | released  | free, last A at 98900
  held by A         | 5000             | B releases       | lost      | =
  held by A         | 5000 again       | B releases       | gone      | =
  held by A         | 5000             | break 7          | broken    | free, last A at 4900
  held by A         | 5000             | break 6          | unchanged | =
  released by A     | 5000             | B acquires       | acquired  | B until 10100, fence 8
  released by A     | 5000 sent 500    | B acquires       | stale     | =
  released by A     | 5000             | A acquires       | stale     | =
  released by A     | 5000 again       | A acquires       | stale     | =
  released by A     | 5000             | A renews         | lost      | =
  released by A     | 5000 again       | A releases       | released  | =
  released by A     | 5000             | break 7          | unchanged | =
  held by B after A | 5000             | A acquires       | held      | =
  held by B after A | 5000             | A renews         | lost      | =
  held by B after A | 5000             | A releases       | lost      | =
  held by B after A | 5000 again       | A releases       | gone      | =
  held by B after A | 20000            | A acquires       | stale     | =
`

const rows = table
  .trim()
  .split('\n')
  .map((line) => line.split('|').map((cell) => cell.trim()) as [string, string, string, string, string])

describe('what a lock answers', () => {
  test.each(rows)('%s, at %s: %s -> %s, %s', (state, when, command, outcome, afterwards) => {
    const before = states[state]
    const sent = /sent (\d+)/.exec(when)
    const moment = at(Number.parseInt(when, 10), {
      resent: when.includes('again'),
      ...(sent && { sentAtMs: T + Number(sent[1]) }),
    })
    const { record, reply } = lockTransition(before, commands[command] as LockCommand, moment)
    expect(reply.outcome).toBe(outcome)
    expect(record === before ? '=' : describeRecord(record)).toBe(afterwards)
  })
})

function describeRecord(record: LockRecord | undefined): string {
  if (!record) return 'absent'
  const { holder, tombstone, fence } = record
  if (holder) return `${holder.owner} until ${holder.expiresAtMs - T}, fence ${fence}`
  return `free, last ${tombstone?.owner} at ${(tombstone?.atMs ?? 0) - T}`
}

test('a contender learns who holds the lock, under which fence, and until when', () => {
  const { reply } = lockTransition(states['held by A'], commands['B acquires'] as LockCommand, at(5000))
  expect(reply).toEqual({ outcome: 'held', fence: 7, holder: { owner: 'A', expiresAtMs: T + 10_000, label: 'host-a' } })
})

test('a grant tells whether it took over from somebody who had not released', () => {
  const acquire = commands['B acquires'] as LockCommand
  expect(lockTransition(states['held by A'], acquire, at(20_000)).reply).toMatchObject({ outcome: 'acquired', tookOver: true })
  expect(lockTransition(states['released by A'], acquire, at(20_000)).reply).toMatchObject({
    outcome: 'acquired',
    tookOver: false,
  })
})

test('a broken lock keeps the reason, and its former holder can’t come back', () => {
  const { record } = lockTransition(states['held by A'], commands['break 7'] as LockCommand, at(5000))
  expect(record?.tombstone).toEqual({ owner: 'A', atMs: T + 4900, reason: 'stuck' })
  expect(lockTransition(record, commands['A renews'] as LockCommand, at(5001)).reply.outcome).toBe('lost')
  expect(lockTransition(record, commands['A acquires'] as LockCommand, at(5001)).reply.outcome).toBe('stale')
})

test('V5 while the store’s time is unknown nothing is taken over', () => {
  const unknown = at(0, { earliest: Number.NEGATIVE_INFINITY, latest: T + 99_000 })
  expect(lockTransition(states['held by A'], commands['B acquires'] as LockCommand, unknown).reply.outcome).toBe('held')
})

test('V3 who was taken over does not come back by a late duplicate when the next holder has died too', () => {
  const { record } = lockTransition(states['held by A'], commands['B acquires'] as LockCommand, at(20_000))
  const late = lockTransition(record, commands['A acquires'] as LockCommand, at(40_000, { sentAtMs: T, resent: true }))
  expect(late).toEqual({ record, reply: { outcome: 'stale' } })
})

test('V6 the first release after an operator broke the lock is not told that it released anything', () => {
  for (const reason of ['stuck', undefined]) {
    const { record } = lockTransition(states['held by A'], { ...commands['break 7'], reason } as LockCommand, at(5000))
    expect(lockTransition(record, commands['A releases'] as LockCommand, at(5001)).reply.outcome).toBe('lost')
    expect(lockTransition(record, commands['A releases'] as LockCommand, at(5001, { resent: true })).reply.outcome).toBe('gone')
  }
})
