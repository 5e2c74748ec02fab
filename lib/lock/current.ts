import { AsyncLocalStorage } from 'node:async_hooks'
import { AlonceError } from '../store/errors.ts'
import type { Lock } from './handle.ts'

/** `lock` is `undefined` where the code runs unprotected: an outer lock must not be taken for this one. */
export interface Holding {
  readonly lock: Lock | undefined
  /** Of the code that called this code. */
  readonly outer: Holding | undefined
}

const holding = /* @__PURE__ */ new AsyncLocalStorage<Holding>()

/**
 * The innermost lock that the running code was called under, by `withLock` or `makeLocked`. A middleware can't
 * reach into the handler's calls: under `locked()` the handle is `context.alonce.lock`.
 *
 * @throws AlonceError `CONFIG_INVALID` where there is none
 */
export function currentLock(): Lock {
  const current = holding.getStore()
  if (current?.lock) return current.lock
  const why = current
    ? 'this code runs unprotected, because the store could not be reached and onStoreUnavailable is "run-unprotected"'
    : 'this code was not called by withLock or by a function of makeLocked (under the middleware locked() use context.alonce.lock)'
  throw new AlonceError('CONFIG_INVALID', `There is no current lock: ${why}.`)
}

export const runHolding = <R>(lock: Lock | undefined, fn: () => R): R => holding.run({ lock, outer: holding.getStore() }, fn)

/** All locks that the running code was called under, from the innermost to the outermost. */
export function* locksHeld(): Generator<Lock> {
  for (let at = holding.getStore(); at; at = at.outer) if (at.lock) yield* at.lock.locks
}
