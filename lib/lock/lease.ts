import { remainingMs } from '../runtime/invocation.ts'
import type { Hint, Replies } from '../store/command.ts'
import { isAlonceError } from '../store/errors.ts'
import type { Fence } from '../store/record.ts'
import type { LockEnd } from './ended.ts'
import { codeOf, elapsedMs, type LockRequest, leaseOf, monotonic, tell, timeoutOf } from './request.ts'

export interface Grant {
  readonly owner: string
  readonly fence: Fence
  readonly expiresAtMs: number
  readonly leaseMs: number
  readonly renewed: boolean
  /** Where a store should look first for what we hold. */
  readonly hint?: Hint | undefined
  /** It was handed over to us, and this much is left to claim it by a first renewal. */
  readonly claimMs?: number | undefined
}

type RenewReply = Replies['lock.renew']

/** The last moments of an invocation are for answering: the lease ends for its code this much earlier, or a tenth. */
const DEADLINE_MARGIN_MS = 500
const FIRST_RETRY_MS = 100

/**
 * The holder's belief in a grant, and what keeps it up.
 *
 * It is trusted only while `now.latest < expiresAt` (V5). One background timer waits for whatever comes first: the next
 * renewal, the lease's end, or the invocation's. Each tick looks at the clocks anew, so one that comes late, after a
 * freeze, ends the lease and renews nothing.
 */
export class Lease {
  readonly #request: LockRequest
  readonly #grant: Grant
  readonly #onEnd: (end: LockEnd) => void
  readonly #deadline: { readonly atMs: number; readonly marginMs: number } | undefined
  #expiresAtMs: number
  /** How long the lease was when it was last given. */
  #termMs: number
  /** By the monotonic clock. */
  #renewAtMs = Number.POSITIVE_INFINITY
  #failures = 0
  /** When the renewal was first sent that has had no answer. */
  #unansweredSinceMs: number | undefined
  #inFlight: Promise<void> | undefined
  #cancelTimer: (() => void) | undefined
  #stopped = false

  constructor(request: LockRequest, grant: Grant, onEnd: (end: LockEnd) => void) {
    this.#request = request
    this.#grant = grant
    this.#onEnd = onEnd
    this.#expiresAtMs = grant.expiresAtMs
    this.#termMs = grant.claimMs ?? grant.leaseMs
    const remaining = remainingMs(request.context)
    if (remaining !== undefined) {
      const marginMs = Math.min(DEADLINE_MARGIN_MS, remaining / 10)
      this.#deadline = { atMs: monotonic(request) + remaining - marginMs, marginMs }
    }
    this.#planRenewal()
    this.#arm()
  }

  /** Milliseconds for which the lease can still be trusted, by the store's clock as it is known now; negative after its end. */
  leftMs(): number {
    return this.#expiresAtMs - this.#request.store.now().latest
  }

  /** Why the lease is over, told by the clocks alone. */
  end(): LockEnd | undefined {
    if (this.leftMs() <= 0) return 'expired'
    if (this.#deadline === undefined) return undefined
    // The context's own clock goes on while the process is frozen; ours does not.
    const remaining = remainingMs(this.#request.context) ?? 0
    return this.#deadline.atMs <= monotonic(this.#request) || remaining <= this.#deadline.marginMs ? 'deadline' : undefined
  }

  /** @throws whatever the store throws; a refusal ends the lease instead. */
  renew(): Promise<void> {
    this.#inFlight ??= this.#sendRenewal().finally(() => {
      this.#inFlight = undefined
      this.#arm()
    })
    return this.#inFlight
  }

  /** No timer is left, and whatever a renewal under way answers changes nothing. */
  stop(): void {
    this.#stopped = true
    this.#cancelTimer?.()
  }

  async #sendRenewal(): Promise<void> {
    const { store, key } = this.#request
    const { owner, fence, renewed, hint } = this.#grant
    const startedAtMs = monotonic(this.#request)
    const firstSentAtMs = this.#unansweredSinceMs ?? store.now().latest
    let requests = 0
    const leaseMs = renewed ? this.#grant.leaseMs : leaseOf(this.#request).leaseMs
    try {
      const reply = await store.execute(
        { type: 'lock.renew', key, owner, fence, leaseMs, hint },
        {
          resent: this.#unansweredSinceMs !== undefined,
          firstSentAtMs,
          timeoutMs: timeoutOf(this.#request),
          onRequest: () => requests++,
        },
      )
      this.#take(reply, { durationMs: elapsedMs(this.#request, startedAtMs), requests })
    } catch (error) {
      if (!isAlonceError(error) || error.maybeApplied !== false) this.#unansweredSinceMs = firstSentAtMs
      this.#postpone(error, requests)
      throw error
    }
  }

  #take(reply: RenewReply, cost: { readonly durationMs: number; readonly requests: number }): void {
    if (this.#stopped) return
    if (reply.outcome !== 'renewed') {
      this.#onEnd(reply.outcome)
      return
    }
    this.#expiresAtMs = Math.max(this.#expiresAtMs, reply.expiresAtMs)
    this.#termMs = this.#grant.leaseMs
    this.#failures = 0
    this.#unansweredSinceMs = undefined
    tell(this.#request, 'renewed', { fence: this.#grant.fence, ...cost })
    this.#planRenewal()
  }

  /** An outage is no reason to give up before the lease's end: back off, and try again. */
  #postpone(error: unknown, requests: number): void {
    if (this.#stopped) return
    this.#failures++
    tell(this.#request, 'renewal-failed', { fence: this.#grant.fence, requests, ...codeOf(error) })
    const backOffMs = Math.min(FIRST_RETRY_MS * 2 ** Math.min(this.#failures - 1, 16), this.#grant.leaseMs / 6)
    const jitter = 0.5 + this.#request.store.runtime.random.fraction() / 2
    if (this.#grant.renewed) this.#renewAtMs = monotonic(this.#request) + backOffMs * jitter
  }

  /** A third of the lease after it was given, and sooner when the answer took its time. */
  #planRenewal(): void {
    if (!this.#grant.renewed) return
    const inMs = Math.max(0, this.leftMs() - (this.#termMs * 2) / 3)
    this.#renewAtMs = monotonic(this.#request) + inMs
  }

  #arm(): void {
    this.#cancelTimer?.()
    if (this.#stopped) return
    const now = monotonic(this.#request)
    const renewInMs = this.#inFlight === undefined ? this.#renewAtMs - now : Number.POSITIVE_INFINITY
    const deadlineInMs = (this.#deadline?.atMs ?? Number.POSITIVE_INFINITY) - now
    const dueInMs = Math.max(1, Math.ceil(Math.min(renewInMs, this.leftMs(), deadlineInMs)))
    this.#cancelTimer = this.#request.store.runtime.timer.after(dueInMs, () => this.#tick(), 'background')
  }

  #tick(): void {
    if (this.#stopped) return
    const end = this.end()
    if (end) {
      this.#onEnd(end)
      return
    }
    if (this.#inFlight === undefined && monotonic(this.#request) >= this.#renewAtMs) {
      this.renew().catch(() => undefined) // told by an event, and planned anew
    }
    this.#arm()
  }
}
