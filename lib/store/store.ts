import type { Runtime } from '../runtime/runtime.ts'
import type { AcquiredAll, Command, LockAcquire, Reply, ReplyTo } from './command.ts'
import type { AlonceRecord, RecordKey } from './record.ts'
import type { Interval, Moment } from './time.ts'
import type { Transactions } from './transaction.ts'

/**
 * The one idea: a record changes only by a pure transition, applied atomically by a store.
 *
 * A transition has no clock, no I/O and no randomness. `record` is the very object it was given when nothing is to be
 * written. `lib/lock/transitions.ts` and `lib/idempotency/transitions.ts` hold all there are; they are the
 * specification, and every store is tested against them.
 */
export type Transition<R extends AlonceRecord = AlonceRecord, C extends Command = Command> = (
  record: R | undefined,
  command: C,
  moment: Moment,
) => Transitioned<R>

export interface Transitioned<R extends AlonceRecord = AlonceRecord> {
  readonly record: R | undefined
  readonly reply: Reply
}

/**
 * A store takes a command to the record under its key, atomically and linearizably, and keeps the invariants V1-V7 of
 * `docs/GUARANTEES.md`. Locks, idempotency and middleware are written once, on top of this.
 */
export interface Store {
  /** For messages: `memory`, `dynamodb`. */
  readonly name: string
  readonly capabilities: Capabilities
  /** The clock, randomness and timers of everything that works with this store. */
  readonly runtime: Runtime
  /** Where records can take part in a transaction of the caller's own; `undefined`: this store can't. */
  readonly transactions?: Transactions | undefined

  /**
   * Applies the command and says what came of it. Expected outcomes are replies.
   *
   * @throws AlonceError `STORE_UNAVAILABLE` (its `maybeApplied` says whether the command may have been applied all the
   * same), `STORE_NOT_FOUND`, `STORE_DENIED`, `STORE_SCHEMA`, `RECORD_UNREADABLE`.
   */
  execute<C extends Command>(command: C, options?: SendOptions): Promise<ReplyTo<C>>

  /**
   * Takes all of these locks in one transaction, or none. Each command has a key of its own, and none queues. `undefined`: this
   * store can't, and several locks are taken one after the other.
   *
   * @throws as `execute`
   */
  readonly acquireAll?: ((commands: readonly LockAcquire[], options?: SendOptions) => Promise<AcquiredAll>) | undefined

  /** The record as it is now, by a linearizable read, its result included. */
  read(key: RecordKey, options?: SendOptions): Promise<AlonceRecord | undefined>

  /** The store's clock as this process knows it, without a request. */
  now(): Interval
}

export interface SendOptions {
  /** The caller has sent this very command before and had no answer. Default: false. */
  readonly resent?: boolean | undefined
  /** With `resent`: the store's `latest` when the command was first sent. Default: now. */
  readonly firstSentAtMs?: number | undefined
  /** Milliseconds for the whole call, retries included. Default: the store's own bound. */
  readonly timeoutMs?: number | undefined
  /** Called for each request that goes out, retries included: events and tests count them. */
  readonly onRequest?: (() => void) | undefined
}

/** What a store can do, as data: nothing here is found out by a surprise at run time. */
export interface Capabilities {
  /** Leases below this are refused with `CONFIG_INVALID`. Milliseconds. */
  readonly minLeaseMs: number
  /** The largest encoded result, in bytes. */
  readonly maxResultBytes: number
}
