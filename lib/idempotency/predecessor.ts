import { AlonceError, isAlonceError } from '../store/errors.ts'
import type { SendOptions } from '../store/store.ts'
import { type Identity, requestTime } from './claim.ts'
import { beginStep } from './telling.ts'

/**
 * The records of another library, read only: for a team that comes to Alonce while its old records are still good. It is
 * consulted before the first begin of each call, and whatever it knows counts.
 */
export interface Predecessor<A extends readonly unknown[] = readonly unknown[]> {
  /**
   * What is known there of the request with these arguments; `undefined`: nothing that counts any more. The arguments are read
   * before the first `await`.
   *
   * @throws AlonceError what a store throws
   */
  find(args: A, options: SendOptions): Promise<Earlier | undefined>
}

export type Earlier =
  /** `value`: a fresh copy for each call. */
  | { readonly status: 'completed'; readonly value: unknown }
  /** `leftMs`: how long that attempt may still own its record. */
  | { readonly status: 'in-progress'; readonly leftMs: number }
  /** The same key, another payload. */
  | { readonly status: 'mismatch' }

const LONGEST_RETRY_MS = 5000
const SHORTEST_RETRY_MS = 100

/**
 * `undefined`: begin. Nobody waits for an old attempt, whatever `waitMs` says: its caller comes again.
 *
 * @throws AlonceError `IN_PROGRESS`, `FINGERPRINT_MISMATCH`, and what a store throws
 */
export async function consult(
  identity: Identity,
  predecessor: Predecessor,
  args: readonly unknown[],
): Promise<{ readonly kind: 'replay'; readonly value: unknown } | undefined> {
  const { plan, tell, deadline } = identity
  const step = beginStep(plan.store.runtime.clock)
  try {
    const earlier = await predecessor.find(args, { onRequest: step.onRequest, timeoutMs: requestTime(deadline) })
    if (!earlier) return undefined
    if (earlier.status !== 'completed') throw refusal(earlier, identity.key)
    tell('replayed', { reason: 'predecessor', ...step.measured() })
    return { kind: 'replay', value: earlier.value }
  } catch (error) {
    if (!isAlonceError(error)) throw error
    const reason = 'predecessor'
    if (error.code === 'STORE_UNAVAILABLE' && plan.onStoreUnavailable === 'run-unprotected') {
      // Our own record still protects the call; from what the predecessor may know, nothing does.
      tell('run-unprotected', { reason, code: error.code, ...step.measured() })
      return undefined
    }
    tell(error.code === 'FINGERPRINT_MISMATCH' ? 'mismatch' : 'rejected', { reason, code: error.code, ...step.measured() })
    throw error
  }
}

function refusal(earlier: Exclude<Earlier, { readonly status: 'completed' }>, key: string): AlonceError {
  if (earlier.status === 'mismatch') {
    const message =
      'This idempotency key was used with another payload before the change to Alonce. Send a new request under a new key.'
    return new AlonceError('FINGERPRINT_MISMATCH', message, { key })
  }
  const retryAfterMs = Math.ceil(Math.min(LONGEST_RETRY_MS, Math.max(SHORTEST_RETRY_MS, earlier.leftMs)))
  const message = `An attempt at this operation that began before the change to Alonce is running, or died without a word. Try again in ${retryAfterMs} ms, under the same key.`
  return new AlonceError('IN_PROGRESS', message, { key, retryAfterMs })
}
