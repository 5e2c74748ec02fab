import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Disk } from '../../../lib/raft/log/disk.ts'
import { nodeDisk } from '../../../lib/raft/log/node-disk.ts'
import { openLog } from '../../../lib/raft/log/open.ts'
import { SimulatedDisk } from '../../simulation/disk.ts'
import { at, digests, entry, hardState, identity, meta, outcome, slicesOf, small, snapshotBytes, stateAt } from './sample.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'alonce-log-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** One life of a log, and what its disk holds afterwards. */
async function life(disk: Disk): Promise<readonly unknown[]> {
  const log = await openLog(disk, identity, small)
  for (let index = 1; index <= 70; index++) await log.append({ entries: [entry(index)], hardState: hardState(1, 1, index) })
  await log.createSnapshot(meta(40), slicesOf(40))
  await log.compact(at(40))
  await log.installSnapshot(meta(90, 2), slicesOf(90), { entries: [entry(91, 2)], hardState: hardState(2, 0, 90) })
  await log.close()
  const again = await openLog(disk, identity, { segmentBytes: 8192 })
  const seen = [digests(again), again.hardState, again.snapshot?.index, (await snapshotBytes(again)) === stateAt(90)]
  await again.close()
  return [...seen, [...(await disk.list())].sort()]
}

test('the real disk and its simulated twin end in the same files and the same log', async () => {
  expect(await life(await nodeDisk(join(folder, 'log')))).toEqual(await life(new SimulatedDisk()))
})

test('a segment occupies its size from the start', async () => {
  const log = await openLog(await nodeDisk(join(folder, 'log')), identity, { emptyDisk: 'create', segmentBytes: 3_000_000 })
  await log.close()
  const { size, blocks } = statSync(join(folder, 'log', readdirSync(join(folder, 'log'))[0] ?? ''))
  expect(size).toBe(Math.floor(3_000_000 / 512) * 512)
  expect(blocks * 512).toBeGreaterThanOrEqual(size)
})

test('an emptied directory under an old id is refused', async () => {
  expect(await outcome(openLog(await nodeDisk(join(folder, 'log')), identity))).toBe('LOG_MISSING')
})

test('a failure carries the system’s code', async () => {
  const disk = await nodeDisk(join(folder, 'log'))
  expect(await outcome(disk.open('nothing'))).toBe('ENOENT')
})
