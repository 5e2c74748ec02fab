import type { OnEvent } from '../events/events.ts'
import type { LambdaContext } from '../runtime/invocation.ts'
import { configInvalid } from '../store/errors.ts'
import type { KeyPart } from '../store/key.ts'
import type { Store } from '../store/store.ts'

interface LeaseOptions<A extends readonly unknown[]> {
  readonly store: Store
  /** What the lock is on: a value, an array of parts, or a function of the arguments. */
  readonly key: KeyPart | ((...args: A) => KeyPart)
  /**
   * How long the lock is ours without a sign of life, in milliseconds. A number is renewed at a third of itself while the
   * code runs. Default: the invocation's remaining time + 1 s on Lambda, without renewal; elsewhere 30 s, renewed.
   */
  readonly leaseMs?: number | undefined
  /** Who holds it, for people: shown to those who are refused. Default: Lambda's request id, else nothing. */
  readonly label?: string | undefined
  readonly onEvent?: OnEvent | undefined
}

interface InvocationOptions {
  /** Lambda's context: it bounds the lease and the wait. */
  readonly context?: LambdaContext | undefined
}

/** Options of {@link tryAcquireLock}. */
export interface TryAcquireOptions extends LeaseOptions<[]>, InvocationOptions {}

interface WaitOptions {
  /** How long to wait for the holder, in milliseconds; 0 = do not wait. Default: 5000, and never past the invocation. */
  readonly waitMs?: number | undefined
}

/** Options of {@link acquireLock}. */
export interface AcquireOptions extends TryAcquireOptions, WaitOptions {}

/** Options of {@link makeLocked}. `A` are the arguments of the function. */
export interface LockOptions<A extends readonly unknown[] = []> extends LeaseOptions<A>, WaitOptions {
  /** When the wait is over: throw `LOCK_HELD`, or `skip` the run and return `undefined`. Default: `reject`. */
  readonly onHeld?: 'reject' | 'skip' | undefined
  /**
   * When the store can't be reached: throw `STORE_UNAVAILABLE`, or run without the lock, which is the user's own choice of
   * availability over consistency. A wrong table or a refused permission always throws. Default: `reject`.
   */
  readonly onStoreUnavailable?: 'reject' | 'run-unprotected' | undefined
}

/** Options of {@link withLock}. */
export interface WithLockOptions extends LockOptions<[]>, InvocationOptions {}

/** Checked options with their defaults: a copy, so that nobody changes them under way. */
export interface LockSettings<A extends readonly unknown[]> {
  readonly store: Store
  readonly key: KeyPart | ((...args: A) => KeyPart)
  readonly leaseMs: number | undefined
  readonly waitMs: number
  readonly onHeld: 'reject' | 'skip'
  readonly onStoreUnavailable: 'reject' | 'run-unprotected'
  readonly label: string | undefined
  readonly onEvent: OnEvent | undefined
}

/** Which options an entrance takes: an option that would silently do nothing is refused. */
export type Entrance = 'tryAcquireLock' | 'acquireLock' | 'withLock' | 'makeLocked' | 'locked'

const LEASE_OPTIONS = ['store', 'key', 'leaseMs', 'label', 'onEvent']
const POLICY_OPTIONS = [...LEASE_OPTIONS, 'waitMs', 'onHeld', 'onStoreUnavailable']
const ACCEPTED: { readonly [entrance in Entrance]: readonly string[] } = {
  tryAcquireLock: [...LEASE_OPTIONS, 'context'],
  acquireLock: [...LEASE_OPTIONS, 'context', 'waitMs'],
  withLock: [...POLICY_OPTIONS, 'context'],
  // Their context comes with each call: one given for all calls would be another invocation's.
  makeLocked: POLICY_OPTIONS,
  locked: POLICY_OPTIONS,
}

const DEFAULT_WAIT_MS = 5000
const LONGEST_MS = 86_400_000
const LONGEST_LABEL = 256

/** @throws AlonceError `CONFIG_INVALID`, naming the option. */
export function lockSettings<A extends readonly unknown[]>(
  options: LockOptions<A> & InvocationOptions,
  entrance: Entrance,
): LockSettings<A> {
  if (typeof options !== 'object' || options === null) throw configInvalid('options', `of ${entrance} must be an object.`)
  checkNames(options, entrance)
  checkStore(options.store)
  if (options.key === undefined && !('key' in options)) throw configInvalid('key', 'is required: what is the lock on?')
  checkMs('leaseMs', options.leaseMs, { least: Math.max(1, options.store.capabilities.minLeaseMs) })
  checkMs('waitMs', options.waitMs, { least: 0 })
  checkChoice('onHeld', options.onHeld, ['reject', 'skip'])
  checkChoice('onStoreUnavailable', options.onStoreUnavailable, ['reject', 'run-unprotected'])
  checkLabel(options.label)
  if (options.onEvent !== undefined && typeof options.onEvent !== 'function') {
    throw configInvalid('onEvent', 'must be a function of an event.')
  }
  if (options.context !== undefined && typeof options.context?.getRemainingTimeInMillis !== 'function') {
    throw configInvalid('context', "must be Lambda's context, with its method getRemainingTimeInMillis().")
  }
  return {
    store: options.store,
    key: options.key,
    leaseMs: options.leaseMs,
    waitMs: options.waitMs ?? DEFAULT_WAIT_MS,
    onHeld: options.onHeld ?? 'reject',
    onStoreUnavailable: options.onStoreUnavailable ?? 'reject',
    label: options.label,
    onEvent: options.onEvent,
  }
}

function checkNames(options: object, entrance: Entrance): void {
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || ACCEPTED[entrance].includes(name)) continue
    throw configInvalid(name, `is not an option of ${entrance}. It takes ${ACCEPTED[entrance].join(', ')}.`)
  }
}

function checkStore(store: Store | undefined): void {
  if (typeof store?.execute !== 'function') throw configInvalid('store', 'must be a store, for example memoryStore().')
}

function checkMs(option: string, ms: number | undefined, { least }: { readonly least: number }): void {
  if (ms === undefined) return
  if (!Number.isInteger(ms)) throw configInvalid(option, `must be a whole number of milliseconds, not ${String(ms)}.`)
  if (ms < least || ms > LONGEST_MS) throw configInvalid(option, `must be from ${least} to ${LONGEST_MS} ms, not ${ms}.`)
}

function checkChoice(option: string, choice: string | undefined, choices: readonly string[]): void {
  if (choice === undefined || choices.includes(choice)) return
  throw configInvalid(option, `must be ${choices.map((known) => `'${known}'`).join(' or ')}, not ${JSON.stringify(choice)}.`)
}

function checkLabel(label: string | undefined): void {
  if (label === undefined || (typeof label === 'string' && label.length <= LONGEST_LABEL)) return
  throw configInvalid('label', `must be a text of at most ${LONGEST_LABEL} characters.`)
}
