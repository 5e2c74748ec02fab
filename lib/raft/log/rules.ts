import type { HardState, LogIndex, SnapshotMeta } from '../entry.ts'
import { demand } from './failure.ts'
import { MAX_FRAME_BYTES } from './frame.ts'
import { type Batch, encodedBytes } from './records.ts'
import { gapIn } from './replay.ts'
import { MAX_CONFIGURATION_BYTES } from './snapshot-format.ts'

/** The log as it is when a batch's turn has come. */
export interface Standing {
  readonly lastIndex: LogIndex
  readonly hardState: HardState
  readonly snapshotIndex: LogIndex
}

/** What no correct member ever asks of its log. Checked in production too: once on the disk it is too late. */
export function demandLawful(batch: Batch, { lastIndex, hardState, snapshotIndex }: Standing): void {
  const bytes = encodedBytes(batch)
  demand(bytes <= MAX_FRAME_BYTES, () => `a batch of ${bytes} bytes; ${MAX_FRAME_BYTES} is the most`)
  const gap = gapIn(batch.entries, lastIndex)
  demand(!gap, () => gap ?? '')
  const first = batch.entries[0]
  const kept = Math.max(hardState.commit, snapshotIndex)
  demand(!first || first.index > kept, () => `entry ${first?.index} replaces one that is committed (up to ${kept})`)
  const last = batch.entries.at(-1)?.index ?? lastIndex
  if (batch.hardState) demandForward(hardState, batch.hardState, last)
}

function demandForward(from: HardState, to: HardState, lastIndex: LogIndex): void {
  demand(to.term >= from.term, () => `the term goes back from ${from.term} to ${to.term}`)
  demand(to.term > from.term || from.vote === 0 || to.vote === from.vote, () => `a second vote in term ${to.term}`)
  demand(to.commit >= from.commit, () => `the commit goes back from ${from.commit} to ${to.commit}`)
  demand(to.commit <= lastIndex, () => `commit ${to.commit} is behind the last entry, ${lastIndex}`)
}

export function demandNewer(meta: SnapshotMeta, than: SnapshotMeta | undefined): void {
  const bytes = meta.configuration.length
  demand(bytes <= MAX_CONFIGURATION_BYTES, () => `a configuration of ${bytes} bytes; ${MAX_CONFIGURATION_BYTES} is the most`)
  demand(meta.index > (than?.index ?? 0), () => `a snapshot at ${meta.index}, but there is one at ${than?.index}`)
}
