import type { Configuration } from './configuration.ts'

/** A logical clock: at most one leader in each (thesis §3.3). */
export type Term = number & { readonly __brand: 'Term' }
/** A place in the log; the first entry has 1. */
export type LogIndex = number & { readonly __brand: 'LogIndex' }
export type NodeId = number & { readonly __brand: 'NodeId' }

/** No member: nobody voted for, no leader known. No member may have this id. */
export const NONE: NodeId = 0 as NodeId
/** Of messages that belong to no term: what clients ask, forwarded to the leader. */
export const NO_TERM: Term = 0 as Term
/** Before the first entry. */
export const ORIGIN: LogIndex = 0 as LogIndex

export const after = (index: LogIndex): LogIndex => (index + 1) as LogIndex
export const before = (index: LogIndex): LogIndex => (index - 1) as LogIndex

/** `conf-change` carries what `decodeConfChange` reads; `normal` is the state machine's, and empty for a leader's no-op. */
export type EntryKind = 'normal' | 'conf-change'

export interface Entry {
  readonly index: LogIndex
  readonly term: Term
  readonly kind: EntryKind
  readonly data: Uint8Array
}

/** Where a log ends, or where two logs are compared. */
export interface EntryId {
  readonly index: LogIndex
  readonly term: Term
}

/** What has to survive a crash besides the log (thesis §3.8). `commit` need not, but spares the restarted member a wait. */
export interface HardState {
  readonly term: Term
  /** Whom this member voted for in `term`, or `NONE`. */
  readonly vote: NodeId
  readonly commit: LogIndex
}

export const NO_HARD_STATE: HardState = Object.freeze({ term: NO_TERM, vote: NONE, commit: ORIGIN })

/** The state up to `index`, in place of the entries up to there. */
export interface Snapshot extends EntryId {
  readonly configuration: Configuration
  /** Opaque to the core: the state itself, or the name under which a transport fetches it. */
  readonly data: Uint8Array
}

export const NO_DATA: Uint8Array = new Uint8Array(0)

/** What an entry costs in memory and on the wire besides its data. It also makes empty entries count against a limit. */
const ENTRY_OVERHEAD_BYTES = 16

export const entryBytes = (entry: Entry): number => entry.data.length + ENTRY_OVERHEAD_BYTES

export function bytesOf(entries: readonly Entry[]): number {
  let bytes = 0
  for (const entry of entries) bytes += entryBytes(entry)
  return bytes
}

/** Without the overhead: a no-op and the automatic end of a joint configuration weigh nothing and so are never refused. */
export function dataBytesOf(entries: readonly { readonly data: Uint8Array }[]): number {
  let bytes = 0
  for (const entry of entries) bytes += entry.data.length
  return bytes
}

/** How many of `entries` fit into `maxBytes`; always at least one, or a large entry would be stuck for ever. */
export function fitting(entries: readonly Entry[], maxBytes: number): number {
  let bytes = 0
  for (let count = 0; count < entries.length; count++) {
    bytes += entryBytes(entries[count] as Entry)
    if (bytes > maxBytes && count > 0) return count
  }
  return entries.length
}
