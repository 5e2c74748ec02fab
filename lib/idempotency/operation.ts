import { AsyncLocalStorage } from 'node:async_hooks'
import { findContext, type LambdaContext } from '../runtime/invocation.ts'
import { AlonceError, isAlonceError } from '../store/errors.ts'
import { escapePart } from '../store/key.ts'
import type { Fence } from '../store/record.ts'
import type { TransactItem } from '../store/transaction.ts'
import { type Claimed, claim, type Identity } from './claim.ts'
import { freezeDeadline } from './deadline.ts'
import { unprotectedHandle } from './handle.ts'
import { fingerprintOf, onceKey } from './key.ts'
import type { OperationSignal } from './lease.ts'
import type { Plan } from './options.ts'
import { recall } from './outcome.ts'
import { consult } from './predecessor.ts'
import { reconcile } from './reconcile.ts'
import { Attempt, runningOf } from './running.ts'
import { beginStep, tellerOf } from './telling.ts'

/** The running attempt, as the code inside it sees it. */
export interface Operation {
  /** The record's key: the operation's name, and a hash of scope and key. */
  readonly key: string
  /** Rises with each attempt. 0 when the run is unprotected: a resource that checks fences refuses it. */
  readonly fence: Fence
  /** 1 at the first beginning of this payload. */
  readonly attempt: number
  /** Aborts when the claim is lost or about to end, and when the attempt has ended: its reason says which. */
  readonly signal: OperationSignal
  /** False when it runs without a record (`run-unprotected`). */
  readonly isProtected: boolean
  /**
   * The idempotency key for another system, such as a payment provider: the same for every attempt, after a failure and a
   * takeover too. 43 characters of base64url.
   */
  downstreamKey(name: string): string
  /**
   * After the other system has definitely refused: the new key, for this and every later attempt.
   *
   * @throws OperationEndedError when the attempt has ended or lost its record; AlonceError `STORE_UNAVAILABLE`
   */
  retireDownstreamKey(name: string): Promise<string>
  /**
   * Makes the lease last at least `ms` from now.
   *
   * @throws OperationEndedError when the attempt has ended or lost its record; AlonceError `STORE_UNAVAILABLE`
   */
  extend(ms: number): Promise<void>
  /**
   * A recovery point: runs `fn` and keeps its value under `name`, so that a later attempt at the same payload, after a crash or a
   * failure, gets the value and does not run it. What `fn` throws comes out, and is not kept. A value that can't be kept (larger
   * than 256 KiB, not serializable, the store is away) is told by the event `checkpoint-failed`: `fn` has run, so its value is
   * returned. At most 32 for an operation.
   *
   * @throws OperationEndedError when the attempt has ended or lost its record; AlonceError `KEY_INVALID` for the name,
   * `CONFIG_INVALID` for too many, `RECORD_UNREADABLE`
   */
  checkpoint<T>(name: string, fn: () => T): Promise<Awaited<T>>
  /**
   * Writes `items` and completes the operation with `result`, in one DynamoDB transaction: both or neither, and neither when
   * another attempt owns the operation now. Resolves to `result`, which is what the caller gets, whatever the function returns
   * afterwards; what it throws afterwards reaches the caller, and changes nothing in the record.
   *
   * @param items as for lib-dynamodb's `TransactWriteCommand`; at most 99, and 4 MB
   * @throws TransactionRefusedError when an item's condition does not hold: nothing was written, the operation goes on;
   * OperationEndedError when the attempt has ended or lost its record; AlonceError `CONFIG_INVALID`, `RESULT_TOO_LARGE`,
   * `RESULT_NOT_SERIALIZABLE`, `STORE_UNAVAILABLE` (its `maybeApplied` tells whether the operation goes on)
   */
  transact<R>(items: readonly TransactItem[], result: R): Promise<R>
}

const operations = /* @__PURE__ */ new AsyncLocalStorage<Operation>()

/**
 * The operation that the calling code runs in.
 *
 * @throws AlonceError `CONFIG_INVALID` when there is none
 */
export function currentOperation(): Operation {
  const operation = operations.getStore()
  if (operation) return operation
  throw new AlonceError(
    'CONFIG_INVALID',
    'There is no current operation: this code was not called by withIdempotency or by a function of makeIdempotent. Under the middleware idempotent() use context.alonce.operation.',
  )
}

export const runWithin = <R>(operation: Operation, body: () => R): R => operations.run(operation, body)

/** One call of an idempotent function. */
export interface Call {
  /** What key, scope and fingerprint are computed from. Read before the first `await`, and never again. */
  readonly args: readonly unknown[]
  /** Default: recognised among the arguments. */
  readonly context?: LambdaContext | undefined
}

/** What a call is to do. */
export type Begun =
  /** Run the function, then `complete` or `fail`. */
  | { readonly kind: 'run'; readonly running: Running }
  /** Return this instead, `undefined` too: a fresh copy of an earlier result. */
  | { readonly kind: 'replay'; readonly value: unknown }
  /** Throw this instead: an earlier final error, or why there is no result. */
  | { readonly kind: 'rethrow'; readonly error: unknown }
  /** Run the function without a record, as the user has chosen. There is nothing to complete. */
  | { readonly kind: 'unprotected'; readonly handle: Operation }

/** An attempt that owns its record. It ends once: of `complete` and `fail` the first counts, and the rest do nothing. */
export interface Running {
  readonly handle: Operation
  /**
   * Stores the result and resolves to what the caller gets: `value` itself, even when it could not be stored. Only when a newer
   * attempt owns the record does the caller get that one's outcome.
   *
   * @throws AlonceError `OUTCOME_UNCERTAIN` when a newer attempt owns the record and has no outcome yet
   */
  complete(value: unknown): Promise<unknown>
  /** Gives the record back, or stores the error, as the policy says. Never throws: throw your own error then. */
  fail(error: unknown): Promise<void>
  /** Gives the record back, whatever the policy: for a function that was never called. Never throws. */
  giveBack(): Promise<void>
  /** Stops timers and aborts the signal; gives nothing back. For an invocation that ends while the function still runs. */
  stop(): void
}

/**
 * The seam between idempotency and whatever wraps code in it (functions, middleware).
 *
 * @throws AlonceError `KEY_MISSING`, `KEY_INVALID`, `IN_PROGRESS`, `FINGERPRINT_MISMATCH`, `RECORD_UNREADABLE`, and what a
 * store throws
 */
export async function beginOperation(plan: Plan, call: Call): Promise<Begun> {
  const identity = identify(plan, call)
  if (identity === undefined) return { kind: 'unprotected', handle: unprotectedHandle(plan, undefined) }
  const earlier = plan.predecessor && (await consult(identity, plan.predecessor, call.args))
  if (earlier) return earlier
  const claimed = await claim(identity)
  switch (claimed.kind) {
    case 'claimed':
      return started(new Attempt(identity, claimed))
    case 'completed':
      return recall(claimed.result, plan.codec, identity.key)
    case 'unavailable':
      return withoutStore(identity, claimed)
  }
}

async function started(attempt: Attempt): Promise<Begun> {
  const decide = attempt.identity.plan.reconcile
  if (decide && attempt.claim.started.crashed) return reconcile(attempt, decide)
  return { kind: 'run', running: runningOf(attempt) }
}

/** Fixes what identifies the call. `undefined`: it has no key, and runs unprotected. */
function identify(plan: Plan, { args, context = findContext(args) }: Call): Identity | undefined {
  const { clock } = plan.store.runtime
  const step = beginStep(clock)
  try {
    const key = onceKey(plan.operation, plan.scope ? { key: plan.key(args), scope: plan.scope(args) } : { key: plan.key(args) })
    const fingerprint = plan.fingerprint && fingerprintOf(plan.fingerprint(args))
    const label = plan.label ?? context?.awsRequestId
    const traceparent = plan.traceparent?.()
    return { plan, key, fingerprint, label, traceparent, deadline: freezeDeadline(clock, context), tell: tellerOf(plan, key) }
  } catch (error) {
    if (!isAlonceError(error)) throw error
    const tell = tellerOf(plan, `once/${escapePart(plan.operation)}/?`)
    if (error.code === 'KEY_MISSING' && plan.onMissingKey === 'run-unprotected') {
      tell('run-unprotected', { reason: 'missing-key', code: error.code, ...step.measured() })
      return undefined
    }
    tell('rejected', { code: error.code, ...step.measured() })
    throw error
  }
}

function withoutStore(identity: Identity, { error, step }: Claimed & { kind: 'unavailable' }): Begun {
  const { plan, key, tell } = identity
  if (plan.onStoreUnavailable === 'reject') {
    tell('rejected', { code: error.code, ...step.measured() })
    throw error
  }
  tell('run-unprotected', { reason: 'store-unavailable', code: error.code, ...step.measured() })
  return { kind: 'unprotected', handle: unprotectedHandle(plan, key) }
}
