import type { Lease } from '../runtime/invocation.ts'
import { isAlonceError } from '../store/errors.ts'
import type { Fence, RecordKey } from '../store/record.ts'
import type { Store } from '../store/store.ts'
import { type OperationEnd, OperationEndedError } from './ended.ts'
import { beginStep, type Tell } from './telling.ts'

export interface Held {
  readonly store: Store
  readonly key: RecordKey
  readonly owner: string
  readonly lease: Lease
  readonly fence: Fence
  readonly expiresAtMs: number
  /** Monotonic time at which the begin was sent. */
  readonly sentAt: number
  readonly tell: Tell
}

/** An `AbortSignal` whose reason says what ended the attempt. */
export interface OperationSignal extends AbortSignal {
  readonly reason: OperationEndedError
}

/** Part of the lease that is left when trust in it ends: the signal must come before the end, however late a timer fires. */
const MARGIN = 0.05
const LONGEST_MARGIN_MS = 1000
const RETRY_MS = 250 // and twice as long after each failure, up to a ninth of the lease

/**
 * Keeps the lease of one running attempt: renews it at a third of its length, and aborts `signal` when it is lost, or before
 * it ends. Timers are in the background, and there is none for a lease that outlives its invocation.
 */
export class LeaseKeeper {
  readonly #held: Held
  /** Made when somebody asks for the signal: most attempts end unwatched, and an `AbortSignal` and an error's stack cost more than the rest. */
  #controller: AbortController | undefined
  #expiresAtMs: number
  /** Where the store's time is unknown: the monotonic time until which the lease lasts at least. */
  #lastsUntil: number
  #end: OperationEnd | undefined
  #resting = false
  #failures = 0
  #cancelRenewal: (() => void) | undefined
  #cancelWatch: (() => void) | undefined
  /** An extension may have been applied without an answer: the next one is a re-sending of it. */
  #unanswered: { readonly firstSentAtMs: number } | undefined

  constructor(held: Held) {
    this.#held = held
    this.#expiresAtMs = held.expiresAtMs
    this.#lastsUntil = held.sentAt + held.lease.leaseMs
    if (!held.lease.renewed) return
    this.#renewAfter(held.lease.leaseMs / 3)
    this.#watch()
  }

  get signal(): OperationSignal {
    if (!this.#controller) {
      this.#controller = new AbortController()
      if (this.#end) this.#controller.abort(new OperationEndedError(this.#end, this.#held.key))
    }
    return this.#controller.signal
  }

  /** Why the signal is aborted; `undefined` while it is not. */
  get end(): OperationEnd | undefined {
    return this.#end
  }

  /** Too late to change the record: the attempt is being ended, or has been. */
  get over(): boolean {
    return this.#resting
  }

  /** The attempt is being ended: nothing is renewed any more, and an extension under way may be refused without alarm. */
  rest(): void {
    this.#resting = true
    this.#cancelRenewal?.()
    this.#cancelWatch?.()
  }

  /** What is left of the lease for somebody who errs on the safe side. Milliseconds. */
  leftMs(): number {
    const { store } = this.#held
    const { latest } = store.now()
    return Number.isFinite(latest) ? this.#expiresAtMs - latest : this.#lastsUntil - store.runtime.clock.monotonic()
  }

  /** No timer is left, nothing is renewed any more, and whoever listens to the signal hears why. */
  stop(reason: OperationEnd): void {
    if (this.#end) return
    this.rest()
    this.#end = reason
    this.#controller?.abort(new OperationEndedError(reason, this.#held.key))
  }

  /** @throws OperationEndedError when the attempt has ended or is refused; and what a store throws */
  async extend(leaseMs: number): Promise<void> {
    const { store, key, owner, fence, tell } = this.#held
    if (this.#resting) throw this.endedError()
    const step = beginStep(store.runtime.clock)
    const sentAt = store.runtime.clock.monotonic()
    const resent = this.#unanswered !== undefined
    const firstSentAtMs = this.#unanswered?.firstSentAtMs ?? store.now().latest
    try {
      const { onRequest } = step
      const reply = await store.execute({ type: 'once.extend', key, owner, leaseMs }, { resent, firstSentAtMs, onRequest })
      if (this.#resting) return
      if (reply.outcome !== 'extended') throw this.lose(reply.outcome)
      this.#unanswered = undefined
      this.#failures = 0
      this.#expiresAtMs = Math.max(this.#expiresAtMs, reply.expiresAtMs)
      this.#lastsUntil = Math.max(this.#lastsUntil, sentAt + leaseMs)
      tell('extended', { fence, ...step.measured() })
    } catch (error) {
      if (this.#resting) throw error
      if (isAlonceError(error, 'STORE_UNAVAILABLE') && error.maybeApplied !== false) this.#unanswered = { firstSentAtMs }
      tell('extend-failed', { fence, code: isAlonceError(error) ? error.code : undefined, ...step.measured() })
      throw error
    }
  }

  endedError(): OperationEndedError {
    return new OperationEndedError(this.#end ?? 'ended', this.#held.key)
  }

  /** The store has refused us: says so, and gives what to throw. A refusal that comes after the end is no news. */
  lose(reason: 'lost' | 'uncertain'): OperationEndedError {
    if (this.#resting) return this.endedError()
    const error = new OperationEndedError(reason, this.#held.key)
    this.#held.tell('lost', { reason, code: error.code, fence: this.#held.fence })
    this.stop(reason)
    return error
  }

  #renewAfter(ms: number): void {
    const renew = (): void => {
      const { leaseMs } = this.#held.lease
      // Each end of it decides on the next one itself, so there is nothing left to await or to catch.
      this.extend(leaseMs).then(
        () => this.#renewAfter(leaseMs / 3),
        () => this.#renewAfter(Math.min(RETRY_MS * 2 ** this.#failures++, leaseMs / 9)),
      )
    }
    if (!this.#resting) this.#cancelRenewal = this.#held.store.runtime.timer.after(ms, renew, 'background')
  }

  #watch(): void {
    if (this.#resting) return
    const { lease, store, tell } = this.#held
    const trustedMs = this.leftMs() - Math.min(LONGEST_MARGIN_MS, lease.leaseMs * MARGIN)
    if (trustedMs > 0) {
      this.#cancelWatch = store.runtime.timer.after(trustedMs, () => this.#watch(), 'background')
      return
    }
    tell('lost', { reason: 'expired', code: 'LEASE_EXPIRED', fence: this.#held.fence })
    this.stop('expired')
  }
}
