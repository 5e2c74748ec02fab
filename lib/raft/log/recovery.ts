import type { Disk } from './disk.ts'
import { damaged, isLogFailure, type Refusal } from './failure.ts'
import { type Listing, segmentName, snapshotName, sortListing } from './file-names.ts'
import type { Identity } from './identity.ts'
import { type Joined, Replay } from './replay.ts'
import { isRefusal, readFrames, readSegment, type Segment, type SegmentEnd } from './segment-reader.ts'
import type { SnapshotHeader } from './snapshot-format.ts'
import { readChunks, readSnapshotHeader } from './snapshot-reader.ts'

/** What the files say; nothing was changed yet. */
export interface Recovered extends Joined {
  readonly snapshot: SnapshotHeader | undefined
  /** Those in force, oldest first, with the highest index of an entry in each. */
  readonly segments: readonly SegmentSpan[]
  readonly last: Segment
  readonly end: SegmentEnd
  /** Files that an interrupted creation, installation or compaction left behind. */
  readonly leftovers: readonly string[]
}

export interface SegmentSpan {
  readonly sequence: number
  readonly highest: number
}

export type Recovery =
  | { readonly outcome: 'empty' }
  | { readonly outcome: 'refused'; readonly refusal: Refusal }
  | { readonly outcome: 'recovered'; readonly state: Recovered }

/**
 * Reads everything and decides, without a change to the disk:
 *
 * | found | then |
 * |---|---|
 * | no segment, no snapshot | `empty`: the caller says whether it may be |
 * | no segment, but a snapshot | refuse: damaged |
 * | a header that is not what was written, another size or name | refuse: damaged |
 * | another version, cluster or member | refuse: foreign |
 * | a bad batch | see `FRAME_TABLE` |
 * | a segment that does not continue the one before | refuse: damaged |
 * | a gap between segments, and what follows it is connected to the snapshot | a compaction's leftovers: remove |
 * | the newest snapshot is not what was written | refuse: damaged; never fall back to an older one |
 * | a gap between snapshot and log, or a log that ends before a commit that was noted | refuse: damaged |
 * | temporary files, older snapshots | remove |
 */
export async function recover(disk: Disk, identity: Identity): Promise<Recovery> {
  const listing = sortListing(await disk.list())
  if (listing.segments.length === 0 && listing.snapshots.length === 0) return { outcome: 'empty' }
  const state = await readAll(disk, identity, listing)
  return isRefusal(state) ? { outcome: 'refused', refusal: state } : { outcome: 'recovered', state }
}

async function readAll(disk: Disk, identity: Identity, listing: Listing): Promise<Recovered | Refusal> {
  const snapshot = await newestSnapshot(disk, identity, listing)
  if (snapshot && isRefusal(snapshot)) return snapshot
  const log = await readLog(disk, identity, contiguousTail(listing.segments))
  if (isRefusal(log)) return log
  const joined = log.replay.finish(snapshot?.meta)
  if (typeof joined === 'string') return damaged(log.last.name, 0, joined)
  return { ...log, ...joined, snapshot, leftovers: leftovers(listing, log.segments[0]?.sequence ?? 0) }
}

async function newestSnapshot(disk: Disk, identity: Identity, listing: Listing): Promise<SnapshotHeader | Refusal | undefined> {
  const index = listing.snapshots.at(-1)
  if (index === undefined) return undefined
  const header = await readSnapshotHeader(disk, identity, index)
  if (isRefusal(header)) return header
  try {
    for await (const chunk of readChunks(disk, header)) void chunk
  } catch (error) {
    if (isLogFailure(error, 'LOG_DAMAGED') && error.refusal) return error.refusal
    throw error
  }
  return header
}

interface ReadLog {
  readonly replay: Replay
  readonly segments: readonly SegmentSpan[]
  readonly last: Segment
  readonly end: SegmentEnd
}

async function readLog(disk: Disk, identity: Identity, sequences: readonly number[]): Promise<ReadLog | Refusal> {
  let replay: Replay | undefined
  let last: Segment | undefined
  let end: SegmentEnd | undefined
  const segments: SegmentSpan[] = []
  for (const sequence of sequences) {
    const segment: Segment | Refusal = await readSegment(disk, identity, sequence)
    if (isRefusal(segment)) return segment
    if (end && end.chain !== segment.header.before)
      return damaged(segment.name, 0, 'The segment does not continue the one before: batches at its end are missing')
    const current: Replay = replay ?? new Replay(segment.header)
    let highest = segment.header.nextIndex - 1
    const found = readFrames(segment, sequence !== sequences.at(-1), (batch) => {
      highest = Math.max(highest, batch.base?.index ?? 0, batch.entries.at(-1)?.index ?? 0)
      return current.apply(batch)
    })
    if (isRefusal(found)) return found
    segments.push({ sequence, highest })
    ;[replay, last, end] = [current, segment, found]
  }
  if (!replay || !last || !end) return damaged(segmentName(1), 0, 'There is a snapshot, but not one segment of the log')
  return { replay, segments, last, end }
}

/** The last run without a gap. Compaction removes from the oldest on, but a power cut may undo any of its removals. */
function contiguousTail(sequences: readonly number[]): readonly number[] {
  const lastGap = sequences.findLastIndex((sequence, i) => i > 0 && sequences[i - 1] !== sequence - 1)
  return sequences.slice(Math.max(lastGap, 0))
}

function leftovers(listing: Listing, firstSegment: number): readonly string[] {
  return [
    ...listing.temporaries,
    ...listing.segments.filter((sequence) => sequence < firstSegment).map(segmentName),
    ...listing.snapshots.slice(0, -1).map(snapshotName),
  ]
}
