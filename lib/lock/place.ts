import type { LockRecord } from '../store/record.ts'
import { forget, remember } from './release-all.ts'
import { type LockRequest, monotonic } from './request.ts'
import { placeOf } from './transitions.ts'
import { turnPauseMs } from './waiting.ts'

/** A waiter that died is taken for alive for so long. */
const SIGN_OF_LIFE_MS = 60_000
/** It is given anew when this part of it is over, unless our turn is expected before the rest is. */
const DUE_AFTER = 2 / 3
/** Whatever is expected: it must not end for a delay. A place is lost only if the holder dies meanwhile, and there is a way back. */
const DUE_AT_LATEST_AFTER = 0.95
/** What the wait may end late by, and the store's clock be uncertain by. */
const MARGIN_MS = 3000
/** When more than these had their turn since we came, and nobody has come behind us, nobody is expected during ours. */
const FEW = 2

/** A waiter's place in the queue of a lock: where it stands, how fast that moves, and when to give a sign of life. */
export class Place {
  readonly #request: LockRequest
  readonly #withdraw: () => Promise<void>
  readonly #left = new AbortController()
  /** When the last sign of life was given that has to be given again; `undefined`: it is good for the rest of the wait. */
  #signedAtMs: number | undefined
  #taken: { readonly ahead: number; readonly atMs: number } | undefined
  #now: { readonly ahead: number; readonly sinceMs: number } | undefined

  constructor(request: LockRequest, withdraw: () => Promise<void>) {
    this.#request = request
    this.#withdraw = withdraw
    remember(request.store, this)
  }

  get taken(): boolean {
    return this.#taken !== undefined
  }
  /** Aborts when it is given up. */
  get signal(): AbortSignal {
    return this.#left.signal
  }

  /** For the next sign: no longer than the rest of the wait needs, so that a short wait blocks nobody for long. */
  signOfLifeMs(leftMs: number): number {
    const ms = Math.ceil(Math.min(SIGN_OF_LIFE_MS, Math.max(0, leftMs) + MARGIN_MS))
    this.#signedAtMs = ms < SIGN_OF_LIFE_MS ? undefined : monotonic(this.#request)
    return ms
  }

  take(ahead: number): void {
    this.#taken ??= { ahead, atMs: monotonic(this.#request) }
    this.#move(ahead)
  }

  /** `none`: it is not there (any more); `due`: it is time for a sign of life. */
  look({ queue }: LockRecord, owner: string): 'none' | 'due' | 'waiting' {
    const ahead = placeOf(queue, owner)
    if (ahead < 0) return 'none'
    this.#move(ahead)
    return this.#isSignDue() ? 'due' : 'waiting'
  }

  #isSignDue(): boolean {
    if (this.#signedAtMs === undefined) return false
    const ageMs = monotonic(this.#request) - this.#signedAtMs
    if (ageMs < SIGN_OF_LIFE_MS * DUE_AFTER) return false
    const turnMs = this.#turnMs()
    const waitMs = turnMs === undefined ? Number.POSITIVE_INFINITY : ((this.#now?.ahead ?? 0) + 1) * turnMs
    return ageMs + waitMs > SIGN_OF_LIFE_MS * DUE_AT_LATEST_AFTER
  }

  /** Whether the one that holds it after us is expected to be there by then: somebody is, or hardly anybody had come before us. */
  expectsFollowers({ queue = [] }: LockRecord): boolean {
    return queue.length > 0 || (this.#taken?.ahead ?? 0) < FEW
  }

  #move(ahead: number): void {
    if (this.#now?.ahead !== ahead) this.#now = { ahead, sinceMs: monotonic(this.#request) }
  }

  pauseMs(fraction: number): number | undefined {
    if (!this.#now || !this.#taken) return undefined
    const { ahead, sinceMs } = this.#now
    return turnPauseMs({ ahead, turnMs: this.#turnMs(), hereMs: monotonic(this.#request) - sinceMs }, fraction)
  }

  /** How long a turn takes, as far as we have seen; `undefined`: we have not seen one end. */
  #turnMs(): number | undefined {
    if (!this.#now || !this.#taken) return undefined
    const moved = this.#taken.ahead - this.#now.ahead
    return moved > 0 ? (this.#now.sinceMs - this.#taken.atMs) / moved : undefined
  }

  /** For `releaseAll`: nobody is handed a lock whose process is going. */
  async release(): Promise<void> {
    const { taken } = this
    this.#left.abort()
    this.leave()
    if (taken) await this.#withdraw()
  }

  /** The wait is over, one way or the other. */
  leave(): void {
    this.#taken = undefined
    forget(this.#request.store, this)
  }
}
