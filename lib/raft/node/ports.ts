import type { Configuration } from '../core/configuration.ts'
import type { Message } from '../core/messages.ts'
import type { Entry, LogIndex, MemberId, Term } from '../entry.ts'
import type { VersionAnswer, VersionQuestion } from './versions.ts'

/** What a node needs of the outside, besides the `Disk` of its log. Each port has a simulated twin. */

/** What members say to each other: the protocol's messages, with snapshots cut into parts, and which versions they know. */
export type PeerMessage = Message | SnapshotPart | SnapshotPartResp | VersionQuestion | VersionAnswer

/** A piece of a snapshot. The next one follows when this one was taken. */
export interface SnapshotPart {
  readonly type: 'SnapshotPart'
  readonly from: MemberId
  readonly to: MemberId
  /** The sending leader's. */
  readonly term: Term
  /** Of this sending; never used twice. */
  readonly transfer: number
  /** 0 for the first piece. */
  readonly place: number
  readonly isLast: boolean
  readonly index: LogIndex
  readonly snapshotTerm: Term
  readonly configuration: Configuration
  readonly data: Uint8Array
}

/** `taken` pieces have arrived: it is also the place of the one that is wanted. */
export interface SnapshotPartResp {
  readonly type: 'SnapshotPartResp'
  readonly from: MemberId
  readonly to: MemberId
  readonly transfer: number
  readonly taken: number
}

/** May lose, repeat and reorder; must not throw and must not wait. It must not deliver to this node before `send` returns. */
export interface Network {
  send(message: PeerMessage): void
}

export interface Loop {
  /** Runs `work` once, soon, but after everything that has arrived by then: what arrives in between shares one batch. */
  soon(work: () => void): void
  /** Returns what ends it. */
  every(ms: number, work: () => void): () => void
}

/** Milliseconds since some moment; never backwards. No wall clock has a say here. */
export interface MonotonicClock {
  monotonic(): number
}

/** Uniform in [0, 1): spreads elections, and keeps numbers of one process apart from those of the next. */
export interface Fraction {
  fraction(): number
}

/**
 * What is replicated. Everything here is deterministic: it depends on the commands, their order and their time alone, so that
 * every member, and every replay, comes to the same state. It must not throw: a throw stops the member.
 */
export interface StateMachine {
  /** Cluster time goes on, never backwards; called before the commands of a batch, or alone. What is due by now is done. */
  advanceTo(timeMs: number): void
  /** When `advanceTo` has something to do without a command; `undefined` for never. */
  dueAtMs(): number | undefined
  apply(command: Uint8Array, moment: ApplyMoment): Uint8Array
  /** The state as it is at the call, in pieces of bounded size that are made one at a time while `apply` goes on. */
  snapshot(): Iterable<Uint8Array>
  /** Replaces the state: by what `snapshot` gave, in the same pieces; by the first state of all if there is none. */
  restore(pieces: AsyncIterable<Uint8Array>): Promise<void>
}

export interface ApplyMoment {
  /** Cluster time in whole milliseconds: the only time by which anything may expire. */
  readonly timeMs: number
  /** Of the transitions: the one in force at this entry, which may be older than the program's newest. */
  readonly version: number
}

/** What happens inside, for health and for those who examine: in the order in which it happens. */
export interface NodeObserver {
  applied?(entry: Entry): void
  restored?(index: LogIndex): void
  snapshotTaken?(index: LogIndex): void
  /** The log was found full (and later not any more). */
  full?(isFull: boolean): void
}
