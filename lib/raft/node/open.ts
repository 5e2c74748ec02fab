import { type Configuration, decodeConfiguration, encodeConfiguration, NO_MEMBERS, union } from '../core/configuration.ts'
import { invariant } from '../core/invariant.ts'
import type { HardState, LogIndex, SnapshotMeta, Term } from '../entry.ts'
import type { RaftLog } from '../log/log.ts'
import { openLog } from '../log/open.ts'
import type { AppliedTo } from './applier.ts'
import { RaftNode } from './node.ts'
import { type NodeOptions, nodeSettings } from './options.ts'
import { ReplicatedState } from './replicated-state.ts'

/** The entry that founders pretend to have agreed on: who joins later has an empty log and needs the snapshot in its place. */
const FOUNDED_AT = 1 as LogIndex
const FOUNDED_IN = 1 as Term

/**
 * Starts a member: reads its log, restores the state from the last snapshot, and takes part in the group from then on.
 *
 * Throws `LogFailure` if what is on the disk can't be trusted; the message says what to do.
 */
export async function openNode(options: NodeOptions): Promise<RaftNode> {
  const { clusterId, id, disk, start } = options
  const emptyDisk = start === 'resume' ? 'refuse' : 'create'
  const log = await openLog(disk, { clusterId, memberId: id }, { ...options.log, emptyDisk })
  const state = new ReplicatedState(options.machine, nodeSettings(options))
  await state.restore([])
  if (start === 'found' && isFresh(log)) await found(log, state, options)
  const at = await restore(log, state)
  return new RaftNode(options, { log, state, at, hardState: log.hardState })
}

const isFresh = (log: RaftLog): boolean => log.snapshot === undefined && log.hardState.term === 0

async function found(log: RaftLog, state: ReplicatedState, { founders }: NodeOptions): Promise<void> {
  invariant(founders !== undefined && founders.length > 0, () => 'a group is founded without members')
  const configuration: Configuration = { ...NO_MEMBERS, voters: union(founders, []) }
  const meta: SnapshotMeta = { index: FOUNDED_AT, term: FOUNDED_IN, configuration: encodeConfiguration(configuration) }
  const hardState: HardState = { term: FOUNDED_IN, vote: 0, commit: FOUNDED_AT }
  await log.installSnapshot(meta, state.snapshot(), { hardState })
}

async function restore(log: RaftLog, state: ReplicatedState): Promise<AppliedTo> {
  const meta = log.snapshot
  if (!meta) return { index: 0 as LogIndex, configuration: NO_MEMBERS }
  await state.restore(log.readSnapshot())
  return { index: meta.index, configuration: decodeConfiguration(meta.configuration) }
}
