import { type FrameHeader, headerAt, readFrame } from './frame.ts'
import type { Batch } from './records.ts'
import { SECTOR, stateOf, usedSectors } from './sectors.ts'

/** What is seen at the place where a frame ends and the next one would begin. */
export interface Found {
  /** A header whose sum is right. */
  readonly header: FrameHeader | undefined
  /** Whether it continues the chain. */
  readonly chained: boolean
  /** The frame's records; without a header, what the marks say of the one sector that is known to be its. */
  readonly frame: Batch | 'unwritten' | 'damaged'
  /** Only zeros from here to the segment's end. */
  readonly blank: boolean
  /** A header further on, in this segment: writing it began after this frame had become durable. */
  readonly laterFrame: boolean
  /** Made after all frames of this one had become durable. */
  readonly laterSegment: boolean
}

/**
 * - `take`: it is the next batch;
 * - `end`: the log ends here, as it was left;
 * - `cut`: the log ends here; what lies behind is of one write that was interrupted, so nobody was told that it is durable;
 * - `refuse`: what is missing may have been acknowledged.
 */
export type Verdict = 'take' | 'end' | 'cut' | 'refuse'

export interface Row {
  readonly found: string
  readonly when: (seen: Found) => boolean
  readonly verdict: Verdict
}

/**
 * The decision table of recovery, for one place in a segment: the first row that fits.
 *
 * Its premise is the writer's order: a frame is written only after the one before is durable. So at most the last frame can be
 * torn, and anything that began later, a frame or a segment, proves that the bad one was durable once. If nothing began later,
 * the sectors' marks decide (`sectors.ts`).
 *
 * What it can't see, because the disk looks as it would after an earlier power cut: sectors of the very last frame that the
 * disk has turned back into zeros, and the loss of the whole last frame, or of the newest segment with all that is in it.
 * Peers notice; a cluster of one does not.
 */
export const FRAME_TABLE: readonly Row[] = [
  { found: 'the next batch', when: (seen) => seen.chained && isBatch(seen.frame), verdict: 'take' },
  { found: 'zeros to the end', when: (seen) => seen.blank, verdict: 'end' },
  { found: 'a batch of another chain', when: (seen) => seen.header !== undefined && !seen.chained, verdict: 'refuse' },
  { found: 'a bad batch, and a later one behind it', when: (seen) => seen.laterFrame, verdict: 'refuse' },
  { found: 'a bad batch, and a newer segment', when: (seen) => seen.laterSegment, verdict: 'refuse' },
  {
    found: 'a batch that was written to its end and is not what was written',
    when: (seen) => seen.frame === 'damaged',
    verdict: 'refuse',
  },
  { found: 'a batch that was not written to its end', when: () => true, verdict: 'cut' },
]

export const isBatch = (frame: Found['frame']): frame is Batch => typeof frame === 'object'

export function decide(seen: Found): Row {
  const row = FRAME_TABLE.find(({ when }) => when(seen))
  if (!row) throw new Error('The last row fits everything.')
  return row
}

export interface Spot {
  readonly segment: Buffer
  readonly sector: number
  readonly seed: number
  readonly chain: number
  readonly laterSegment: boolean
}

export function look({ segment, sector, seed, chain, laterSegment }: Spot): Found {
  const header = headerAt(segment, sector, seed)
  const chained = header?.before === chain
  const frame = header ? readFrame(segment, header) : markOf(segment, sector)
  if (chained && isBatch(frame)) return { header, chained, frame, blank: false, laterFrame: false, laterSegment }
  const blank = usedSectors(segment.subarray(sector * SECTOR)) === 0
  const laterFrame = !blank && anyHeader(segment, sector + (header?.sectors ?? 1), seed)
  return { header, chained, frame, blank, laterFrame, laterSegment }
}

/** A sector with its mark and without a header was written to its end, and its header has been damaged since. */
function markOf(segment: Buffer, sector: number): 'unwritten' | 'damaged' {
  return stateOf(segment.subarray(sector * SECTOR, (sector + 1) * SECTOR)) === 'unwritten' ? 'unwritten' : 'damaged'
}

/** A sector in the middle of a frame passes for a header once in 2^32: then we refuse where we could have cut. */
function anyHeader(segment: Buffer, from: number, seed: number): boolean {
  for (let sector = from; sector < segment.length / SECTOR; sector++) if (headerAt(segment, sector, seed)) return true
  return false
}
