import type { OnEvent } from '../events/events.ts'
import { configInvalid, isAlonceError } from '../store/errors.ts'
import { escapePart, type KeyPart } from '../store/key.ts'
import { callable, oneOf, type Range, refuseUnknown, shortText, storeOption, wholeNumber } from '../store/option.ts'
import type { Store } from '../store/store.ts'
import { DAY_MS } from '../store/time.ts'
import { type Codec, jsonCodec } from './codec.ts'
import type { Predecessor } from './predecessor.ts'
import type { Reconcile } from './reconcile.ts'

export type FailurePolicy = 'retry' | 'store'

/** How an operation is made idempotent. `A` is what the key, scope and fingerprint are computed from: the arguments. */
export interface IdempotencyOptions<A extends readonly unknown[] = readonly unknown[]> {
  readonly store: Store
  /** Names the operation, for good: two operations never share a record. At most 128 characters. */
  readonly operation: string
  /** Names the request. A part that is `undefined` or `null` is a missing key (`onMissingKey`). */
  readonly key: KeyPart | ((...args: A) => KeyPart)
  /** Tenant or caller: the same key in two scopes is two operations. When given, `undefined` is a missing key. */
  readonly scope?: KeyPart | ((...args: A) => KeyPart)
  /** Default: `reject` with `KEY_MISSING`. */
  readonly onMissingKey?: 'reject' | 'run-unprotected' | undefined
  /** What must be equal when the key is: any JSON value. The same key with another one is refused (`FINGERPRINT_MISMATCH`). */
  readonly fingerprint?: ((...args: A) => unknown) | undefined
  /** How long an attempt owns the record. A number is renewed at a third of it. Default: the invocation's remaining time + 1 s on Lambda, else 30 s. */
  readonly leaseMs?: number | undefined
  /** How long to wait for the result of an attempt that is running. Default: 0. */
  readonly waitMs?: number | undefined
  /** How long a result is replayed. Default: 24 h. */
  readonly retainMs?: number | undefined
  /**
   * What an error of the function means. `retry` (default): the record is given back, the next call runs. `store`: the
   * error is final and thrown again, with its name and message. Errors of Alonce are never final unless a function says so.
   */
  readonly failure?: FailurePolicy | ((error: unknown) => FailurePolicy) | undefined
  /**
   * `retry` (default): when a lease ends without an outcome, the next call runs. `hold`: nobody runs until someone decides. A
   * `reconcile` function decides: the next call asks it what became of the attempt, before anything runs.
   */
  readonly onCrash?: 'retry' | 'hold' | { readonly reconcile: Reconcile } | undefined
  /**
   * Availability instead of consistency, for throttling, time-outs and 5xx at begin only. Whoever has already been told of a
   * running attempt is rejected in any case. Default: `reject`.
   */
  readonly onStoreUnavailable?: 'reject' | 'run-unprotected' | undefined
  /**
   * A result that can't be stored (too large, not serializable). The caller gets it in any case. `keep` (default): the
   * operation counts as completed, duplicates get `RESULT_TOO_LARGE` or `RESULT_NOT_SERIALIZABLE`. `retry`: they run.
   */
  readonly onUnstorableResult?: 'keep' | 'retry' | undefined
  /** Default: JSON, as Lambda itself would return it. */
  readonly codec?: Codec | undefined
  /** Consulted before the first begin: the records of the library that this operation used before. See `docs/MIGRATE.md`. */
  readonly predecessor?: Predecessor<A> | undefined
  /**
   * The trace that this call belongs to, as a W3C `traceparent`: kept with the result, and told by `replayed`. `activeTraceparent`
   * of `alonce/otel` gives it. Default: none.
   */
  readonly traceparent?: (() => string | undefined) | undefined
  /** Who runs it, for people who look at the record. Never a secret. Default: Lambda's request id. */
  readonly label?: string | undefined
  readonly onEvent?: OnEvent | undefined
}

/** The options, checked once, with their defaults. Shared by all calls and never changed. */
export interface Plan {
  readonly store: Store
  readonly operation: string
  readonly key: (args: readonly unknown[]) => KeyPart
  readonly scope: ((args: readonly unknown[]) => KeyPart) | undefined
  readonly fingerprint: ((args: readonly unknown[]) => unknown) | undefined
  readonly onMissingKey: 'reject' | 'run-unprotected'
  readonly leaseMs: number | undefined
  readonly waitMs: number
  readonly retainMs: number
  readonly failure: (error: unknown) => FailurePolicy
  readonly hold: boolean
  readonly reconcile: Reconcile | undefined
  readonly onStoreUnavailable: 'reject' | 'run-unprotected'
  readonly onUnstorableResult: 'keep' | 'retry'
  readonly codec: Codec
  readonly predecessor: Predecessor | undefined
  readonly traceparent: (() => string | undefined) | undefined
  readonly label: string | undefined
  readonly onEvent: OnEvent | undefined
}

const MAX_OPERATION_CHARS = 128
export const MAX_LEASE_MS: number = DAY_MS
const MAX_WAIT_MS = 900_000
const MAX_RETAIN_MS = 400 * DAY_MS
const MAX_LABEL_CHARS = 256
const POLICIES = ['reject', 'run-unprotected'] as const

/** @throws AlonceError `CONFIG_INVALID`, naming the option */
export function planOf<A extends readonly unknown[]>(options: IdempotencyOptions<A>): Plan {
  refuseUnknown(options, 'idempotency', Object.keys(NAMES))
  const store = storeOption(options.store)
  if (!('key' in options)) throw configInvalid('key', 'is required: a value, an array of parts, or a function of the arguments.')
  return {
    store,
    operation: operationOf(options.operation),
    key: ofArguments(options.key),
    scope: 'scope' in options ? ofArguments(options.scope) : undefined,
    fingerprint: fingerprinter(options.fingerprint),
    onMissingKey: oneOf('onMissingKey', options.onMissingKey, POLICIES) ?? 'reject',
    leaseMs: rounded('leaseMs', options.leaseMs, [store.capabilities.minLeaseMs, MAX_LEASE_MS]),
    waitMs: rounded('waitMs', options.waitMs, [0, MAX_WAIT_MS]) ?? 0,
    retainMs: rounded('retainMs', options.retainMs, [1, MAX_RETAIN_MS]) ?? DAY_MS,
    failure: failureOf(options.failure),
    ...crashPolicy(options.onCrash),
    onStoreUnavailable: oneOf('onStoreUnavailable', options.onStoreUnavailable, POLICIES) ?? 'reject',
    onUnstorableResult: oneOf('onUnstorableResult', options.onUnstorableResult, ['keep', 'retry']) ?? 'keep',
    codec: codecOf(options.codec),
    predecessor: predecessorOf(options.predecessor),
    traceparent: tracing(options.traceparent),
    label: shortText('label', options.label, MAX_LABEL_CHARS),
    onEvent: callable('onEvent', options.onEvent),
  }
}

/** An object, so that the compiler finds a name that is missing here. */
const NAMES: { readonly [name in keyof Required<IdempotencyOptions>]: true } = {
  store: true,
  operation: true,
  key: true,
  scope: true,
  onMissingKey: true,
  fingerprint: true,
  leaseMs: true,
  waitMs: true,
  retainMs: true,
  failure: true,
  onCrash: true,
  onStoreUnavailable: true,
  onUnstorableResult: true,
  codec: true,
  predecessor: true,
  traceparent: true,
  label: true,
  onEvent: true,
}

function operationOf(operation: unknown): string {
  if (typeof operation !== 'string' || operation === '' || operation.length > MAX_OPERATION_CHARS) {
    throw configInvalid('operation', `is required: a name of 1 to ${MAX_OPERATION_CHARS} characters that never changes.`)
  }
  try {
    escapePart(operation)
  } catch (error) {
    if (!isAlonceError(error)) throw error
    throw configInvalid('operation', 'must be valid Unicode text.')
  }
  return operation
}

type OfArguments<T> = (args: readonly unknown[]) => T

function ofArguments<A extends readonly unknown[]>(given: KeyPart | ((...args: A) => KeyPart)): OfArguments<KeyPart> {
  return typeof given === 'function' ? (args) => given(...(args as A)) : () => given
}

function fingerprinter<A extends readonly unknown[]>(given: ((...args: A) => unknown) | undefined): Plan['fingerprint'] {
  const fingerprint = callable('fingerprint', given, 'a function of the arguments')
  return fingerprint && ((args) => fingerprint(...(args as A)))
}

/** A fraction of a millisecond, of a computed time, is rounded up. */
const rounded = (option: string, ms: number | undefined, range: Range): number | undefined =>
  wholeNumber(option, typeof ms === 'number' ? Math.ceil(ms) : ms, range)

function failureOf(given: IdempotencyOptions['failure']): Plan['failure'] {
  if (typeof given === 'function') return given
  const policy = oneOf('failure', given, ['retry', 'store']) ?? 'retry'
  // An error of Alonce (a lock is held, the store is away) says that the work is not done, never that it can't be.
  return (error) => (isAlonceError(error) ? 'retry' : policy)
}

function crashPolicy(given: IdempotencyOptions['onCrash'] = 'retry'): Pick<Plan, 'hold' | 'reconcile'> {
  if (typeof given === 'object' && typeof given?.reconcile === 'function') return { hold: true, reconcile: given.reconcile }
  if (given === 'retry' || given === 'hold') return { hold: given === 'hold', reconcile: undefined }
  throw configInvalid('onCrash', 'must be "retry", "hold" or { reconcile }, a function.')
}

function codecOf(codec: Codec | undefined): Codec {
  if (codec === undefined || codec === jsonCodec) return jsonCodec
  if (typeof codec?.encode !== 'function' || typeof codec.decode !== 'function') {
    throw configInvalid('codec', 'must have the functions encode and decode.')
  }
  if (!/^[\w.-]{1,32}$/.test(codec.id) || ['json', 'undefined'].includes(codec.id)) {
    throw configInvalid('codec', 'must have an id of 1 to 32 letters, digits, ".", "_" or "-"; "json" and "undefined" are taken.')
  }
  return codec
}

function predecessorOf<A extends readonly unknown[]>(given: Predecessor<A> | undefined): Predecessor | undefined {
  if (given === undefined || typeof given?.find === 'function') return given as Predecessor | undefined
  throw configInvalid('predecessor', 'must be a reader of old records, such as powertoolsReader({ … }).')
}

const TRACEPARENT = /^[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}$/

/** Tracing must not stand in the way of what is traced: what is wrong with it is as good as nothing. */
function tracing(given: (() => string | undefined) | undefined): Plan['traceparent'] {
  const active = callable('traceparent', given, 'a function, such as activeTraceparent of alonce/otel')
  if (!active) return undefined
  return () => {
    try {
      const traceparent: unknown = active()
      return typeof traceparent === 'string' && TRACEPARENT.test(traceparent) ? traceparent : undefined
    } catch {
      return undefined
    }
  }
}
