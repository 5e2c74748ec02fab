import type { LambdaContext } from '../runtime/invocation.ts'
import { isAlonceError } from '../store/errors.ts'
import type { KeyPart } from '../store/key.ts'
import { lockHeld } from './acquire.ts'
import { acquire } from './attempt.ts'
import { runHolding } from './current.ts'
import type { LeasedLock, Lock } from './handle.ts'
import { type LockSettings, lockSettings, type WithLockOptions } from './options.ts'
import { lockRequest, tell } from './request.ts'

/** With these, whoever runs holds the lock. */
export interface Protected {
  readonly onStoreUnavailable?: 'reject' | undefined
}
/** With these, whoever returns has run. */
export interface Rejecting {
  readonly onHeld?: 'reject' | undefined
}

/**
 * Takes the lock, runs `fn`, gives the lock back, and returns what `fn` returned or throws what it threw. A release that
 * fails changes neither: an event tells.
 *
 * With `onHeld: 'skip'` the result is `undefined` when another holds the lock; with `onStoreUnavailable: 'run-unprotected'`
 * the lock is `undefined` when the store could not be reached.
 *
 * @throws as `acquireLock`, and whatever `fn` throws
 *
 * @example
 * const total = await withLock({ store, key: ['account', 7] }, async (lock) => settle(lock.fence))
 */
export async function withLock<R>(options: WithLockOptions & Protected & Rejecting, fn: (lock: Lock) => R): Promise<Awaited<R>>
export async function withLock<R>(options: WithLockOptions & Protected, fn: (lock: Lock) => R): Promise<Awaited<R> | undefined>
export async function withLock<R>(options: WithLockOptions & Rejecting, fn: (lock: Lock | undefined) => R): Promise<Awaited<R>>
export async function withLock<R>(options: WithLockOptions, fn: (lock: Lock | undefined) => R): Promise<Awaited<R> | undefined>
export async function withLock(options: WithLockOptions, fn: (lock: Lock) => unknown): Promise<unknown> {
  const settings = lockSettings(options, 'withLock')
  const key = typeof settings.key === 'function' ? settings.key() : settings.key
  return runUnder(await enter(settings, key, options.context), fn as (lock: Lock | undefined) => unknown)
}

/** What became of the wish to hold a lock, for the code that it was for. */
export type Entered =
  | { readonly as: 'holder'; readonly lock: LeasedLock }
  | { readonly as: 'skipped' }
  | { readonly as: 'unprotected' }

/** Takes the lock, and applies the user's choices where that can't be done. Every wrapper and middleware goes through here. */
export async function enter<A extends readonly unknown[]>(
  settings: LockSettings<A>,
  key: KeyPart,
  context: LambdaContext | undefined,
): Promise<Entered> {
  const request = lockRequest(settings, key, context)
  try {
    const { lock, held } = await acquire(request)
    if (lock) return { as: 'holder', lock }
    if (settings.onHeld === 'reject') throw lockHeld(request, held)
    tell(request, 'skipped', { fence: held.fence, holder: held.holder.label })
    return { as: 'skipped' }
  } catch (error) {
    if (settings.onStoreUnavailable === 'reject' || !isAlonceError(error, 'STORE_UNAVAILABLE')) throw error
    tell(request, 'run-unprotected', { code: error.code, reason: error.code })
    return { as: 'unprotected' }
  }
}

/** Runs `fn` as it was entered, and leaves: on the way out timers stop, the signal aborts, and the lock is given back. */
export async function runUnder<R>(entered: Entered, fn: (lock: Lock | undefined) => R): Promise<Awaited<R> | undefined> {
  switch (entered.as) {
    case 'skipped':
      return undefined
    case 'unprotected':
      return await runHolding(undefined, () => fn(undefined))
    case 'holder':
      try {
        return await runHolding(entered.lock, () => fn(entered.lock))
      } finally {
        await entered.lock[Symbol.asyncDispose]()
      }
  }
}
