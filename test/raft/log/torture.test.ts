import { describe, expect, test } from 'vitest'
import { openLog } from '../../../lib/raft/log/open.ts'
import { SimulatedDisk } from '../../simulation/disk.ts'
import {
  acknowledgedAt,
  flipped,
  LOG_BYTES,
  note,
  openingOf,
  openingOfAll,
  print,
  regionOf,
  snapshotSpecimen,
  specimen,
  summary,
  type Table,
  wrongIn,
} from './torture.ts'

/**
 * Every way to cut or flip a 64 KiB log, or, without `ALONCE_LONG=1`, a sample: strides that are prime, so that they
 * wander over bits, bytes and sectors.
 */
const long = process.env['ALONCE_LONG'] === '1'
const stride = (usual: number): number => (long ? 1 : usual)
const timeout = long ? 1_800_000 : 30_000

describe('a log of 64 KiB', () => {
  test('ends at any byte: the exact prefix of the batches that were written to their end', { timeout }, async () => {
    const log = await specimen(openLog)
    const table: Table = new Map()
    for (let at = 0; at <= LOG_BYTES; at += stride(61)) {
      const content = Buffer.from(log.content).fill(0, at)
      const row = at < 512 ? 'zeros from within the header on' : 'zeros from a byte behind it on'
      note(table, row, await openingOf(openLog, content, acknowledgedAt(log, Math.max(at, 512))))
    }
    if (long) print('A torn tail', table)
    const outcomes = [...table.values()].map((counts) => [...counts.keys()])
    expect(outcomes).toEqual([['refused: repair from peers'], ['the exact prefix']])
  })

  test('is cut short as a file: refused, since a segment has its size from the start', { timeout }, async () => {
    const log = await specimen(openLog)
    const table: Table = new Map()
    for (let at = 0; at < LOG_BYTES; at += stride(307))
      note(table, 'file ends at a byte', await openingOf(openLog, log.content.subarray(0, at), acknowledgedAt(log, LOG_BYTES)))
    if (long) print('A file that is too short', table)
    expect([...table.values()].map((counts) => [...counts.keys()])).toEqual([['refused: repair from peers']])
  })

  test('has a flipped bit: nothing acknowledged is wrong or missing, in the last batch either', { timeout }, async () => {
    const log = await specimen(openLog)
    const table: Table = new Map()
    for (let bit = 0; bit < LOG_BYTES * 8; bit += stride(307))
      note(table, regionOf(log, bit >> 3), await openingOf(openLog, flipped(log.content, bit), acknowledgedAt(log, LOG_BYTES)))
    if (long) print('A flipped bit', table)
    const outcomes = [...table].map(([region, counts]) => [region, ...counts.keys()])
    const refused = 'refused: repair from peers'
    expect(outcomes).toEqual([
      ['segment header', refused],
      ['other batches', refused],
      ['marks', refused],
      ['last batch', refused],
      ['unused', 'the exact prefix'],
    ])
  })

  test('has a flipped bit before a torn tail: a prefix that was acknowledged once, or a refusal', { timeout }, async () => {
    const log = await specimen(openLog)
    const table: Table = new Map()
    for (let bit = 4096; bit < LOG_BYTES * 8; bit += stride(1009) * (long ? 97 : 1)) {
      const tornAt = Math.min(LOG_BYTES, (bit >> 3) + 3000)
      const content = flipped(log.content, bit).fill(0, tornAt)
      note(table, 'flip, then torn', await openingOf(openLog, content, acknowledgedAt(log, tornAt)))
    }
    if (long) print('A flipped bit within 3,000 bytes before a torn tail', table)
    expect(wrongIn(table)).toBe(0)
  })
})

describe('two segments and a snapshot', () => {
  test('a flipped bit anywhere is refused, or harmless', { timeout }, async () => {
    const files = await snapshotSpecimen(openLog)
    const disk = new SimulatedDisk()
    for (const [name, content] of files) disk.put(name, content)
    const expected = await summary(openLog, disk)
    const table: Table = new Map()
    for (const [name, content] of files) {
      const bits = content.length * 8
      for (let bit = 0; bit < bits; bit += stride(53)) {
        const outcome = await openingOfAll(openLog, new Map(files).set(name, flipped(content, bit)), expected)
        note(table, name, outcome)
      }
    }
    if (long) print('A flipped bit in two segments and a snapshot', table)
    expect([...table.keys()].map((name) => name.split('-')[0])).toEqual(['segment', 'segment', 'snapshot'])
    expect(wrongIn(table)).toBe(0)
    expect([...(table.get('snapshot-0000000000000011.snap')?.keys() ?? [])]).toEqual(['refused: repair from peers'])
  })

  test('a snapshot that ends at any byte is refused', { timeout }, async () => {
    const files = await snapshotSpecimen(openLog)
    const name = 'snapshot-0000000000000011.snap'
    const content = files.get(name) ?? Buffer.alloc(0)
    const table: Table = new Map()
    for (let at = 0; at < content.length; at += stride(7))
      note(table, name, await openingOfAll(openLog, new Map(files).set(name, content.subarray(0, at)), ''))
    if (long) print('A snapshot that is too short', table)
    expect([...table.values()].map((counts) => [...counts.keys()])).toEqual([['refused: repair from peers']])
  })
})
