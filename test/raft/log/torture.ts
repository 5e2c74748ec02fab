import type { openLog } from '../../../lib/raft/log/open.ts'
import type { LogOptions } from '../../../lib/raft/log/options.ts'
import { mulberry32, SimulatedDisk } from '../../simulation/disk.ts'
import { digests, entry, hardState, identity, meta, slicesOf, snapshotBytes } from './sample.ts'

export const LOG_BYTES = 65_536
export const SEGMENT = 'segment-0000000000000001.log'
const options: LogOptions = { emptyDisk: 'create', segmentBytes: LOG_BYTES }

/** What was acknowledged when the log had grown to `end` bytes. */
export interface Acknowledged {
  readonly end: number
  readonly entries: readonly string[]
  readonly hardState: string
}

export interface Specimen {
  readonly content: Buffer
  /** After each batch; the first one is the empty log. */
  readonly history: readonly Acknowledged[]
}

/** A log of 64 KiB, nearly full: batches of all sizes, payloads of zeros, replaced suffixes, hard states. */
export async function specimen(open: typeof openLog): Promise<Specimen> {
  const random = mulberry32(64)
  const below = (limit: number): number => Math.floor(random() * limit)
  const disk = new SimulatedDisk()
  const log = await open(disk, identity, options)
  const state = (): Acknowledged => {
    const end = Math.max(512, endOf(disk.content(SEGMENT)))
    return { end, entries: digests(log), hardState: JSON.stringify(log.hardState) }
  }
  const history = [state()]
  for (let term = 1; ; term++) {
    const { commit } = log.hardState
    const first = Math.max(commit, log.lastIndex - below(3)) + 1
    const entries = Array.from({ length: below(4) }, (_, i) =>
      entry(first + i, term, Buffer.alloc(below(1200), below(2) && below(256))),
    )
    const committed = term % 5 === 0 ? Math.max(commit, first - 1) : commit
    await log.append({ entries, hardState: hardState(term, below(4), committed) })
    if (disk.names().includes('segment-0000000000000002.log')) break
    history.push(state())
  }
  return { content: disk.content(SEGMENT), history }
}

/** The batches' end: each ends in a mark. */
export function endOf(content: Buffer): number {
  let end = content.length
  while (content[end - 1] === 0) end--
  return end
}

export const acknowledgedAt = ({ history }: Specimen, end: number): Acknowledged =>
  history.findLast((state) => state.end <= end) as Acknowledged

export type Outcome = 'the exact prefix' | 'refused: repair from peers' | 'refused: no repair' | 'WRONG'

/** Opens a log of one segment and compares what it says with what was acknowledged. */
export async function openingOf(open: typeof openLog, content: Uint8Array, expected: Acknowledged): Promise<Outcome> {
  const disk = new SimulatedDisk()
  disk.put(SEGMENT, content)
  try {
    const log = await open(disk, identity, options)
    const same = JSON.stringify(log.hardState) === expected.hardState && digests(log).join() === expected.entries.join()
    return same ? 'the exact prefix' : 'WRONG'
  } catch (error) {
    return refusalOf(error)
  }
}

export function refusalOf(error: unknown): Outcome {
  const { refusal } = error as { refusal?: { repair: string; place?: { what: string } } }
  if (!refusal?.place) throw error
  return refusal.repair === 'peers' ? 'refused: repair from peers' : 'refused: no repair'
}

export function flipped(content: Buffer, bit: number): Buffer {
  const copy = Buffer.from(content)
  copy.writeUInt8(copy.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
  return copy
}

/** The part of the log in which a byte lies. */
export function regionOf({ history }: Specimen, byte: number): string {
  if (byte < 512) return 'segment header'
  const frame = history.find(({ end }) => byte < end)
  if (!frame) return 'unused'
  if (frame === history.at(-1)) return 'last batch'
  return byte % 512 === 511 ? 'marks' : 'other batches'
}

/** Disks with a snapshot: a log in two segments behind it. */
export async function snapshotSpecimen(open: typeof openLog): Promise<ReadonlyMap<string, Buffer>> {
  const disk = new SimulatedDisk()
  const log = await open(disk, identity, { ...options, segmentBytes: 4096, sliceBytes: 400 })
  for (let index = 1; index <= 12; index++) await log.append({ entries: [entry(index)], hardState: hardState(1, 1, index) })
  await log.createSnapshot(meta(11), slicesOf(11))
  await log.compact(meta(3).index)
  await log.close()
  return new Map(
    disk
      .names()
      .filter((name) => !name.endsWith('.tmp'))
      .map((name) => [name, disk.content(name)]),
  )
}

export async function openingOfAll(open: typeof openLog, files: ReadonlyMap<string, Buffer>, expected: string): Promise<Outcome> {
  const disk = new SimulatedDisk()
  for (const [name, content] of files) disk.put(name, content)
  try {
    return (await summary(open, disk)) === expected ? 'the exact prefix' : 'WRONG'
  } catch (error) {
    return refusalOf(error)
  }
}

/** Everything that a log says, in one line. */
export async function summary(open: typeof openLog, disk: SimulatedDisk): Promise<string> {
  const log = await open(disk, identity, { segmentBytes: 4096 })
  return [log.snapshot?.index, await snapshotBytes(log), JSON.stringify(log.hardState), log.lastIndex, ...digests(log)].join(' ')
}

export type Table = Map<string, Map<Outcome, number>>

export function note(table: Table, row: string, result: Outcome): void {
  const counts = table.get(row) ?? new Map<Outcome, number>()
  table.set(row, counts.set(result, (counts.get(result) ?? 0) + 1))
}

export function print(title: string, table: Table): void {
  const rows = [...table].map(([row, counts]) => [row, Object.fromEntries(counts)])
  console.log(title)
  console.table(Object.fromEntries(rows))
}

export const wrongIn = (table: Table): number => [...table.values()].reduce((sum, counts) => sum + (counts.get('WRONG') ?? 0), 0)
