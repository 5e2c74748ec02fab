import type { MiddlewareObj, Request } from '@middy/core'
import type { LeasedLock, Lock } from '../lock/handle.ts'
import { type LockOptions, lockSettings } from '../lock/options.ts'
import { enter, type Protected } from '../lock/with-lock.ts'
import { findContext } from '../runtime/invocation.ts'
import { answerEarly, type Ending, endReturned, endThrown, expose, type MiddyRequest, take } from './middy-request.ts'

/** As for `makeLocked`; `key` is a function of the event. */
export type LockedOptions<TEvent> = LockOptions<[event: TEvent]>

type With<Handle> = Request['context'] & { alonce: { lock: Handle } }

/**
 * Runs what comes after it in the chain, and the handler, under a lock. The handle is `context.alonce.lock`; with several
 * `locked` in a chain it is that of the last one.
 *
 * `makeLocked` around the handler is the first choice: it sees every end of the handler. middy skips a middleware's end when a
 * later one answers early or for it. So put this last in the chain, and give middy an `aloncePlugin()`: without one, such an
 * answer leaves the lock held until its lease ends. After middy's early time-out it is held until then in any case, because
 * the handler still runs.
 *
 * With `onHeld: 'skip'` a held lock is answered early with `undefined`. With `onStoreUnavailable: 'run-unprotected'` the handle
 * is `undefined` when the store could not be reached.
 *
 * @throws AlonceError `CONFIG_INVALID` at once; each request rejects as `acquireLock` does
 *
 * @example
 * middy(aloncePlugin())
 *   .use(locked({ store, key: (event: ChargeEvent) => ['account', event.accountId] }))
 *   .handler(async (event, context) => settle(event, context.alonce.lock.fence))
 */
export function locked<TEvent = unknown>(
  options: LockedOptions<TEvent> & Protected,
): MiddlewareObj<TEvent, unknown, Error, With<Lock>>
export function locked<TEvent = unknown>(
  options: LockedOptions<TEvent>,
): MiddlewareObj<TEvent, unknown, Error, With<Lock | undefined>>
export function locked(options: LockedOptions<unknown>): MiddlewareObj<unknown, unknown, Error, With<Lock>> {
  const settings = lockSettings(options, 'locked')
  const { key } = settings
  const by = Symbol('locked')

  async function lockedMiddlewareBefore(request: MiddyRequest): Promise<void> {
    const part = typeof key === 'function' ? key(request.event) : key
    const entered = await enter(settings, part, findContext([request.context]))
    switch (entered.as) {
      case 'skipped':
        return answerEarly(request, undefined)
      case 'unprotected':
        return expose(request, 'lock', undefined)
      case 'holder':
        take(request, { by, end: (ending) => leave(entered.lock, ending) })
        return expose(request, 'lock', entered.lock)
    }
  }
  const lockedMiddlewareAfter = (request: MiddyRequest): Promise<void> => endReturned(request, by)
  const lockedMiddlewareOnError = (request: MiddyRequest): Promise<void> => endThrown(request, by)

  return { before: lockedMiddlewareBefore, after: lockedMiddlewareAfter, onError: lockedMiddlewareOnError }
}

/** Never throws: a release that fails is told by an event, and hides neither the response nor an error. */
async function leave(lock: LeasedLock, ending: Ending): Promise<unknown> {
  if (ending.as === 'still-running') lock.stop()
  else await lock[Symbol.asyncDispose]()
  return ending.as === 'returned' ? ending.value : undefined
}
