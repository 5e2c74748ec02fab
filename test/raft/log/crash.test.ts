import { describe, expect, test } from 'vitest'
import type { RaftLog } from '../../../lib/raft/log/log.ts'
import { openLog } from '../../../lib/raft/log/open.ts'
import { effort, seeds } from '../../conformance/seeds.ts'
import { SimulatedDisk } from '../../simulation/disk.ts'
import { at, entries, entry, hardState, identity, meta, outcome, slicesOf, small, snapshotBytes, stateAt } from './sample.ts'
import { type StormReport, storm } from './storm.ts'

describe.each(seeds(91))('crashes at any operation, $title', ({ seed }) => {
  test('what was acknowledged is there, and nothing that nobody asked for', { timeout: 600_000 }, async () => {
    const total: Record<string, number> = {}
    for (let run = 0; run < effort(60); run++) {
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

/** A kill leaves names that a power cut takes back; what they replace must not be gone before that is settled. */
test('a power cut at each operation of the recovery from a kill at each operation of a snapshot loses nothing', async () => {
  const { disk: usual, log: first } = await withSnapshot()
  const begun = usual.begun
  await first.createSnapshot(meta(18), slicesOf(18))
  for (let operation = 1; operation <= usual.begun - begun; operation++) {
    const { disk, log } = await withSnapshot()
    disk.stopAt(disk.begun + operation)
    expect(await outcome(log.createSnapshot(meta(18), slicesOf(18)))).toBe('LOG_DEAD')
    for (let step = 1; step < 24; step++) {
      const killed = disk.crash('process', step)
      killed.stopAt(step)
      await outcome(openLog(killed, identity, small))
      for (let seed = 0; seed < effort(2); seed++) {
        const again = await openLog(killed.crash('power', seed), identity, small)
        expect([10, 18]).toContain(again.snapshot?.index)
        expect([again.lastIndex, await snapshotBytes(again)]).toEqual([20, stateAt(again.snapshot?.index ?? 0)])
      }
    }
  }
})

/** Its first entries are in the snapshot only. */
async function withSnapshot(): Promise<{ readonly disk: SimulatedDisk; readonly log: RaftLog }> {
  const disk = new SimulatedDisk()
  const log = await openLog(disk, identity, { ...small, segmentBytes: 4096 })
  for (let index = 1; index <= 20; index++) await log.append({ entries: [entry(index)], hardState: hardState(1, 1, index) })
  await log.createSnapshot(meta(10), slicesOf(10))
  await log.compact(at(10))
  return { disk, log }
}

test('the same seed is the same run', async () => {
  expect(await storm(7, { openLog })).toEqual(await storm(7, { openLog }))
})
