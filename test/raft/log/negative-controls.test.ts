import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Disk, DiskFile } from '../../../lib/raft/log/disk.ts'
import type * as FrameTable from '../../../lib/raft/log/frame-table.ts'
import type { openLog } from '../../../lib/raft/log/open.ts'
import { openLog as rightLog } from '../../../lib/raft/log/open.ts'
import type * as Replays from '../../../lib/raft/log/replay.ts'
import type * as Sectors from '../../../lib/raft/log/sectors.ts'
import type * as Settling from '../../../lib/raft/log/settle.ts'
import { SimulatedDisk } from '../../simulation/disk.ts'
import { type StormOptions, storm } from './storm.ts'
import {
  acknowledgedAt,
  flipped,
  LOG_BYTES,
  openingOf,
  openingOfAll,
  type Specimen,
  snapshotSpecimen,
  specimen,
  summary,
} from './torture.ts'

/** A checker that finds nothing is not trusted: each of these bugs is one that a careless hand could write. */
const RUNS = 400

async function runsUntilFound(options: StormOptions): Promise<number> {
  for (let seed = 1; seed <= RUNS; seed++) if ((await storm(seed, options)).problem) return seed
  return Number.POSITIVE_INFINITY
}

/** The log with one of its files replaced. */
async function planted(file: string, replace: (original: never) => object): Promise<typeof openLog> {
  vi.doMock(file, async (importOriginal) => ({
    ...(await importOriginal<object>()),
    ...replace((await importOriginal()) as never),
  }))
  return (await import('../../../lib/raft/log/open.ts')).openLog
}

beforeEach(() => void vi.resetModules())
afterEach(() => {
  for (const file of ['settle', 'blank', 'replay', 'frame-table', 'sectors']) vi.doUnmock(`../../../lib/raft/log/${file}.ts`)
  vi.doUnmock('node:zlib')
})

describe('crashes find', () => {
  const files = (disk: Disk, wrap: (file: DiskFile) => DiskFile): Disk => ({
    list: () => disk.list(),
    open: async (name) => wrap(await disk.open(name)),
    create: async (name) => wrap(await disk.create(name)),
    rename: (from, to) => disk.rename(from, to),
    remove: (name) => disk.remove(name),
    syncDirectory: () => disk.syncDirectory(),
  })

  test('a disk that ignores syncs', async () => {
    expect(await runsUntilFound({ openLog: rightLog, disk: { lies: true } })).toBeLessThanOrEqual(RUNS)
  })

  test('a log that acknowledges before the write is durable', async () => {
    const early = (file: DiskFile): DiskFile => ({
      ...file,
      writeDurably: async (offset, bytes) => void file.writeDurably(offset, bytes).catch(() => undefined),
    })
    expect(await runsUntilFound({ openLog: rightLog, wrap: (disk) => files(disk, early) })).toBeLessThanOrEqual(RUNS)
  })

  test('a log that does not sync a new file before it gets its name', async () => {
    const unsynced = (file: DiskFile): DiskFile => ({ ...file, sync: async () => undefined })
    expect(await runsUntilFound({ openLog: rightLog, wrap: (disk) => files(disk, unsynced) })).toBeLessThanOrEqual(RUNS)
  })

  test('a log that does not sync the directory', async () => {
    const wrap = (disk: Disk): Disk => ({ ...files(disk, (file) => file), syncDirectory: async () => undefined })
    expect(await runsUntilFound({ openLog: rightLog, wrap })).toBeLessThanOrEqual(RUNS)
  })

  test('a recovery that believes what a killed process left, without making it durable', async () => {
    const bug = await planted('../../../lib/raft/log/settle.ts', () => ({
      settle: async (disk: Disk, { last, leftovers }: Parameters<typeof Settling.settle>[1]) => {
        for (const name of leftovers) await disk.remove(name)
        return await disk.open(last.name)
      },
    }))
    expect(await runsUntilFound({ openLog: bug })).toBeLessThanOrEqual(RUNS)
  })

  test('a recovery that syncs the last write instead of making it again', async () => {
    const bug = await planted('../../../lib/raft/log/settle.ts', () => ({
      settle: async (disk: Disk, { last, leftovers }: Parameters<typeof Settling.settle>[1]) => {
        for (const name of leftovers) await disk.remove(name)
        const file = await disk.open(last.name)
        await file.sync()
        await disk.syncDirectory()
        return file
      },
    }))
    expect(await runsUntilFound({ openLog: bug })).toBeLessThanOrEqual(RUNS)
  })

  test('a log that writes over the remains of a torn or refused write', async () => {
    const bug = await planted('../../../lib/raft/log/blank.ts', () => ({ blank: async () => undefined }))
    expect(await runsUntilFound({ openLog: bug })).toBeLessThanOrEqual(RUNS)
  })

  test('a recovery that forgets the installation that was under way', async () => {
    const bug = await planted('../../../lib/raft/log/replay.ts', ({ Replay }: typeof Replays) => ({
      Replay: class extends Replay {
        override finish(...args: Parameters<Replays.Replay['finish']>): ReturnType<Replays.Replay['finish']> {
          const joined = super.finish(...args)
          return typeof joined === 'string' ? joined : { ...joined, installing: false }
        }
      },
    }))
    expect(await runsUntilFound({ openLog: bug })).toBeLessThanOrEqual(RUNS)
  })
})

describe('flipped bits find', () => {
  async function wrong(open: typeof openLog, log: Specimen): Promise<number> {
    let count = 0
    for (let bit = 4096; bit < LOG_BYTES * 8; bit += 1009)
      if ((await openingOf(open, flipped(log.content, bit), acknowledgedAt(log, LOG_BYTES))) === 'WRONG') count++
    return count
  }

  test('nothing in the log as it is', async () => {
    expect(await wrong(rightLog, await specimen(rightLog))).toBe(0)
  })

  test('a recovery that cuts wherever something is wrong', async () => {
    const bug = await planted('../../../lib/raft/log/frame-table.ts', ({ decide }: typeof FrameTable) => ({
      decide: (seen: FrameTable.Found) => {
        const row = decide(seen)
        return row.verdict === 'refuse' ? { ...row, verdict: 'cut' } : row
      },
    }))
    expect(await wrong(bug, await specimen(rightLog))).toBeGreaterThan(100)
  })

  test('a recovery that takes any bad batch at the end for a torn one', async () => {
    const bug = await planted('../../../lib/raft/log/sectors.ts', ({ stateOf }: typeof Sectors) => ({
      stateOf: (bytes: Uint8Array) => (stateOf(bytes) === 'damaged' ? 'unwritten' : stateOf(bytes)),
    }))
    const log = await specimen(rightLog)
    const mark = (acknowledgedAt(log, LOG_BYTES).end - 1) * 8
    expect(await openingOf(rightLog, flipped(log.content, mark), acknowledgedAt(log, LOG_BYTES))).not.toBe('WRONG')
    expect(await openingOf(bug, flipped(log.content, mark), acknowledgedAt(log, LOG_BYTES))).toBe('WRONG')
  })

  test('a log without sums', async () => {
    const bug = await planted('node:zlib', () => ({ crc32: () => 0 }))
    expect(await wrong(bug, await specimen(bug))).toBeGreaterThan(100)

    const ownFiles = await snapshotSpecimen(bug)
    const disk = new SimulatedDisk()
    for (const [name, content] of ownFiles) disk.put(name, content)
    const expected = await summary(bug, disk)
    const name = [...ownFiles.keys()].find((each) => each.startsWith('snapshot')) ?? ''
    const damaged = flipped(ownFiles.get(name) ?? Buffer.alloc(0), 8 * 200)
    expect(await openingOfAll(bug, new Map(ownFiles).set(name, damaged), expected)).toBe('WRONG')
  })
})
