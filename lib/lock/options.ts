import type { OnEvent } from '../events/events.ts'
import type { LambdaContext } from '../runtime/invocation.ts'
import type { Share } from '../store/command.ts'
import { configInvalid } from '../store/errors.ts'
import type { KeyPart } from '../store/key.ts'
import { callable, flag, oneOf, refuseUnknown, shortText, storeOption, wholeNumber } from '../store/option.ts'
import type { Store } from '../store/store.ts'

interface LeaseOptions {
  readonly store: Store
  /**
   * How long the lock is ours without a sign of life, in milliseconds. A number is renewed at a third of itself while the
   * code runs. Default: the invocation's remaining time + 1 s on Lambda, without renewal; elsewhere 30 s, renewed.
   */
  readonly leaseMs?: number | undefined
  /** Who holds it, for people: shown to those who are refused. Default: Lambda's request id, else nothing. */
  readonly label?: string | undefined
  readonly onEvent?: OnEvent | undefined
}

/** One lock, or several: taken in one order whatever the order here (so that two clients never wait for each other), all or none. */
type KeyOptions<A extends readonly unknown[]> =
  | {
      /** What the lock is on: a value, an array of parts, or a function of the arguments. */
      readonly key: KeyPart | ((...args: A) => KeyPart)
      readonly keys?: undefined
    }
  | {
      readonly key?: undefined
      /** At most 25 keys, each as `key` would be, or a function of the arguments. The handle has a fence for each: `fences`. */
      readonly keys: readonly KeyPart[] | ((...args: A) => readonly KeyPart[])
    }

type ModeOptions =
  | {
      /**
       * `exclusive`: one holder. `shared`: any number of shared holders, or one exclusive holder; an exclusive one that waits is
       * not starved, because nobody joins while it does. Default: `exclusive`.
       */
      readonly mode?: 'exclusive' | 'shared' | undefined
      readonly limit?: undefined
      readonly weight?: undefined
    }
  | {
      /**
       * A counting semaphore: permits whose weights add up to at most `limit`, from 1 to 1,000,000. Everybody has to name the same
       * limit: another one waits until all permits are back.
       */
      readonly limit: number
      /** How many of the permits this one takes, from 1 to `limit`. Default: 1. */
      readonly weight?: number | undefined
      readonly mode?: undefined
    }

interface InvocationOptions {
  /** Lambda's context: it bounds the lease and the wait. */
  readonly context?: LambdaContext | undefined
}

/** Options of {@link tryAcquireLock}. */
export type TryAcquireOptions = LeaseOptions & KeyOptions<[]> & ModeOptions & InvocationOptions

interface WaitOptions {
  /** How long to wait for the holder, in milliseconds; 0 = do not wait. Default: 5000, and never past the invocation. */
  readonly waitMs?: number | undefined
  /**
   * Wait in the order of arrival, and get the lock from whoever releases it, in the same write. At most 128 wait; the next is refused
   * at once. Not with `shared` and `limit`. Default: `false`.
   */
  readonly fair?: boolean | undefined
}

/** Options of {@link acquireLock}. */
export type AcquireOptions = TryAcquireOptions & WaitOptions

interface PolicyOptions {
  /** When the wait is over: throw `LOCK_HELD`, or `skip` the run and return `undefined`. Default: `reject`. */
  readonly onHeld?: 'reject' | 'skip' | undefined
  /**
   * When the store can't be reached: throw `STORE_UNAVAILABLE`, or run without the lock, which is the user's own choice of
   * availability over consistency. A wrong table or a refused permission always throws. Default: `reject`.
   */
  readonly onStoreUnavailable?: 'reject' | 'run-unprotected' | undefined
}

interface ReentranceOptions {
  /**
   * Code that runs under this lock may take it again: it gets the same grant, which is released when the last of them is done. Counted
   * in this process, by its async context, never in the record. Both takers have to say so. Default: `false`.
   */
  readonly reentrant?: boolean | undefined
}

/** Options of {@link makeLocked}. `A` are the arguments of the function. */
export type LockOptions<A extends readonly unknown[] = []> = LeaseOptions &
  KeyOptions<A> &
  ModeOptions &
  WaitOptions &
  PolicyOptions &
  ReentranceOptions

/** Options of {@link withLock}. */
export type WithLockOptions = LockOptions<[]> & InvocationOptions

/** Checked options with their defaults: a copy, so that nobody changes them under way. */
export interface LockSettings<A extends readonly unknown[]> {
  readonly store: Store
  /** With `several` a list of keys, or what gives one. */
  readonly key: KeyPart | ((...args: A) => KeyPart)
  readonly several: boolean
  readonly share: Share | undefined
  readonly fair: boolean
  readonly reentrant: boolean
  readonly leaseMs: number | undefined
  readonly waitMs: number
  readonly onHeld: 'reject' | 'skip'
  readonly onStoreUnavailable: 'reject' | 'run-unprotected'
  readonly label: string | undefined
  readonly onEvent: OnEvent | undefined
}

/** Which options an entrance takes: an option that would silently do nothing is refused. */
export type Entrance = 'tryAcquireLock' | 'acquireLock' | 'withLock' | 'makeLocked' | 'locked' | 'campaign'

const LEASE_OPTIONS = ['store', 'key', 'keys', 'mode', 'limit', 'weight', 'leaseMs', 'label', 'onEvent']
const WAIT_OPTIONS = ['waitMs', 'fair']
const POLICY_OPTIONS = ['onHeld', 'onStoreUnavailable']
const ACCEPTED: { readonly [entrance in Entrance]: readonly (readonly string[])[] } = {
  tryAcquireLock: [LEASE_OPTIONS, ['context']],
  acquireLock: [LEASE_OPTIONS, WAIT_OPTIONS, ['context']],
  withLock: [LEASE_OPTIONS, WAIT_OPTIONS, POLICY_OPTIONS, ['reentrant', 'context']],
  // Their context comes with each call: one given for all calls would be another invocation's.
  makeLocked: [LEASE_OPTIONS, WAIT_OPTIONS, POLICY_OPTIONS, ['reentrant']],
  // A middleware does not call the handler, so there is no async context to count in.
  locked: [LEASE_OPTIONS, WAIT_OPTIONS, POLICY_OPTIONS],
  campaign: [['store', 'key', 'leaseMs', 'label', 'onEvent']],
}

const DEFAULT_WAIT_MS = 5000
const LONGEST_MS = 86_400_000
const LONGEST_LABEL = 256
const MOST_PERMITS = 1_000_000

/** @throws AlonceError `CONFIG_INVALID`, naming the option. */
export function lockSettings<A extends readonly unknown[]>(
  options: LockOptions<A> & InvocationOptions,
  entrance: Entrance,
): LockSettings<A> {
  refuseUnknown(options, entrance, ACCEPTED[entrance].flat())
  const { onHeld, onStoreUnavailable, context } = options
  const store = storeOption(options.store)
  checkKeys(options)
  if (context !== undefined) callable('context', context?.getRemainingTimeInMillis ?? null, LAMBDA_CONTEXT)
  const share = shareOf(options)
  const fair = flag('fair', options.fair)
  if (fair && share) throw configInvalid('fair', 'goes with exclusive locks only, not with "limit" or the mode "shared".')
  return {
    store,
    key: options.keys ?? options.key,
    several: options.keys !== undefined,
    share,
    fair,
    reentrant: flag('reentrant', options.reentrant),
    leaseMs: wholeNumber('leaseMs', options.leaseMs, [Math.max(1, store.capabilities.minLeaseMs), LONGEST_MS]),
    waitMs: wholeNumber('waitMs', options.waitMs, [0, LONGEST_MS]) ?? DEFAULT_WAIT_MS,
    onHeld: oneOf('onHeld', onHeld, ['reject', 'skip']) ?? 'reject',
    onStoreUnavailable: oneOf('onStoreUnavailable', onStoreUnavailable, ['reject', 'run-unprotected']) ?? 'reject',
    label: shortText('label', options.label, LONGEST_LABEL),
    onEvent: callable('onEvent', options.onEvent),
  }
}

const LAMBDA_CONTEXT = "Lambda's context, with its method getRemainingTimeInMillis()"

function checkKeys<A extends readonly unknown[]>(options: KeyOptions<A>): void {
  if (options.keys === undefined) {
    if (options.key === undefined && !('key' in options)) throw configInvalid('key', 'is required: what is the lock on?')
    return
  }
  if (options.key !== undefined) throw configInvalid('keys', 'takes the place of "key": give one of them.')
  if (typeof options.keys !== 'function' && !Array.isArray(options.keys))
    throw configInvalid('keys', 'must be an array of keys, or a function that returns one.')
}

function shareOf({ mode, limit, weight }: ModeOptions): Share | undefined {
  oneOf('mode', mode, ['exclusive', 'shared'])
  if (limit === undefined) {
    if (weight !== undefined) throw configInvalid('weight', 'goes with "limit" only.')
    return mode === 'shared' ? { weight: 1 } : undefined
  }
  if (mode !== undefined) throw configInvalid('limit', `hands out permits, and does not go with the mode "${String(mode)}".`)
  wholeNumber('limit', limit, [1, MOST_PERMITS])
  return { limit, weight: wholeNumber('weight', weight, [1, limit]) ?? 1 }
}
