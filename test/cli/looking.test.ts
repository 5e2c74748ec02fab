import { describe, expect, test } from 'vitest'
import type { RecordView } from '../../lib/cli/view.ts'
import { onceKey } from '../../lib/idempotency/key.ts'
import { acquireLock } from '../../lib/index.ts'
import { lockKey } from '../../lib/store/key.ts'
import { dynamodbMissing } from '../support/dynamodb-table.ts'
import { completedFor, type Desk, desk, FENCE, heldFor, lockRecord, onceRecord, runningFor } from './command-line.ts'

const HOUR = 3_600_000

interface Listed {
  readonly records: readonly RecordView[]
  readonly scanned: number
  readonly next?: string
}

const statesOf = ({ records }: Listed): object => Object.fromEntries(records.map(({ key, state }) => [key, state]))

async function busyDesk(): Promise<Desk> {
  const at = await desk()
  await Promise.all([
    at.plant('lock/account/=7', heldFor(HOUR - 30_000, 'settlement 7f')),
    at.plant('lock/nightly', heldFor(-HOUR - 30_000, 'batch-3')),
    at.plant('lock/idle', lockRecord({ tombstone: { owner: 'gone', atMs: Date.now() - HOUR } })),
    at.plant('once/charge/1', runningFor(HOUR - 30_000, { label: 'req-1', attempt: 2 })),
    at.plant('once/charge/2', runningFor(-HOUR - 30_000)),
    at.plant('once/charge/3', runningFor(-HOUR - 30_000, { hold: true })),
    at.plant('once/email/4', completedFor(HOUR)),
    at.plant('once/email/5', completedFor(-HOUR)),
  ])
  return at
}

describe.skipIf(dynamodbMissing).concurrent('alonce ls', { timeout: 60_000 }, () => {
  test('shows what is in use or was left behind, for people', async () => {
    const at = await busyDesk()
    const { status, out, err } = await at.run('ls')
    expect(out.replaceAll(/ {2,}/g, ' | ')).toBe(
      [
        'STATE | KEY | FENCE | HOLDER | LEASE',
        `held | lock/account/=7 | ${FENCE} | settlement 7f | ends in 59 min`,
        `expired | lock/nightly | ${FENCE} | batch-3 | ended 60 min ago`,
        `running | once/charge/1 | ${FENCE} | req-1 | ends in 59 min | attempt 2`,
        `expired | once/charge/2 | ${FENCE} | ended 60 min ago`,
        `stuck | once/charge/3 | ${FENCE} | ended 60 min ago`,
        '',
      ].join('\n'),
    )
    expect(err).toMatch(
      /^alonce: 5 records; \d+ items of table "alonce-[\w-]+", namespace "[\w-]+" scanned, [\d.]+ read units?\.\n$/,
    )
    expect(status).toBe(0)
  })

  test('filters by kind, by the beginning of the key, and by state', async () => {
    const at = await busyDesk()
    const [all, locks, charges, states] = await Promise.all([
      at.json<Listed>('ls', '--all'),
      at.json<Listed>('ls', '--kind', 'lock'),
      at.json<Listed>('ls', '--kind', 'once', '--prefix', 'charge/'),
      at.json<Listed>('ls', '--state', 'completed', 'free'),
    ])
    expect(statesOf(all)).toEqual({
      'lock/account/=7': 'held',
      'lock/idle': 'free',
      'lock/nightly': 'expired',
      'once/charge/1': 'running',
      'once/charge/2': 'expired',
      'once/charge/3': 'stuck',
      'once/email/4': 'completed',
      'once/email/5': 'free',
    })
    expect(Object.keys(statesOf(locks))).toEqual(['lock/account/=7', 'lock/nightly'])
    expect(Object.keys(statesOf(charges))).toEqual(['once/charge/1', 'once/charge/2', 'once/charge/3'])
    expect(statesOf(states)).toEqual({ 'lock/idle': 'free', 'once/email/4': 'completed', 'once/email/5': 'free' })
  })

  test('goes on where it ended: every record is shown once', async () => {
    const at = await busyDesk()
    const keys: string[] = []
    let from: string | undefined
    let pages = 0
    do {
      const page: Listed = await at.json<Listed>('ls', '--all', '--limit', '3', ...(from === undefined ? [] : ['--from', from]))
      expect(page.records.length).toBeLessThanOrEqual(3)
      keys.push(...page.records.map(({ key }) => key))
      from = page.next
      pages++
    } while (from !== undefined && pages < 5)
    expect(pages).toBe(3)
    expect(keys).toHaveLength(8)
    expect(new Set(keys).size).toBe(8)
  })

  test('looks at no more of the table than it was allowed to, and says where to go on', async () => {
    const at = await busyDesk()
    const page = await at.json<Listed>('ls', '--scan-limit', '2')
    expect(page.scanned).toBe(2)
    expect(page.next).toBeDefined()
    expect((await at.run('ls', '--scan-limit', '2')).err).toMatch(/There is more: add --from [\w-]+\n$/)
    expect(await at.run('ls', '--from', 'nonsense')).toMatchObject({
      status: 2,
      err: expect.stringContaining('--from takes what'),
    })
  })

  test('shows no owner, no result, and nothing that could drive a terminal', async () => {
    const at = await desk()
    const owner = 'an-unguessable-owner'
    await at.plant('lock/evil', heldFor(HOUR, '\u001b]0;owned\u0007\u009b31m \u202etxt', owner))
    await at.plant('once/charge/1', completedFor(HOUR, '{"card":"4111"}'))
    const texts = [
      await at.run('ls', '--all'),
      await at.run('ls', '--all', '--json'),
      await at.run('get', 'lock/evil'),
      await at.run('get', 'lock/evil', '--json'),
    ]
    for (const { out } of texts) {
      expect(out).not.toContain(owner)
      expect(out).not.toContain('4111')
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these must not be there
      expect(out).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/)
      expect(out).toContain('\\u001b]0;owned\\u0007')
    }
    const { records } = JSON.parse(texts[1]?.out ?? '') as Listed
    expect(records[0]).toMatchObject({ holders: [{ label: '\u001b]0;owned\u0007\u009b31m \u202etxt' }] })
  })

  test('shows a record that can’t be read as such, and the others all the same', async () => {
    const at = await busyDesk()
    await at.plant('lock/odd', { ...lockRecord(), version: -1 })
    const { records } = await at.json<Listed>('ls', '--kind', 'lock')
    expect(records.map(({ key, state }) => [key, state])).toContainEqual(['lock/odd', 'unreadable'])
    expect(records).toHaveLength(3)
  })
})

describe.skipIf(dynamodbMissing).concurrent('alonce get', { timeout: 60_000 }, () => {
  test('finds a lock by its readable name, and an operation by its key, which is hashed here', async () => {
    const at = await desk()
    const lock = await acquireLock({ store: at.store, key: ['account', 7], label: 'req-9' })
    await at.plant(onceKey('charge', { key: ['eu', 7] }), runningFor(HOUR))
    await at.plant(onceKey('charge', { key: 'pay-1', scope: 'acme' }), onceRecord())
    const [byName, byKey, scoped] = await Promise.all([
      at.json<RecordView>('get', 'lock/account/=7'),
      at.json<RecordView>('get', 'charge', '["eu",7]', '--key-json'),
      at.json<RecordView>('get', 'charge', 'pay-1', '--scope', 'acme'),
    ])
    expect(byName).toMatchObject({
      key: lockKey(['account', 7]),
      state: 'held',
      fence: lock.fence,
      holders: [{ label: 'req-9' }],
    })
    expect(byKey).toMatchObject({ kind: 'once', operation: 'charge', state: 'running' })
    expect(scoped).toMatchObject({ kind: 'once', state: 'free' })
    await lock.release()
  })

  test('of a record that is not there says so, and ends with 4; of a name that is none, with 2', async () => {
    const at = await desk()
    expect(await at.run('get', 'lock/nothing')).toMatchObject({
      status: 4,
      out: '',
      err: expect.stringContaining('There is no record lock/nothing'),
    })
    expect(await at.run('get', 'nothing')).toMatchObject({ status: 2, err: expect.stringContaining('A lock is lock/nothing') })
  })
})

describe.skipIf(dynamodbMissing)('alonce watch', { timeout: 60_000 }, () => {
  test('tells each change, as a line of JSON for programs, until it is interrupted', async () => {
    const at = await desk()
    const watching = at.start('watch', 'lock/job', '--interval', '100ms', '--json')
    await watching.says(/"absent"/)
    const first = await acquireLock({ store: at.store, key: 'job', label: 'first' })
    await watching.says(/"label":"first"/)
    await first.release()
    await watching.says(/"free"/)
    watching.signal('SIGINT')
    const { status, out } = await watching.ended()
    const lines = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as RecordView & { at: string })
    expect(lines.map(({ state }) => state)).toEqual(['absent', 'held', 'free'])
    expect(lines.every(({ at: time }) => Number.isFinite(Date.parse(time)))).toBe(true)
    expect(status).toBe(0)
  })
})
