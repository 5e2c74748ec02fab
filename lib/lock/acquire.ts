import { AlonceError } from '../store/errors.ts'
import type { Held } from './attempt.ts'
import type { Lock } from './handle.ts'
import { type AcquireOptions, type Entrance, lockSettings, type TryAcquireOptions } from './options.ts'
import { type LockRequest, lockRequests } from './request.ts'
import { acquireEach } from './several.ts'

/**
 * Takes the lock, waiting for its holder up to `waitMs`.
 *
 * @throws AlonceError `LOCK_HELD` with `holder`, `fence` and `retryAfterMs`; `LEASE_EXPIRED` when the answer took longer
 * than the lease; `KEY_MISSING`, `KEY_INVALID`, `CONFIG_INVALID`; whatever the store throws
 *
 * @example
 * await using lock = await acquireLock({ store, key: ['account', 7] })
 * await settle({ fence: lock.fence, signal: lock.signal })
 */
export async function acquireLock(options: AcquireOptions): Promise<Lock> {
  const outcome = await acquireEach(requestsOf(options, 'acquireLock'))
  if (outcome.lock) return outcome.lock
  throw lockHeld(outcome.request, outcome.held)
}

/**
 * Takes the lock if it is free now; otherwise `undefined`.
 *
 * @throws as {@link acquireLock}, `LOCK_HELD` apart
 */
export async function tryAcquireLock(options: TryAcquireOptions): Promise<Lock | undefined> {
  const [first, ...others] = requestsOf(options, 'tryAcquireLock')
  const outcome = await acquireEach([atOnce(first), ...others.map(atOnce)])
  return outcome.lock
}

const atOnce = (request: LockRequest): LockRequest => ({ ...request, waitMs: 0 })

function requestsOf(options: AcquireOptions, entrance: Entrance): readonly [LockRequest, ...LockRequest[]] {
  const settings = lockSettings(options, entrance)
  return lockRequests(settings, typeof settings.key === 'function' ? settings.key() : settings.key, options.context)
}

/** A refusal as an error, for those who asked for one. */
export function lockHeld({ store, name, waitMs, share }: LockRequest, { fence, holder, because }: Held): AlonceError {
  const untilEndMs = holder.expiresAtMs - store.now().earliest
  const retryAfterMs = Number.isFinite(untilEndMs) ? Math.max(1, Math.ceil(untilEndMs)) : undefined
  const who = holder.label === undefined ? 'another' : `"${holder.label}"`
  const why = {
    alone: `is held by ${who}`,
    shared: `is shared by ${who}`,
    full: `has no permits left for a weight of ${share?.weight}: ${who} has some`,
    limit: `is in use by ${who} with another limit than ${share?.limit ?? 'none'}; everybody has to name the same one`,
    queue: `is waited for by ${who}, who came earlier`,
    'queue-full': `is waited for by as many as may wait, behind ${who}`,
  }[because ?? 'alone']
  const message = `The lock "${name}" ${why} (fence ${fence}), after a wait of up to ${waitMs} ms. Try again later, or raise waitMs.`
  return new AlonceError('LOCK_HELD', message, { key: name, holder: holder.label, fence, retryAfterMs })
}
