import type { Entry, HardState, LogIndex, MemberId, Snapshot } from './entry.ts'
import type { Message, MsgStorageAppend, MsgStorageApply } from './messages.ts'

export type Role = 'follower' | 'pre-candidate' | 'candidate' | 'leader'

/** What need not survive a crash. */
export interface SoftState {
  /** Whom this member takes for the leader; `NONE` for nobody. */
  readonly lead: MemberId
  readonly role: Role
}

/** The answer to a `readIndex`: a read of the state at `index` or later is linearizable. */
export interface ReadState {
  readonly context: number
  readonly index: LogIndex
}

/**
 * What a member has to do now. It is handed out once: whoever takes it has to carry it out.
 *
 * With synchronous storage, in this order:
 * 1. write `hardState`, `snapshot` and `entries`, as one step: after a crash either all of the write is there or, of the
 *    entries, a prefix; never entries without the hard state. Flush it if `mustSync`. Entries replace whatever the log has
 *    from their first index on; a snapshot replaces all of it.
 * 2. only then send `messages`: a vote or an acknowledgement that a crash could undo breaks the protocol (thesis §3.8).
 * 3. restore `snapshot`, then apply `committedEntries`, in order; call `applyConfChange` for each that is a configuration change.
 * 4. call `advance()`. There is no next Ready before.
 * `readStates` may be served once everything up to their index has been applied.
 *
 * With asynchronous storage (`asyncStorageWrites`) nothing waits:
 * 1. send `messages` at once: none of them depends on anything in this Ready.
 * 2. hand `storageAppend` to the log and `storageApply` to the state machine. Each takes its messages strictly in order; both
 *    may lag by any number of Readys. The responses that they carry are delivered when the work is done, not before. A
 *    snapshot is restored before the responses to its write are delivered. It overtakes what waits to be applied: entries
 *    that it includes are skipped then.
 * 3. never call `advance()`. `hardState`, `snapshot`, `entries` and `committedEntries` only repeat what those two say.
 */
export interface Ready {
  /** If it changed. */
  readonly softState: SoftState | undefined
  readonly readStates: readonly ReadState[]
  /** If it changed. */
  readonly hardState: HardState | undefined
  readonly snapshot: Snapshot | undefined
  readonly entries: readonly Entry[]
  /** Whether the write has to be flushed. Not for a new commit index alone: it can be found out again. */
  readonly mustSync: boolean
  readonly committedEntries: readonly Entry[]
  readonly messages: readonly Message[]
  readonly storageAppend: MsgStorageAppend | undefined
  readonly storageApply: MsgStorageApply | undefined
}
