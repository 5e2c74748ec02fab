/**
 * What the protocol, the log and the node say to each other: plain, immutable values.
 *
 * Terms and indexes are whole numbers below 2^53 and start at 1; 0 means "none yet".
 */
export type Term = number & { readonly __brand: 'Term' }
export type LogIndex = number & { readonly __brand: 'LogIndex' }
/** A member's id: a whole number from 1 to 2^53 - 1, never given twice in a cluster's life. */
export type MemberId = number & { readonly __brand: 'MemberId' }

/** Their order is part of the log's format: add at the end only. */
export const ENTRY_KINDS = ['normal', 'conf-change', 'conf-change-v2'] as const
export type EntryKind = (typeof ENTRY_KINDS)[number]

export interface Entry {
  readonly term: Term
  readonly index: LogIndex
  readonly kind: EntryKind
  readonly data: Uint8Array
}

/** What a member must not forget (Raft, Figure 2): durable before a vote or an acknowledgement leaves. */
export interface HardState {
  readonly term: Term
  /** Whom this member voted for in `term`; 0 for nobody. */
  readonly vote: MemberId | 0
  /** Not needed for safety, kept so that a restart applies at once what was known to be committed. */
  readonly commit: LogIndex
}

/** What a snapshot stands for: everything up to `index`, and who was a member then. */
export interface SnapshotMeta {
  readonly index: LogIndex
  readonly term: Term
  /** The membership at `index`, encoded by the protocol; the log keeps it as it is. */
  readonly configuration: Uint8Array
}
