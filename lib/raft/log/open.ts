import type { LogIndex } from '../entry.ts'
import type { Disk } from './disk.ts'
import { failStop } from './fail-stop.ts'
import { missing, refused } from './failure.ts'
import { sortListing } from './file-names.ts'
import type { Identity } from './identity.ts'
import { RaftLog } from './log.ts'
import { type LogOptions, type Settings, settingsOf } from './options.ts'
import { type Recovered, recover } from './recovery.ts'
import { FRESH } from './replay.ts'
import { SECTOR } from './sectors.ts'
import { beginSegment, SegmentWriter, type WritePosition } from './segment-writer.ts'
import { settle } from './settle.ts'
import { Snapshots } from './snapshots.ts'
import { makeZeros } from './spare-segment.ts'
import { LogWindow } from './window.ts'

/**
 * Opens a member's log: reads everything, decides (`recovery.ts`), makes durable what it will act on (`settle.ts`).
 *
 * Throws `LogFailure`: `LOG_DAMAGED`, `LOG_FOREIGN` and `LOG_MISSING` leave the disk as it was.
 *
 * @example
 * const log = await openLog(disk, { clusterId, memberId }, { emptyDisk: firstStart ? 'create' : 'refuse' })
 * await log.append({ entries, hardState }) // then send, then acknowledge
 */
export async function openLog(disk: Disk, identity: Identity, options: LogOptions = {}): Promise<RaftLog> {
  const settings = settingsOf(identity, options)
  const safe = failStop(disk)
  const recovery = await recover(safe, identity)
  if (recovery.outcome === 'refused') throw refused(recovery.refusal)
  if (recovery.outcome === 'recovered') return await resume(safe, { identity, ...settings }, recovery.state)
  if (settings.emptyDisk === 'refuse') throw refused(missing)
  return await found(safe, { identity, ...settings })
}

type OwnSettings = Settings & { readonly identity: Identity }

async function found(disk: Disk, settings: OwnSettings): Promise<RaftLog> {
  for (const name of sortListing(await disk.list()).temporaries) await disk.remove(name)
  const file = await makeZeros(disk, 1, Math.floor(settings.segmentBytes / SECTOR))
  const head = { nextIndex: 1 as LogIndex, hardState: FRESH }
  const at = await beginSegment(disk, { ...settings, ...head, sequence: 1, before: 0 }, file)
  return new RaftLog({
    disk,
    window: new LogWindow(),
    hardState: FRESH,
    snapshots: new Snapshots(disk, settings, undefined),
    writer: new SegmentWriter(disk, settings, at),
    segments: [{ sequence: 1, highest: 0 }],
    cut: undefined,
  })
}

async function resume(disk: Disk, settings: OwnSettings, state: Recovered): Promise<RaftLog> {
  const file = await settle(disk, state)
  const { sequence, sectors, seed } = state.last.header
  const at: WritePosition = { file, sequence, sectors, seed, chain: state.end.chain, sector: state.end.sector }
  const log = new RaftLog({
    disk,
    window: state.window,
    hardState: state.hardState,
    snapshots: new Snapshots(disk, settings, state.snapshot),
    writer: new SegmentWriter(disk, settings, at),
    segments: state.segments,
    cut: state.end.cut,
  })
  if (state.installing && state.snapshot) await log.installSnapshot(state.snapshot.meta, [])
  return log
}
