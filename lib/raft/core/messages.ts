import type { Entry, EntryKind, HardState, LogIndex, MemberId, Snapshot, Term } from './entry.ts'

/** What members say to each other. The fields bear the names of the paper's figure 2 where it has them. */
export type Message =
  | MsgApp
  | MsgAppResp
  | MsgVote
  | MsgVoteResp
  | MsgHeartbeat
  | MsgHeartbeatResp
  | MsgSnap
  | MsgTimeoutNow
  | MsgProp
  | MsgReadIndex
  | MsgReadIndexResp
  | MsgTransferLeader

export interface Envelope {
  readonly from: MemberId
  readonly to: MemberId
  /** The sender's term; of a `MsgPreVote` and its grant the term that the candidate would have; 0 of a forwarded request. */
  readonly term: Term
}

/** AppendEntries: the entries that follow `prevLogIndex`. Without entries it probes, or tells the commit index. */
export interface MsgApp extends Envelope {
  readonly type: 'MsgApp'
  readonly prevLogIndex: LogIndex
  readonly prevLogTerm: Term
  readonly entries: readonly Entry[]
  readonly commit: LogIndex
}

/** Granted: the logs agree up to `index`, and that part is durable. Refused: they do not agree at `index`. */
export interface MsgAppResp extends Envelope {
  readonly type: 'MsgAppResp'
  readonly index: LogIndex
  readonly reject: boolean
  /** If refused: the highest place at which they can agree, and the follower's term there (0 for unknown). */
  readonly hintIndex: LogIndex
  readonly hintTerm: Term
}

/** The last entry that the sender knows to be committed; see `learnCommit`. */
export interface CommitProof {
  readonly commit: LogIndex
  readonly commitTerm: Term
}

/** RequestVote, and the question before it whether one would be granted (thesis §9.6). */
export interface MsgVote extends Envelope, CommitProof {
  readonly type: 'MsgVote' | 'MsgPreVote'
  readonly lastLogIndex: LogIndex
  readonly lastLogTerm: Term
  /** The leader itself asked for this election (thesis §3.10): its being alive is no reason to refuse. */
  readonly transfer: boolean
}

export interface MsgVoteResp extends Envelope, CommitProof {
  readonly type: 'MsgVoteResp' | 'MsgPreVoteResp'
  readonly reject: boolean
}

/** Keeps a follower from standing for election. `commit` is never beyond what the follower is known to hold. */
export interface MsgHeartbeat extends Envelope {
  readonly type: 'MsgHeartbeat'
  readonly commit: LogIndex
  /** The latest round of read confirmation (read-index.ts); 0 for none. */
  readonly round: number
}

export interface MsgHeartbeatResp extends Envelope {
  readonly type: 'MsgHeartbeatResp'
  readonly round: number
}

/** InstallSnapshot, in one piece: how its data travels is the transport's affair. */
export interface MsgSnap extends Envelope {
  readonly type: 'MsgSnap'
  readonly snapshot: Snapshot
}

/** "Stand for election now": the last step of a leadership transfer. */
export interface MsgTimeoutNow extends Envelope {
  readonly type: 'MsgTimeoutNow'
}

export interface ProposedEntry {
  readonly kind: EntryKind
  readonly data: Uint8Array
}

/** A proposal that a follower passes on. */
export interface MsgProp extends Envelope {
  readonly type: 'MsgProp'
  readonly entries: readonly ProposedEntry[]
}

/** A follower's question at which index a read is safe. `context` is the follower's, and comes back with the answer. */
export interface MsgReadIndex extends Envelope {
  readonly type: 'MsgReadIndex'
  readonly context: number
}

export interface MsgReadIndexResp extends Envelope {
  readonly type: 'MsgReadIndexResp'
  readonly context: number
  readonly index: LogIndex
}

/** A wish to transfer leadership that a follower passes on. */
export interface MsgTransferLeader extends Envelope {
  readonly type: 'MsgTransferLeader'
  readonly transferee: MemberId
}

/**
 * To the member's own log: "write this, make it durable, then deliver the responses" (with asynchronous storage only).
 *
 * The order of these messages is the order of the writes, and each may replace entries of an earlier one: one that begins at
 * an index that exists already cuts the log there first. The hard state is durable no later than the entries.
 */
export interface MsgStorageAppend {
  readonly type: 'MsgStorageAppend'
  readonly from: MemberId
  readonly hardState: HardState | undefined
  readonly snapshot: Snapshot | undefined
  readonly entries: readonly Entry[]
  /**
   * Whether it has to be flushed before the responses are delivered. If not, a change of the commit index is all there is.
   * Responses still wait for the writes before: writes take effect in order.
   */
  readonly mustSync: boolean
  /** In this order, to other members or to this one; those to itself go to `step`. */
  readonly responses: readonly (Message | MsgStorageAppendResp)[]
}

/** "Everything up to (`index`, `logTerm`) is durable, and so is the snapshot." */
export interface MsgStorageAppendResp {
  readonly type: 'MsgStorageAppendResp'
  readonly to: MemberId
  /** The term at the time of the request. In a later term the entries may have been replaced since: see stable.ts. */
  readonly term: Term
  /** 0 if it is about a snapshot only. */
  readonly index: LogIndex
  readonly logTerm: Term
  /** The one that is installed now. */
  readonly snapshot: Snapshot | undefined
}

/** To the member's own state machine: "apply these, in this order, then deliver the response" (asynchronous storage only). */
export interface MsgStorageApply {
  readonly type: 'MsgStorageApply'
  readonly from: MemberId
  readonly entries: readonly Entry[]
  readonly responses: readonly MsgStorageApplyResp[]
}

export interface MsgStorageApplyResp {
  readonly type: 'MsgStorageApplyResp'
  readonly to: MemberId
  readonly entries: readonly Entry[]
}

/** What a member's own storage answers. */
export type StorageResponse = MsgStorageAppendResp | MsgStorageApplyResp
