import { describe, expect, test } from 'vitest'
import { openLog } from '../../../lib/raft/log/open.ts'
import { effort, seeds } from '../../conformance/seeds.ts'
import { SimulatedDisk } from '../../simulation/disk.ts'
import { entries, hardState, identity, outcome, small } from './sample.ts'
import { type StormReport, storm } from './storm.ts'

describe.each(seeds(91))('crashes at any operation, $title', ({ seed }) => {
  test('what was acknowledged is there, and nothing that nobody asked for', { timeout: 600_000 }, async () => {
    const total: Record<string, number> = {}
    for (let run = 0; run < effort(100); run++) {
      const { problem, counts } = await storm(seed + run, { openLog })
      expect(problem, `storm(${seed + run})`).toBeUndefined()
      for (const [name, count] of Object.entries(counts)) total[name] = (total[name] ?? 0) + count
    }
    const least: StormReport['counts'] = {
      appends: 1000,
      snapshots: 20,
      installs: 20,
      crashes: 400,
      full: 20,
      dead: 20,
      cuts: 20,
    }
    for (const [name, count] of Object.entries(least)) expect(total[name], name).toBeGreaterThan(count)
  })
})

/** Founding has nothing to lose yet, but must never end in a directory that neither opens nor counts as empty. */
test('a crash at each operation of founding a log leaves an empty disk or a log', async () => {
  const usual = new SimulatedDisk()
  await openLog(usual, identity, small)
  for (let operation = 1; operation <= usual.begun; operation++) {
    for (const kind of ['process', 'power'] as const) {
      const disk = new SimulatedDisk()
      disk.stopAt(operation)
      expect(await outcome(openLog(disk, identity, small))).toBe('LOG_DEAD')
      const log = await openLog(disk.crash(kind, operation), identity, small)
      await log.append({ entries: entries(1, 3), hardState: hardState(1, 1, 1) })
      expect(log.lastIndex).toBe(3)
    }
  }
})

test('the same seed is the same run', async () => {
  expect(await storm(7, { openLog })).toEqual(await storm(7, { openLog }))
})
