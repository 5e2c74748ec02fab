import type { LockRecord } from '../store/record.ts'
import { forget, remember } from './release-all.ts'
import { type LockRequest, monotonic } from './request.ts'
import { placeOf } from './transitions.ts'
import { turnPauseMs } from './waiting.ts'

/** A waiter that died is taken for alive for so long. */
const SIGN_OF_LIFE_MS = 45_000
/** It is given anew when this part of it is over. */
const DUE_AFTER = 2 / 3
/** What the wait may end late by, and the store's clock be uncertain by. */
const MARGIN_MS = 3000

/** A waiter's place in the queue of a lock: where it stands, how fast that moves, and when to give a sign of life. */
export class Place {
  readonly #request: LockRequest
  readonly #withdraw: () => Promise<void>
  readonly #left = new AbortController()
  #signDueAtMs = Number.POSITIVE_INFINITY
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
    this.#signDueAtMs = monotonic(this.#request) + ms * DUE_AFTER
    if (ms < SIGN_OF_LIFE_MS) this.#signDueAtMs = Number.POSITIVE_INFINITY
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
    return monotonic(this.#request) >= this.#signDueAtMs ? 'due' : 'waiting'
  }

  #move(ahead: number): void {
    if (this.#now?.ahead !== ahead) this.#now = { ahead, sinceMs: monotonic(this.#request) }
  }

  pauseMs(fraction: number): number | undefined {
    if (!this.#now || !this.#taken) return undefined
    const { ahead, sinceMs } = this.#now
    const moved = this.#taken.ahead - ahead
    const turnMs = moved > 0 ? (sinceMs - this.#taken.atMs) / moved : undefined
    return turnPauseMs({ ahead, turnMs, hereMs: monotonic(this.#request) - sinceMs }, fraction)
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
