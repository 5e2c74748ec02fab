import { configInvalid } from '../store/errors.ts'
import type { Fence } from '../store/record.ts'
import type { GuardItem } from '../store/transaction.ts'
import { locksHeld } from './current.ts'
import { LockEndedError } from './ended.ts'
import type { Fenced, FencedOptions, FencedWrite } from './fenced.ts'
import type { HeldLock, Lock, LockSignal } from './handle.ts'
import type { LockRequest } from './request.ts'

/** One grant, and how many of our own have entered under it. The store knows of one. */
interface Entered {
  readonly lock: HeldLock
  readonly request: LockRequest
  count: number
}

export const reentrant = (lock: HeldLock, request: LockRequest): HeldLock => new Entry({ lock, request, count: 0 })

/**
 * The grant of the same lock that the running code was called under, once more; `undefined`: there is none.
 *
 * @throws LockEndedError when that grant is over; AlonceError `CONFIG_INVALID` when it is of another mode: to wait for it
 * would be to wait for ourselves
 */
export function reentered(request: LockRequest): HeldLock | undefined {
  for (const lock of locksHeld()) {
    if (!(lock instanceof Entry) || !lock.isOf(request)) continue
    lock.assertHeld()
    return lock.again(request)
  }
  return undefined
}

/** Each taker has a handle of its own; the last one to leave releases the lock. */
class Entry implements HeldLock {
  readonly #entered: Entered
  readonly #left = new AbortController()
  #signal: LockSignal | undefined

  constructor(entered: Entered) {
    this.#entered = entered
    entered.count++
  }

  isOf({ store, key }: LockRequest): boolean {
    const { request, count } = this.#entered
    return count > 0 && request.store === store && request.key === key
  }

  again({ share, name }: LockRequest): HeldLock {
    const outer = this.#entered.request.share
    if (share?.limit !== outer?.limit || share?.weight !== outer?.weight)
      throw configInvalid(
        'reentrant',
        `can't change the mode: this code holds "${name}" in another one, and would wait for itself.`,
      )
    return new Entry(this.#entered)
  }

  get name(): string {
    return this.#entered.lock.name
  }
  get fence(): Fence {
    return this.#entered.lock.fence
  }
  get fences(): { readonly [name: string]: Fence } {
    return this.#entered.lock.fences
  }
  get owner(): string {
    return this.#entered.lock.owner
  }
  get locks(): readonly Lock[] {
    return [this]
  }
  get signal(): LockSignal {
    this.#signal ??= AbortSignal.any([this.#entered.lock.signal, this.#left.signal])
    return this.#signal
  }

  remainingMs(): number {
    return this.#left.signal.aborted ? 0 : this.#entered.lock.remainingMs()
  }

  assertHeld(): void {
    this.#entered.lock.assertHeld()
    this.#left.signal.throwIfAborted()
  }

  async renew(): Promise<void> {
    this.assertHeld()
    await this.#entered.lock.renew()
  }

  async release(): Promise<void> {
    if (!this.#left.signal.aborted) {
      this.#left.abort(new LockEndedError('released', this))
      this.#entered.count--
    }
    if (this.#entered.count === 0) await this.#entered.lock.release()
  }

  guard(): GuardItem {
    this.assertHeld()
    return this.#entered.lock.guard()
  }

  fenced<W extends FencedWrite>(write: W, options?: FencedOptions): Fenced<W> {
    return this.#entered.lock.fenced(write, options)
  }

  /** The invocation of all of them ends. */
  stop(): void {
    this.#entered.lock.stop()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release().catch(() => undefined) // told by the event `release-failed`
  }
}
