import { AlonceError } from '../store/errors.ts'
import { acquire, type Held } from './attempt.ts'
import type { Lock } from './handle.ts'
import { type AcquireOptions, type Entrance, lockSettings, type TryAcquireOptions } from './options.ts'
import { type LockRequest, lockRequest } from './request.ts'

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
  const request = requestOf(options, 'acquireLock')
  const outcome = await acquire(request)
  if (outcome.lock) return outcome.lock
  throw lockHeld(request, outcome.held)
}

/**
 * Takes the lock if it is free now; otherwise `undefined`.
 *
 * @throws as {@link acquireLock}, `LOCK_HELD` apart
 */
export async function tryAcquireLock(options: TryAcquireOptions): Promise<Lock | undefined> {
  const outcome = await acquire({ ...requestOf(options, 'tryAcquireLock'), waitMs: 0 })
  return outcome.lock
}

function requestOf(options: AcquireOptions, entrance: Entrance): LockRequest {
  const settings = lockSettings(options, entrance)
  return lockRequest(settings, typeof settings.key === 'function' ? settings.key() : settings.key, options.context)
}

/** A refusal as an error, for those who asked for one. */
export function lockHeld({ store, name, waitMs }: LockRequest, { fence, holder }: Held): AlonceError {
  const untilEndMs = holder.expiresAtMs - store.now().earliest
  const retryAfterMs = Number.isFinite(untilEndMs) ? Math.max(1, Math.ceil(untilEndMs)) : undefined
  const who = holder.label === undefined ? 'another' : `"${holder.label}"`
  const message = `The lock "${name}" is held by ${who} (fence ${fence}), after a wait of up to ${waitMs} ms. Try again later, or raise waitMs.`
  return new AlonceError('LOCK_HELD', message, { key: name, holder: holder.label, fence, retryAfterMs })
}
