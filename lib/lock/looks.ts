import { isAlonceError } from '../store/errors.ts'
import type { LockRecord } from '../store/record.ts'
import { isOutOfDate } from './crowd.ts'
import { elapsedMs, type LockRequest, monotonic, timeoutOf } from './request.ts'

/** The looks of one who waits at the lock's record, and how long they take to be answered. */
export class Looks {
  readonly #request: LockRequest
  readonly #onRequest: () => void
  #quickestMs = Number.POSITIVE_INFINITY
  /** What the last one took. */
  answerMs = 0

  constructor(request: LockRequest, onRequest: () => void) {
    this.#request = request
    this.#onRequest = onRequest
  }

  /** `unknown`: the store did not answer. */
  async look(): Promise<LockRecord | undefined | 'unknown'> {
    const { store, key } = this.#request
    const sinceMs = monotonic(this.#request)
    try {
      const record = await store.read(key, { timeoutMs: timeoutOf(this.#request), onRequest: this.#onRequest })
      return record?.kind === 'lock' ? record : undefined
    } catch (error) {
      if (isAlonceError(error, 'STORE_UNAVAILABLE')) return 'unknown'
      throw error
    } finally {
      this.answerMs = elapsedMs(this.#request, sinceMs)
      this.#quickestMs = Math.min(this.#quickestMs, this.answerMs)
    }
  }

  /** Whether to look again before a write that the last look suggests. */
  get isOutOfDate(): boolean {
    return isOutOfDate(this.answerMs, this.#quickestMs)
  }
}
