import type { Crashed, Fence, Holder, RecordKey, StoredResult } from './record.ts'

/**
 * All that can be asked of a record. Each command names its `key` and its `owner`: an unguessable id of one attempt, by
 * which a re-sent command is recognised. Leases are durations; the store makes them absolute by its own clock.
 */
export type Command = LockCommand | OnceCommand

export type LockCommand = LockAcquire | LockRenew | LockRelease | LockBreak
export type OnceCommand = OnceBegin | OnceExtend | OnceCheckpoint | OnceRetire | OnceComplete | OnceAbandon | OnceForget

interface Addressed {
  readonly key: RecordKey
  readonly owner: string
}

export interface LockAcquire extends Addressed {
  readonly type: 'lock.acquire'
  readonly leaseMs: number
  readonly label?: string | undefined
  /** To hold it together with others. Default: alone. */
  readonly share?: Share | undefined
  /** If it can't be had now, take a place in the queue, kept for so long without a sign of life. Not with `share`. */
  readonly queueMs?: number | undefined
  /** With `queueMs`: `free` to have it, `queue` to have a place, as a read has just shown. It decides nothing. */
  readonly hint?: 'free' | 'queue' | undefined
}
export interface LockRenew extends Addressed {
  readonly type: 'lock.renew'
  readonly leaseMs: number
  readonly fence: Fence
  readonly hint?: Hint | undefined
}
/** Whoever sends it leaves: as the holder (the head of the queue then holds it), as one of many, or from the queue. */
export interface LockRelease extends Addressed {
  readonly type: 'lock.release'
  readonly hint?: Hint | undefined
}
export interface Share {
  /** As in `Pool`: `undefined` is a shared lock. */
  readonly limit?: number | undefined
  /** From 1 to `limit`. */
  readonly weight: number
}
/** What the sender believes to find, so that a store may try that first. It decides nothing. */
export type Hint = 'shared' | 'queue'
/** An operator ends somebody else's lease. It names the fence it was decided on, and applies to that one only. */
export interface LockBreak extends Addressed {
  readonly type: 'lock.break'
  readonly fence: Fence
  readonly reason?: string | undefined
  /** Who sends it, for people. */
  readonly by?: string | undefined
}

export interface OnceBegin extends Addressed {
  readonly type: 'once.begin'
  readonly leaseMs: number
  /** How long a result would be replayed; the record and its checkpoints live at least as long. */
  readonly retainMs: number
  readonly fingerprint?: string | undefined
  readonly hold?: boolean | undefined
  /** The sender finds out what became of an attempt that crashed: it may take over a held one. Implies `hold`. */
  readonly reconcile?: boolean | undefined
  readonly label?: string | undefined
}
export interface OnceExtend extends Addressed {
  readonly type: 'once.extend'
  readonly leaseMs: number
}
export interface OnceCheckpoint extends Addressed {
  readonly type: 'once.checkpoint'
  readonly name: string
  readonly value: string
}
/** Gives the downstream key `name` its `generation`: 1 at the first retirement. Sent again, it changes nothing. */
export interface OnceRetire extends Addressed {
  readonly type: 'once.retire'
  readonly name: string
  readonly generation: number
}
export interface OnceComplete extends Addressed {
  readonly type: 'once.complete'
  readonly result: StoredResult
  readonly retainMs: number
  /** Of a completion that is part of a transaction: whoever finds the record completed by another token knows that his is not. */
  readonly token?: string | undefined
}
export interface OnceAbandon extends Addressed {
  readonly type: 'once.abandon'
}
/** An operator clears a record, so that the operation may run again. It names the fence it was decided on. */
export interface OnceForget extends Addressed {
  readonly type: 'once.forget'
  readonly fence: Fence
  readonly reason?: string | undefined
  /** Who sends it, for people. */
  readonly by?: string | undefined
}

/**
 * The answers to a command that only its owner may give (invariant V6).
 *
 * - `lost`: refused at its first sending; another owner has the record, or nobody has.
 * - `gone`: a *re-sent* release or abandonment was refused; whatever became of the first, nothing of ours is left.
 * - `uncertain`: a *re-sent* renewal or completion was refused; the first may have been applied. Neither success nor failure.
 */
export interface Lost {
  readonly outcome: 'lost'
}
export interface Gone {
  readonly outcome: 'gone'
}
export interface Uncertain {
  readonly outcome: 'uncertain'
}
/** A ghost: it arrived after its own release, or was first sent before somebody's. Send anew, under a new owner. */
export interface Stale {
  readonly outcome: 'stale'
}

/** It has, or has kept, a place in the queue. Reading tells when it holds the lock: hand-overs are not announced. */
export interface Queued extends Obstacle {
  readonly outcome: 'queued'
  readonly fence: Fence
  /** How many wait before it. */
  readonly place: number
}
/**
 * Who is in the way (the one to wait for, of several), and if it is nobody who holds it alone, why:
 *
 * - `shared`: others share it, or have permits;
 * - `full`: no permits are left;
 * - `limit`: it is in use with another limit, or with none;
 * - `queue`: somebody waits for it who came earlier;
 * - `queue-full`: nobody else may wait.
 */
export interface Obstacle {
  readonly holder: Holder
  readonly because?: 'shared' | 'full' | 'limit' | 'queue' | 'queue-full' | undefined
}

export interface Replies {
  readonly 'lock.acquire':
    | { readonly outcome: 'acquired'; readonly fence: Fence; readonly expiresAtMs: number; readonly tookOver: boolean }
    | Queued
    | ({ readonly outcome: 'held'; readonly fence: Fence } & Obstacle)
    | Stale
  readonly 'lock.renew': { readonly outcome: 'renewed'; readonly expiresAtMs: number } | Lost | Uncertain
  readonly 'lock.release': { readonly outcome: 'released' } | Lost | Gone
  readonly 'lock.break': { readonly outcome: 'broken' | 'unchanged' }
  readonly 'once.begin': Started | InProgress | Completed | Mismatch | Stale
  readonly 'once.extend': { readonly outcome: 'extended'; readonly expiresAtMs: number } | Lost | Uncertain
  readonly 'once.checkpoint':
    | { readonly outcome: 'saved' }
    | { readonly outcome: 'exists'; readonly value: string }
    | Lost
    | Uncertain
  readonly 'once.retire': { readonly outcome: 'retired'; readonly generation: number } | Lost | Uncertain
  readonly 'once.complete': { readonly outcome: 'completed' } | Lost | Uncertain
  readonly 'once.abandon': { readonly outcome: 'abandoned' | 'completed' } | Lost | Gone
  readonly 'once.forget': { readonly outcome: 'forgotten' | 'unchanged' }
}

export type Granted = Extract<Replies['lock.acquire'], { readonly outcome: 'acquired' }>

/** What several acquires came to together: a grant for each, or none and why. `index` is that of the refused command. */
export type AcquiredAll =
  | { readonly outcome: 'acquired'; readonly grants: readonly Granted[] }
  | {
      readonly outcome: 'refused'
      readonly index: number
      readonly reply: Exclude<Replies['lock.acquire'], Granted | Queued>
    }

export interface Started {
  readonly outcome: 'started'
  readonly fence: Fence
  readonly attempt: number
  readonly expiresAtMs: number
  readonly tookOver: boolean
  readonly checkpoints: { readonly [name: string]: string }
  readonly epoch: number
  readonly retired: { readonly [name: string]: number }
  /** With `reconcile`: the attempt that was taken over, whose outcome nobody knows. */
  readonly crashed?: Crashed | undefined
}
export interface InProgress {
  readonly outcome: 'in-progress'
  readonly fence: Fence
  readonly expiresAtMs: number
  /** With `hold`, waiting for the lease's end is in vain: somebody has to decide. */
  readonly hold: boolean
  readonly label?: string | undefined
}
export interface Completed {
  readonly outcome: 'completed'
  readonly fence: Fence
  readonly result: StoredResult
  readonly retainUntilMs: number
}
export interface Mismatch {
  readonly outcome: 'mismatch'
  readonly status: 'in-progress' | 'completed'
}

export type CommandType = Command['type']
export type Reply = Replies[CommandType]
export type ReplyTo<C extends Command> = Replies[C['type']]
