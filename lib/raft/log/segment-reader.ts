import { asBuffer } from './bytes.ts'
import type { Disk } from './disk.ts'
import { damaged, type Place, type Refusal } from './failure.ts'
import { segmentName } from './file-names.ts'
import { decide, isBatch, look } from './frame-table.ts'
import { foreignness, type Identity } from './identity.ts'
import type { Batch } from './records.ts'
import { SECTOR } from './sectors.ts'
import { decodeSegmentHeader, type SegmentHeader } from './segment-header.ts'

/** A segment as it lies on the disk, its header believed. */
export interface Segment {
  readonly name: string
  readonly header: SegmentHeader
  readonly bytes: Buffer
}

/** Where a segment's frames end. */
export interface SegmentEnd {
  readonly sector: number
  readonly chain: number
  /** The last frame, to be written once more (`settle.ts`). */
  readonly lastFrame: { readonly sector: number; readonly bytes: Buffer } | undefined
  /** What an interrupted write left behind the end. */
  readonly cut: Place | undefined
}

export const isRefusal = (value: object): value is Refusal => 'wayOut' in value

/** The header's own decision table: a segment gets its name only after header and size are durable, so it can't be torn. */
export async function readSegment(disk: Disk, identity: Identity, sequence: number): Promise<Segment | Refusal> {
  const name = segmentName(sequence)
  const bytes = await readWholeFile(disk, name)
  const header = decodeSegmentHeader(bytes)
  if (header === 'damaged') return damaged(name, 0, 'The header is not what was written')
  const refusal = foreignness(header, identity, { file: name, offset: 0 })
  if (refusal || header === 'other version') return refusal ?? damaged(name, 0, 'The header is of an unknown version')
  if (header.sequence !== sequence) return damaged(name, 0, `The file is segment ${header.sequence} under another name`)
  if (header.sectors * SECTOR !== bytes.length)
    return damaged(name, bytes.length, `The file has ${bytes.length} bytes, it was made with ${header.sectors * SECTOR}`)
  return { name, header, bytes }
}

/** Hands each batch to `apply`, which may say what is wrong with it, up to the segment's end. */
export function readFrames(
  { name, header, bytes }: Segment,
  laterSegment: boolean,
  apply: (batch: Batch) => string | undefined,
): SegmentEnd | Refusal {
  let [sector, chain] = [1, header.seed]
  let lastFrame: SegmentEnd['lastFrame']
  while (sector < header.sectors) {
    const place = { file: name, offset: sector * SECTOR }
    const seen = look({ segment: bytes, sector, seed: header.seed, chain, laterSegment })
    const row = decide(seen)
    if (row.verdict === 'refuse') return damaged(place.file, place.offset, `Found ${row.found}`)
    if (row.verdict === 'end') break
    if (row.verdict === 'cut') {
      return { sector, chain, lastFrame, cut: { ...place, what: `Found ${row.found}` } }
    }
    const problem = isBatch(seen.frame) ? apply(seen.frame) : 'No batch'
    if (problem || !seen.header) return damaged(place.file, place.offset, problem ?? 'No header')
    const next = sector + seen.header.sectors
    lastFrame = { sector, bytes: bytes.subarray(place.offset, next * SECTOR) }
    ;[sector, chain] = [next, seen.header.chain]
  }
  return { sector, chain, lastFrame, cut: undefined }
}

async function readWholeFile(disk: Disk, name: string): Promise<Buffer> {
  const file = await disk.open(name)
  try {
    return asBuffer(await file.read(0, await file.size()))
  } finally {
    await file.close()
  }
}
