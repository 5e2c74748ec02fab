import { type LockOptions, lockSettings } from '../lock/options.ts'
import { enter, type Rejecting, runUnder } from '../lock/with-lock.ts'
import { findContext } from '../runtime/invocation.ts'
import type { KeyPart } from '../store/key.ts'

/** Lambda takes a handler with a third parameter for one that calls back, and refuses it. */
const MOST_PARAMETERS = 2

/**
 * Wraps `fn` so that each call runs under the lock that `key` makes of its arguments. Arguments, result and `this` stay as
 * they are; Lambda's context is recognised among the arguments. The handle is `currentLock()`.
 *
 * With `onHeld: 'skip'` the result is `undefined` when another holds the lock.
 *
 * @throws AlonceError `CONFIG_INVALID` at once; each call rejects as `acquireLock` does, or with what `fn` throws
 *
 * @example
 * const charge = makeLocked(chargeCard, { store, key: (event) => ['account', event.accountId] })
 */
export function makeLocked<A extends unknown[], R, T = unknown>(
  fn: (this: T, ...args: A) => R,
  options: LockOptions<A> & Rejecting,
): (this: T, ...args: A) => Promise<Awaited<R>>
export function makeLocked<A extends unknown[], R, T = unknown>(
  fn: (this: T, ...args: A) => R,
  options: LockOptions<A>,
): (this: T, ...args: A) => Promise<Awaited<R> | undefined>
export function makeLocked<A extends unknown[], R, T = unknown>(
  fn: (this: T, ...args: A) => R,
  options: LockOptions<A>,
): (this: T, ...args: A) => Promise<Awaited<R> | undefined> {
  const settings = lockSettings(options, 'makeLocked')
  const { key } = settings
  async function locked(this: T, ...args: A): Promise<Awaited<R> | undefined> {
    const part: KeyPart = typeof key === 'function' ? key.apply(this, args) : key
    const entered = await enter(settings, part, findContext(args))
    return runUnder(entered, () => fn.apply(this, args))
  }
  Object.defineProperty(locked, 'name', { value: fn.name, configurable: true })
  Object.defineProperty(locked, 'length', { value: Math.min(fn.length, MOST_PARAMETERS), configurable: true })
  return locked
}
