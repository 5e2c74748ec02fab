import { execFileSync, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { mutate, sourceOf } from '../mutants/mutant.ts'
import { Leases } from './leases.ts'
import { checkHistory, type HistoryOperation } from './linearizability.ts'
import { type Action, counterModel, lockModel } from './models.ts'
import { mutants } from './mutants.ts'
import { runWorld } from './world.ts'

const isLong = process.env['ALONCE_LONG'] === '1'
const root = join(import.meta.dirname, '../..')
const TEN_MINUTES = 600_000

describe('worlds', () => {
  test('the same seed gives the same run, to the byte', { timeout: TEN_MINUTES }, async () => {
    let lines = 0
    for (const seed of [3, 25, 108, 142, 160]) {
      const first = await runWorld({ seed, trace: true })
      const second = await runWorld({ seed, trace: true })
      lines += first.lines.length
      expect(second.lines).toEqual(first.lines)
      expect(second).toEqual(first)
    }
    // A member alone has little to say; not all of them are.
    expect(lines).toBeGreaterThan(1000)
  })

  test('the first seeds, and some that change with every commit', { timeout: TEN_MINUTES }, async () => {
    const events = { seeds: 0, elections: 0, operations: 0, installed: 0, dead: 0 }
    for (const seed of [...from(1), ...from(seedOfCommit())]) {
      const report = await runWorld({ seed })
      expect(report.problem, `npm run simulate -- --seed ${seed}`).toBeUndefined()
      events.seeds++
      events.elections += report.counts['elections'] ?? 0
      events.operations += report.counts['operations'] ?? 0
      events.installed += report.counts['snapshots installed'] ?? 0
      events.dead += report.counts['dead disks'] ?? 0
    }
    // Worlds in which nothing happens would be green too.
    expect(events.elections).toBeGreaterThan(2 * events.seeds)
    expect(events.operations).toBeGreaterThan(20 * events.seeds)
    expect(events.installed).toBeGreaterThan(events.seeds / 4)
    expect(events.dead).toBeGreaterThan(events.seeds / 20)
  })
})

const from = (first: number): readonly number[] => Array.from({ length: isLong ? 2000 : 150 }, (_, place) => first + place)

function seedOfCommit(): number {
  const commit = execFileSync('git', ['rev-parse', 'HEAD'], { cwd: root, encoding: 'utf8' })
  return 1_000_000 + (Number.parseInt(commit.slice(0, 7), 16) % 1_000_000_000)
}

describe('the checkers themselves', () => {
  const add = (value: number | undefined, start: number, end: number): HistoryOperation<Action> => {
    const reply = value === undefined ? undefined : ({ type: 'added', value } as const)
    return { action: { type: 'command', operation: { type: 'add', key: 'c' }, reply }, start, end }
  }
  const read = (value: number, start: number, end: number): HistoryOperation<Action> => ({
    action: { type: 'read', seen: { value, fence: 0, owner: undefined, expiresAtMs: undefined } },
    start,
    end,
  })

  test('a stale read is not linearizable, one at the same time is', () => {
    expect(checkHistory([add(1, 0, 1), read(0, 2, 3)], counterModel)).toBe('not linearizable')
    expect(checkHistory([add(1, 0, 4), read(0, 2, 3)], counterModel)).toBe('linearizable')
  })

  test('a command that was executed twice is found, and one that nobody knows of may have been, or not', () => {
    expect(checkHistory([add(1, 0, 1), add(3, 2, 3)], counterModel)).toBe('not linearizable')
    expect(checkHistory([add(undefined, 0, Number.POSITIVE_INFINITY), add(2, 2, 3)], counterModel)).toBe('linearizable')
    expect(checkHistory([add(undefined, 0, Number.POSITIVE_INFINITY), add(1, 2, 3)], counterModel)).toBe('linearizable')
  })

  test('a lock that is granted before its lease has ended is found', () => {
    const acquired = (owner: string, [fence, timeMs]: readonly [number, number], start: number): HistoryOperation<Action> => ({
      action: {
        type: 'command',
        operation: { type: 'acquire', key: 'l', owner, leaseMs: 100 },
        reply: { type: 'acquired', fence, timeMs, expiresAtMs: timeMs + 100 },
      },
      start,
      end: start + 1,
    })
    expect(checkHistory([acquired('a', [1, 0], 0), acquired('b', [2, 101], 10)], lockModel)).toBe('linearizable')
    expect(checkHistory([acquired('a', [1, 0], 0), acquired('b', [2, 100], 10)], lockModel)).toBe('not linearizable')
    expect(checkHistory([acquired('a', [1, 0], 0), acquired('b', [1, 101], 10)], lockModel)).toBe('not linearizable')
  })

  test('V5 two who believe that they hold the same lock are found', () => {
    const leases = new Leases()
    expect(leases.granted({ key: 'l', owner: 'a', fence: 1, asked: 0, since: 5, until: 100 }, 5)).toBeUndefined()
    expect(leases.granted({ key: 'l', owner: 'b', fence: 2, asked: 50, since: 99, until: 150 }, 99)).toContain('while a holds it')
    leases.left('l', 'a', 99)
    expect(leases.granted({ key: 'l', owner: 'b', fence: 2, asked: 99, since: 100, until: 150 }, 100)).toBeUndefined()
    leases.left('l', 'b', 101)
    expect(leases.granted({ key: 'l', owner: 'c', fence: 2, asked: 102, since: 103, until: 200 }, 103)).toContain('came after 2')
  })
})

/** One for each kind of check: disks, votes, leaders, commits, reads, refusals, histories, leases, liveness. */
const FOUND_SOON: readonly string[] = [
  'acknowledges entries before they are durable',
  'votes twice in a term',
  'takes half of the votes for a majority',
  'reads before it has committed in its term',
  'takes a lost leadership for "not executed"',
  'executes a repeated command again',
  'says that a snapshot is installed before the state is restored',
]

describe('mutants', () => {
  test('there are at least thirty, each with a name and a place of its own', () => {
    expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length)
    expect(mutants.length).toBeGreaterThanOrEqual(30)
    for (const mutant of mutants) expect(mutate(mutant, sourceOf(mutant))).not.toBe(sourceOf(mutant))
  })

  test('some that are found soon are found', { timeout: TEN_MINUTES }, () => {
    const args = ['--mutants', '--seeds', '60', '--json', ...FOUND_SOON]
    const run = spawnSync(process.execPath, [join(root, 'scripts/simulate.ts'), ...args], { encoding: 'utf8' })
    const found = (JSON.parse(run.stdout) as readonly { name: string; problem?: string }[]).filter(({ problem }) => problem)
    expect(found.map(({ name }) => name).toSorted()).toEqual(FOUND_SOON.toSorted())
    expect(run.status).toBe(0)
  })

  test('one is found, the run that found it is shrunk, and the command that replays it is printed', {
    timeout: TEN_MINUTES,
  }, () => {
    const args = ['--planted', 'acknowledges entries before they are durable', '--seeds', '20']
    const run = spawnSync(process.execPath, [join(root, 'scripts/simulate.ts'), ...args], { encoding: 'utf8' })
    expect(run.stdout).toContain('acknowledges')
    expect(run.stdout).toMatch(/Shrunk in \d+ runs to \d+ faults/)
    expect(run.stdout).toMatch(/npm run simulate -- --seed \d+ --keep \S+ --until \d+ --trace/)
    expect(run.status).toBe(1)
  })
})
