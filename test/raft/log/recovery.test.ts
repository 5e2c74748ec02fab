import { describe, expect, test } from 'vitest'
import type { MemberId } from '../../../lib/raft/entry.ts'
import type { LogFailure } from '../../../lib/raft/log/failure.ts'
import { openLog } from '../../../lib/raft/log/open.ts'
import { recover } from '../../../lib/raft/log/recovery.ts'
import { SimulatedDisk } from '../../simulation/disk.ts'
import {
  at,
  digest,
  digests,
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

const segment = (sequence: number): string => `segment-${String(sequence).padStart(16, '0')}.log`
const snapshot = (index: number): string => `snapshot-${String(index).padStart(16, '0')}.snap`
const restart = { segmentBytes: 8192 }

/** Three batches of one entry; each has two sectors behind the header's: bytes 512, 1536 and 2560 to 3583. */
async function threeBatches(): Promise<SimulatedDisk> {
  const disk = new SimulatedDisk()
  const log = await openLog(disk, identity, small)
  for (const index of [1, 2, 3]) await log.append({ entries: [payload(index)], hardState: hardState(index, 1, index - 1) })
  return disk
}
const payload = (index: number): ReturnType<typeof entry> => entry(index, 1, Buffer.alloc(800, index))

/** Several segments, and a snapshot at entry 30. */
async function longLog(): Promise<SimulatedDisk> {
  const disk = new SimulatedDisk()
  const log = await openLog(disk, identity, small)
  for (let index = 1; index <= 70; index++) await log.append({ entries: [entry(index)], hardState: hardState(1, 1, index) })
  await log.createSnapshot(meta(30), slicesOf(30))
  await log.close()
  return disk
}

type Change = (content: Buffer) => Buffer
const wiped =
  (from: number, to: number): Change =>
  (content) =>
    content.fill(0, from, to)
const flipped =
  (byte: number): Change =>
  (content) => {
    content.writeUInt8(content.readUInt8(byte) ^ 4, byte)
    return content
  }
function changed(disk: SimulatedDisk, name: string, change: Change): SimulatedDisk {
  disk.put(name, change(disk.content(name)))
  return disk
}

const refusalOf = (disk: SimulatedDisk, as = identity): Promise<LogFailure> =>
  openLog(disk, as, restart).then(
    () => expect.unreachable('it opened'),
    (error: LogFailure) => error,
  )

describe('a torn last batch is cut, and nothing acknowledged is lost', () => {
  test.each<[string, Change]>([
    ['it has only a beginning', wiped(2700, 3584)],
    ['its first sector was written, its second was not', wiped(3072, 3584)],
    ['its second sector was written, its first was not', wiped(2560, 3072)],
    ['both sectors have only a beginning', (content) => wiped(2600, 3072)(wiped(3100, 3584)(content))],
  ])('%s', async (_, change) => {
    const disk = changed(await threeBatches(), segment(1), change)
    const log = await openLog(disk, identity, restart)
    expect(digests(log)).toEqual([1, 2].map((index) => digest(payload(index))))
    expect(log.hardState).toEqual({ term: 2, vote: 1, commit: 1 })
    expect(log.cut).toMatchObject({ file: segment(1), offset: 2560 })
    await log.append({ entries: [payload(3)] })
    const again = await openLog(disk.crash('power', 1), identity, restart)
    expect([again.lastIndex, again.cut]).toEqual([3, undefined])
  })
})

describe('damage is never cut: refused, with file, offset, what it is and the way out', () => {
  test.each<[string, number, Change, string]>([
    ['a batch in the middle', 1536, flipped(2000), 'a later one behind it'],
    ['the header of a batch in the middle', 1536, flipped(1540), 'a later one behind it'],
    ['a batch in the middle that was lost', 1536, wiped(1536, 2560), 'a later one behind it'],
    ['the last batch', 2560, flipped(3200), 'written to its end'],
    ['the header of the last batch', 2560, flipped(2561), 'written to its end'],
    ['a mark of the last batch', 2560, flipped(3071), 'written to its end'],
    ['the last byte of all', 2560, flipped(3583), 'written to its end'],
    ['the header of the segment', 0, flipped(20), 'header'],
    ['the size of the file', 8000, (content) => content.subarray(0, 8000), '8000 bytes'],
  ])('%s', async (_, offset, change, what) => {
    const disk = changed(await threeBatches(), segment(1), change)
    const before = disk.content(segment(1))
    const { code, message, refusal } = await refusalOf(disk)
    expect([code, refusal?.repair, refusal?.place]).toMatchObject(['LOG_DAMAGED', 'peers', { file: segment(1), offset }])
    expect(refusal?.place?.what).toContain(what)
    expect(message).toContain(`${segment(1)}, offset ${offset}`)
    expect(message).toContain('add it again under a new member id')
    expect(disk.content(segment(1)).equals(before)).toBe(true)
  })

  test.each<[string, (disk: SimulatedDisk) => Promise<unknown> | unknown, string]>([
    ['a batch before a newer segment', (disk) => changed(disk, segment(4), wiped(7680, 8192)), 'missing'],
    ['a torn batch before a newer segment', (disk) => changed(disk, segment(4), wiped(7900, 8192)), 'newer segment'],
    ['a segment under another name', (disk) => disk.rename(segment(5), segment(6)), 'under another name'],
    ['a segment in the middle that is gone', (disk) => disk.remove(segment(4)), 'what is between is missing'],
    ['the snapshot’s header', (disk) => changed(disk, snapshot(30), flipped(30)), 'header'],
    ['the snapshot’s middle', (disk) => changed(disk, snapshot(30), flipped(300)), 'chunk'],
    ['the snapshot’s end', (disk) => changed(disk, snapshot(30), (content) => content.subarray(0, -1)), 'no end'],
    [
      'bytes behind the snapshot',
      (disk) => changed(disk, snapshot(30), (content) => Buffer.concat([content, content])),
      'behind its end',
    ],
    [
      'all segments, beside a snapshot',
      async (disk) => await Promise.all([1, 2, 3, 4, 5].map((n) => disk.remove(segment(n)))),
      'not one segment',
    ],
  ])('%s', async (_, damage, what) => {
    const disk = await longLog()
    await damage(disk)
    const { code, message } = await refusalOf(disk)
    expect(code).toBe('LOG_DAMAGED')
    expect(message).toContain(what)
  })

  test('a snapshot that is gone, when the log begins behind it', async () => {
    const disk = await longLog()
    const log = await openLog(disk, identity, restart)
    await log.compact(at(30))
    await log.close()
    await disk.remove(snapshot(30))
    expect((await refusalOf(disk)).message).toContain('the snapshot ends at 0: what is between is missing')
  })

  test('a stray bit behind the end harms nothing', async () => {
    for (const byte of [3584, 3590, 4095, 8191]) {
      const log = await openLog(changed(await threeBatches(), segment(1), flipped(byte)), identity, restart)
      expect(log.lastIndex).toBe(3)
    }
  })

  test('the refusal is a value, for a caller who repairs', async () => {
    const disk = changed(await threeBatches(), segment(1), flipped(3200))
    expect(await recover(disk, identity)).toMatchObject({ outcome: 'refused', refusal: { code: 'LOG_DAMAGED', repair: 'peers' } })
  })
})

describe('files that are not this member’s are refused, with the way out', () => {
  test.each([
    ['another cluster', { ...identity, clusterId: 'orders' }, 'Belongs to cluster "payments"', 'Correct the cluster id'],
    ['another member', { ...identity, memberId: 2 as MemberId }, 'Belongs to member 1, not to 2', 'Correct the member id'],
  ])('%s', async (_, as, what, wayOut) => {
    const { code, message } = await refusalOf(await threeBatches(), as)
    expect(code).toBe('LOG_FOREIGN')
    expect(message).toContain(what)
    expect(message).toContain(wayOut)
  })

  test('another version', async () => {
    const disk = await threeBatches()
    const { crc32 } = await import('node:zlib')
    changed(disk, segment(1), (content) => {
      content.writeUInt16LE(2, 12)
      content.writeUInt32LE(crc32(content.subarray(4, 511)), 0)
      return content
    })
    const { code, message } = await refusalOf(disk)
    expect(code).toBe('LOG_FOREIGN')
    expect(message).toContain('This version reads format 1')
  })

  test('an emptied disk under an old id', async () => {
    const { code, message } = await refusalOf(new SimulatedDisk())
    expect(code).toBe('LOG_MISSING')
    expect(message).toContain('it would forget its votes')
  })
})

describe('what an interrupted step leaves behind is put right', () => {
  test('temporary files and an older snapshot are removed, a stranger’s file is not', async () => {
    const disk = await longLog()
    for (const name of [`${segment(9)}.tmp`, `${snapshot(40)}.tmp`, 'lost+found']) disk.put(name, Buffer.from('x'))
    disk.put(snapshot(20), disk.content(snapshot(30)))
    const log = await openLog(disk, identity, restart)
    expect(log.snapshot?.index).toBe(30)
    expect(await snapshotBytes(log)).toBe(stateAt(30))
    const names = disk.names()
    expect(names.filter((name) => name.endsWith('.tmp') || name === snapshot(20))).toEqual([])
    expect(names).toContain('lost+found')
  })

  test('a removal that a power cut undid: the segment before the gap goes', async () => {
    const disk = await longLog()
    await disk.remove(segment(2))
    const log = await openLog(disk, identity, restart)
    expect([log.lastIndex, log.snapshot?.index]).toEqual([70, 30])
    expect(log.firstIndex).toBeLessThanOrEqual(31)
    expect(disk.names()).not.toContain(segment(1))
  })

  test('EIO while reading is no damage: the process ends, and nothing is decided', async () => {
    const disk = await threeBatches()
    disk.fail({ operation: 'read', code: 'EIO' })
    expect(await outcome(openLog(disk, identity, restart))).toBe('LOG_DEAD')
    expect((await openLog(disk, identity, restart)).lastIndex).toBe(3)
  })
})
