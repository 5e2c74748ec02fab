import { describe, expect, test } from 'vitest'
import type { RaftLog } from '../../../lib/raft/log/log.ts'
import { openLog } from '../../../lib/raft/log/open.ts'
import { SimulatedDisk } from '../../simulation/disk.ts'
import {
  at,
  digest,
  digests,
  entries,
  entry,
  hardState,
  identity,
  meta,
  outcome,
  slicesOf,
  small,
  snapshotBytes,
  stateAt,
} from './sample.ts'

const open = (disk: SimulatedDisk): Promise<RaftLog> => openLog(disk, identity, small)
/** What a power cut leaves when everything is durable that was said to be. */
const reopened = (disk: SimulatedDisk, seed = 1): Promise<RaftLog> =>
  openLog(disk.crash('power', seed), identity, { segmentBytes: 8192 })

describe('appending', () => {
  test('a new log is empty', async () => {
    const log = await open(new SimulatedDisk())
    expect([log.firstIndex, log.lastIndex, log.term(at(0)), log.snapshot]).toEqual([1, 0, 0, undefined])
    expect(log.hardState).toEqual({ term: 0, vote: 0, commit: 0 })
  })

  test('entries of every kind and size are there again after a power cut', async () => {
    const disk = new SimulatedDisk()
    const log = await open(disk)
    const written = [
      entry(1, 1, new Uint8Array(0)),
      { ...entry(2), kind: 'conf-change' as const },
      { ...entry(3), kind: 'conf-change-v2' as const },
      entry(4, 1, new Uint8Array(5000)),
      entry(5, 2, Buffer.alloc(511, 0xff)),
    ]
    await log.append({ entries: written, hardState: hardState(2, 3, 4) })
    const again = await reopened(disk)
    expect(digests(again)).toEqual(written.map(digest))
    expect(again.hardState).toEqual({ term: 2, vote: 3, commit: 4 })
    expect([again.firstIndex, again.lastIndex, again.term(at(5)), again.term(at(6))]).toEqual([1, 5, 2, undefined])
  })

  test('a batch of entries and a hard state is one write', async () => {
    const disk = new SimulatedDisk()
    const log = await open(disk)
    const before = disk.begun
    await log.append({ entries: entries(1, 20), hardState: hardState(1, 1, 0) })
    expect(disk.begun - before).toBe(1)
  })

  test('a hard state alone is durable', async () => {
    const disk = new SimulatedDisk()
    await (await open(disk)).append({ hardState: hardState(7, 2, 0) })
    expect((await reopened(disk)).hardState).toEqual({ term: 7, vote: 2, commit: 0 })
  })

  test('entries replace a suffix that conflicts', async () => {
    const disk = new SimulatedDisk()
    const log = await open(disk)
    await log.append({ entries: entries(1, 5, 1) })
    await log.append({ entries: entries(3, 4, 2) })
    const expected = [...entries(1, 2, 1), ...entries(3, 4, 2)].map(digest)
    expect(digests(log)).toEqual(expected)
    expect(digests(await reopened(disk))).toEqual(expected)
  })

  test('what is being written does not show', async () => {
    const log = await open(new SimulatedDisk())
    const writing = log.append({ entries: entries(1, 2) })
    expect(log.lastIndex).toBe(0)
    await writing
    expect(log.lastIndex).toBe(2)
  })

  test('the log goes on from segment to segment', async () => {
    const disk = new SimulatedDisk()
    const log = await open(disk)
    for (let index = 1; index <= 60; index++)
      await log.append({ entries: [entry(index)], hardState: hardState(index, 1, index - 1) })
    expect(disk.names().filter((name) => name.endsWith('.log')).length).toBeGreaterThan(3)
    const again = await reopened(disk)
    expect(digests(again)).toEqual(digests(log))
    expect(again.hardState).toEqual(log.hardState)
  })

  test('a batch larger than a segment gets a segment of its own size', async () => {
    const disk = new SimulatedDisk()
    const log = await open(disk)
    await log.append({ entries: [entry(1, 1, Buffer.alloc(50_000, 7))] })
    await log.append({ entries: [entry(2)] })
    expect(digests(await reopened(disk))).toEqual(digests(log))
  })

  test('a batch waits for no file when the segment is full: the next one was made before', async () => {
    const disk = new SimulatedDisk()
    const log = await open(disk)
    for (let index = 1; index <= 15; index++) await log.append({ entries: [entry(index)] })
    const preallocated = disk.counts.get('preallocate')
    await log.append({ entries: [entry(16)] })
    expect(disk.names()).toContain('segment-0000000000000002.log')
    expect(disk.counts.get('preallocate')).toBe(preallocated)
  })
})

describe('what no correct member asks for stops it', () => {
  test.each([
    ['a gap', { entries: [entry(7)] }],
    ['a gap inside a batch', { entries: [entry(6), entry(8)] }],
    ['an entry over a committed one', { entries: [entry(3, 2)] }],
    ['a term that goes back', { hardState: hardState(1, 1, 3) }],
    ['a second vote in a term', { hardState: hardState(2, 2, 3) }],
    ['a commit that goes back', { hardState: hardState(2, 1, 2) }],
    ['a commit behind the end', { hardState: hardState(2, 1, 6) }],
  ])('%s', async (_, append) => {
    const log = await open(new SimulatedDisk())
    await log.append({ entries: entries(1, 5), hardState: hardState(2, 1, 3) })
    await expect(log.append(append)).rejects.toThrow('used wrongly')
    expect(log.lastIndex).toBe(5)
  })
})

describe('snapshots', () => {
  test('a snapshot is there after a power cut, with its configuration and every byte', async () => {
    const disk = new SimulatedDisk()
    const log = await open(disk)
    await log.append({ entries: entries(1, 10), hardState: hardState(1, 1, 10) })
    await log.createSnapshot(meta(7), slicesOf(7))
    const again = await reopened(disk)
    expect(again.snapshot).toMatchObject({ index: 7, term: 1 })
    expect(Buffer.from(again.snapshot?.configuration ?? []).toString()).toBe('members at 7')
    expect(await snapshotBytes(again)).toBe(stateAt(7))
    expect(digests(again)).toEqual(digests(log))
  })

  test('no write of a snapshot is longer than a slice, and appends go on in between', async () => {
    const disk = new SimulatedDisk()
    const log = await open(disk)
    await log.append({ entries: entries(1, 3), hardState: hardState(1, 1, 3) })
    const order: string[] = []
    const state = function* (): Generator<Uint8Array> {
      for (let i = 0; i < 3; i++) {
        order.push(`slice ${i}`)
        yield Buffer.alloc(900, i)
      }
    }
    const writes = disk.counts.get('write') ?? 0
    const snapshot = log.createSnapshot(meta(3), state()).then(() => order.push('snapshot'))
    await log.append({ entries: [entry(4)] }).then(() => order.push('append'))
    await snapshot
    expect((disk.counts.get('write') ?? 0) - writes).toBe(1 + 1 + 9 + 1) // the append; header, 3 x 900 / 300, end
    expect(order.indexOf('append')).toBeLessThan(order.indexOf('slice 2'))
    expect(order.at(-1)).toBe('snapshot')
  })

  test('compaction removes whole segments, and keeps the term before the first entry', async () => {
    const disk = new SimulatedDisk()
    const log = await open(disk)
    for (let index = 1; index <= 60; index++)
      await log.append({ entries: [entry(index, index)], hardState: hardState(index, 0, index) })
    const segments = disk.names().length
    await log.createSnapshot(meta(50, 50), slicesOf(50))
    await log.compact(at(50))
    expect(disk.names().length).toBeLessThan(segments)
    expect([log.firstIndex, log.lastIndex, log.term(at(50)), log.term(at(49))]).toEqual([51, 60, 50, undefined])
    const again = await reopened(disk)
    expect([again.lastIndex, again.term(at(50)), again.snapshot?.index]).toEqual([60, 50, 50])
    expect(again.firstIndex).toBeLessThanOrEqual(51)
    expect(again.term(at(again.firstIndex - 1))).toBe(again.firstIndex - 1)
  })

  test('a newer snapshot takes the place of the older', async () => {
    const disk = new SimulatedDisk()
    const log = await open(disk)
    await log.append({ entries: entries(1, 10), hardState: hardState(1, 1, 10) })
    await log.createSnapshot(meta(4), slicesOf(4))
    const older = log.readSnapshot()
    const first = await older.next()
    await log.createSnapshot(meta(9), slicesOf(9))
    expect(disk.names().filter((name) => name.includes('snapshot'))).toEqual(['snapshot-0000000000000009.snap'])
    expect(await snapshotBytes(log)).toBe(stateAt(9))
    expect(first.done).toBe(false)
    await older.return()
  })

  test('a state machine that fails half way leaves nothing behind', async () => {
    const disk = new SimulatedDisk()
    const log = await open(disk)
    await log.append({ entries: entries(1, 3), hardState: hardState(1, 1, 3) })
    const broken = function* (): Generator<Uint8Array> {
      yield Buffer.alloc(500)
      throw new RangeError('no more')
    }
    await expect(log.createSnapshot(meta(3), broken())).rejects.toThrow('no more')
    expect(disk.names().filter((name) => name.includes('snapshot'))).toEqual([])
    await log.createSnapshot(meta(3), slicesOf(3))
    expect(log.snapshot?.index).toBe(3)
  })
})

describe('the slices of a snapshot', () => {
  const written = async (pieces: readonly Uint8Array[]): Promise<{ readonly writes: number; readonly bytes: Buffer }> => {
    const disk = new SimulatedDisk()
    const log = await openLog(disk, identity, { ...small, sliceBytes: 1000 })
    await log.append({ entries: entries(1, 3), hardState: hardState(1, 1, 3) })
    const before = disk.counts.get('write') ?? 0
    await log.createSnapshot(meta(3), pieces)
    const kept: Uint8Array[] = []
    for await (const chunk of log.readSnapshot()) kept.push(chunk)
    return { writes: (disk.counts.get('write') ?? 0) - before, bytes: Buffer.concat(kept) }
  }

  test('small pieces share one durable write: a thousand records are not a thousand writes', async () => {
    const pieces = Array.from({ length: 1000 }, (_, place) => Buffer.alloc(10, place))
    const { writes, bytes } = await written(pieces)
    // The head, ten slices, the end.
    expect(writes).toBe(12)
    expect(bytes).toEqual(Buffer.concat(pieces))
  })

  test('a large piece is cut: none is larger than it may be, wherever pieces end', async () => {
    const pieces = [3, 2500, 1, 996, 1000, 4].map((length, place) => Buffer.alloc(length, place + 1))
    const { writes, bytes } = await written(pieces)
    expect(writes).toBe(2 + Math.ceil(4504 / 1000))
    expect(bytes).toEqual(Buffer.concat(pieces))
  })

  test('one without a byte has none', async () => {
    expect(await written([])).toEqual({ writes: 2, bytes: Buffer.alloc(0) })
  })
})

describe('a snapshot from the leader (Raft, Figure 13)', () => {
  test('replaces a log that does not have its last entry, hard state and entries with it', async () => {
    const disk = new SimulatedDisk()
    const log = await open(disk)
    await log.append({ entries: entries(1, 5), hardState: hardState(1, 1, 2) })
    await log.installSnapshot(meta(40, 3), slicesOf(40), { entries: entries(41, 42, 3), hardState: hardState(3, 2, 41) })
    const expected = [41, 42, 40, 3]
    for (const each of [log, await reopened(disk)]) {
      expect([each.firstIndex, each.lastIndex, each.snapshot?.index, each.term(at(40))]).toEqual(expected)
      expect(each.hardState).toEqual({ term: 3, vote: 2, commit: 41 })
    }
  })

  test('drops entries behind it if they are of another history', async () => {
    const disk = new SimulatedDisk()
    const log = await open(disk)
    await log.append({ entries: entries(1, 9, 1), hardState: hardState(1, 1, 2) })
    await log.installSnapshot(meta(5, 2), slicesOf(5))
    await log.append({ entries: [entry(6, 2)] })
    for (const each of [log, await reopened(disk)]) expect(digests(each)).toEqual([digest(entry(6, 2))])
  })

  test('keeps what follows an entry that it shares with the log', async () => {
    const disk = new SimulatedDisk()
    const log = await open(disk)
    await log.append({ entries: entries(1, 9), hardState: hardState(1, 1, 2) })
    await log.installSnapshot(meta(5), slicesOf(5))
    expect([log.firstIndex, log.lastIndex, log.hardState.commit]).toEqual([6, 9, 5])
    expect((await reopened(disk)).lastIndex).toBe(9)
  })
})

describe('a disk that fails', () => {
  test('EIO on a write: the log is dead for good, and touches the disk no more', async () => {
    const disk = new SimulatedDisk()
    const log = await open(disk)
    await log.append({ entries: [entry(1)] })
    disk.fail({ operation: 'write', code: 'EIO' })
    const failing = [log.append({ entries: [entry(2)] }), log.append({ entries: [entry(3)] })]
    expect(await Promise.all(failing.map(outcome))).toEqual(['LOG_DEAD', 'LOG_DEAD'])
    const { begun } = disk
    expect(await outcome(log.append({ entries: [entry(2)] }))).toBe('LOG_DEAD')
    expect(await outcome(log.createSnapshot(meta(1), slicesOf(1)))).toBe('LOG_DEAD')
    expect(disk.begun).toBe(begun)
    expect(digests(log)).toEqual([digest(entry(1))])
  })

  test('EIO on a sync of the directory: dead too, the sync is not tried again', async () => {
    const disk = new SimulatedDisk()
    disk.fail({ operation: 'syncDirectory', code: 'EIO' })
    expect(await outcome(open(disk))).toBe('LOG_DEAD')
    expect(disk.counts.get('syncDirectory')).toBe(1)
  })

  test('ENOSPC: nothing of the batch counts, nor of those that waited behind it; the log can be read, and goes on with room', async () => {
    const disk = new SimulatedDisk()
    const log = await open(disk)
    await log.append({ entries: entries(1, 2) })
    disk.fail({ operation: 'write', code: 'ENOSPC' })
    const large = entry(3, 1, Buffer.alloc(3000, 5))
    const failing = [log.append({ entries: [large] }), log.append({ entries: [entry(4)] })]
    expect(await Promise.all(failing.map(outcome))).toEqual(['LOG_FULL', 'LOG_FULL'])
    expect(digests(log)).toEqual(entries(1, 2).map(digest))
    const meanwhile = await openLog(disk.crash('process', 1), identity, small)
    expect(digests(meanwhile)).toEqual(entries(1, 2).map(digest))
  })

  test('after ENOSPC a shorter batch takes the place of the half-written one, and the log opens', async () => {
    const disk = new SimulatedDisk()
    const log = await open(disk)
    disk.fail({ operation: 'write', code: 'ENOSPC' })
    expect(await outcome(log.append({ entries: [entry(1, 1, Buffer.alloc(3000, 5))] }))).toBe('LOG_FULL')
    await log.append({ entries: [entry(1)] })
    const again = await reopened(disk)
    expect([digests(again), again.cut]).toEqual([[digest(entry(1))], undefined])
  })

  test('a full disk stops the log at a new segment, and not within one', async () => {
    const disk = new SimulatedDisk({ capacityBytes: 10_000 })
    const log = await open(disk)
    let written = 0
    while ((await outcome(log.append({ entries: [entry(written + 1)] }))) === undefined) written++
    expect(written).toBe(15)
    expect(digests(log)).toEqual(entries(1, 15).map(digest))
    disk.capacityBytes = 50_000
    await log.append({ entries: [entry(16)] })
    expect(digests(await reopened(disk))).toEqual(entries(1, 16).map(digest))
  })

  test('a snapshot that finds no room leaves the older one in force', async () => {
    const disk = new SimulatedDisk()
    const log = await open(disk)
    await log.append({ entries: entries(1, 9), hardState: hardState(1, 1, 9) })
    await log.createSnapshot(meta(3), slicesOf(3))
    disk.fail({ operation: 'write', code: 'ENOSPC', name: /snapshot/, after: 1 })
    expect(await outcome(log.createSnapshot(meta(7), slicesOf(7)))).toBe('LOG_FULL')
    await log.append({ entries: [entry(10)] })
    const again = await reopened(disk)
    expect([again.snapshot?.index, again.lastIndex, await snapshotBytes(again)]).toEqual([3, 10, stateAt(3)])
  })
})
