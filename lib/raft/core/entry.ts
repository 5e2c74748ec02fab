import type { Entry, HardState, LogIndex, MemberId, Term } from '../entry.ts'
import type { Configuration } from './configuration.ts'

export type { Entry, EntryKind, HardState, LogIndex, MemberId, Term } from '../entry.ts'

/** No member: nobody voted for, no leader known. No member may have this id. */
export const NONE: MemberId = 0 as MemberId
/** Of messages that belong to no term: what clients ask, forwarded to the leader. */
export const NO_TERM: Term = 0 as Term
/** Before the first entry. */
export const ORIGIN: LogIndex = 0 as LogIndex
export const NO_DATA: Uint8Array = new Uint8Array(0)
/** Of a member that starts for the first time. */
export const NO_HARD_STATE: HardState = Object.freeze({ term: NO_TERM, vote: 0, commit: ORIGIN })

export const after = (index: LogIndex): LogIndex => (index + 1) as LogIndex
export const before = (index: LogIndex): LogIndex => (index - 1) as LogIndex

/** Where a log ends, or where two logs are compared. */
export interface EntryId {
  readonly term: Term
  readonly index: LogIndex
}

/** The state up to `index`, in place of the entries up to there. */
export interface Snapshot extends EntryId {
  readonly configuration: Configuration
  /** Opaque to the core: the state itself, or the name under which a transport fetches it. */
  readonly data: Uint8Array
}

export const isConfChange = (entry: Pick<Entry, 'kind'>): boolean => entry.kind !== 'normal'

/** What an entry costs in memory and on the wire besides its data. It also makes empty entries count against a limit. */
const ENTRY_OVERHEAD_BYTES = 16

export const entryBytes = (entry: Entry): number => entry.data.length + ENTRY_OVERHEAD_BYTES

export function bytesOf(entries: readonly Entry[]): number {
  let bytes = 0
  for (const entry of entries) bytes += entryBytes(entry)
  return bytes
}

/** Without the overhead: a no-op and the automatic end of a joint configuration weigh nothing and so are never refused. */
export function dataBytesOf(entries: readonly Pick<Entry, 'data'>[]): number {
  let bytes = 0
  for (const entry of entries) bytes += entry.data.length
  return bytes
}

/** How many of `entries` fit into `maxBytes`; always at least one, or a large entry would be stuck for ever. */
export function fitting(entries: readonly Entry[], maxBytes: number): number {
  let bytes = 0
  let count = 0
  for (const entry of entries) {
    bytes += entryBytes(entry)
    if (bytes > maxBytes && count > 0) break
    count++
  }
  return count
}
