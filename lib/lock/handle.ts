import { configInvalid, isAlonceError } from '../store/errors.ts'
import type { Fence } from '../store/record.ts'
import type { GuardItem } from '../store/transaction.ts'
import { type LockEnd, LockEndedError } from './ended.ts'
import { type Fenced, type FencedOptions, type FencedWrite, fenced } from './fenced.ts'
import { type Grant, Lease } from './lease.ts'
import { forget, remember } from './release-all.ts'
import { codeOf, elapsedMs, type LockRequest, monotonic, tell, timeoutOf } from './request.ts'

/** An `AbortSignal` whose reason says what ended the lock. */
export interface LockSignal extends AbortSignal {
  readonly reason: LockEndedError
}

/** A lock that we hold, for as long as its lease is trusted. */
export interface Lock extends AsyncDisposable {
  /** The readable name, made of the key. */
  readonly name: string
  /** Larger than that of every earlier grant. Pass it to the resource, and let the resource refuse a smaller one. */
  readonly fence: Fence
  /** The fence of each lock by its name, where several were taken together with `keys`; then `fence` and `owner` throw. */
  readonly fences: { readonly [name: string]: Fence }
  /** Each lock, where several were taken together; else this one. */
  readonly locks: readonly Lock[]
  /** The unguessable id of this grant. Whoever has it can release the lock: keep it out of logs. */
  readonly owner: string
  /** Aborts when the lock is over, for whatever reason. Hand it to `fetch` and the like. */
  readonly signal: LockSignal
  /** Milliseconds for which the lock can still be trusted; 0 when it is over. */
  remainingMs(): number
  /**
   * Throws when the lock is over, by a look at the clocks: at once after a pause, before any timer has fired.
   *
   * @throws LockEndedError `LOCK_LOST`, `LEASE_EXPIRED`, `OUTCOME_UNCERTAIN`; its `reason` says which end it was
   */
  assertHeld(): void
  /**
   * Prolongs the lease by its own length from now. Rarely needed: leases given as a number renew themselves.
   *
   * @throws LockEndedError when the lock is over; AlonceError `STORE_UNAVAILABLE` when the lease goes on as it was
   */
  renew(): Promise<void>
  /**
   * Gives the lock back. Safe to call again, and after a loss: what another holds now is left alone.
   *
   * @throws AlonceError `STORE_UNAVAILABLE`: it will be free at the lease's end, or when another call succeeds
   */
  release(): Promise<void>
  /**
   * An item for a DynamoDB transaction of your own: it is cancelled, whole, once another has taken the lock over. That the
   * lease has ended does not cancel it while nobody has. It names the owner: keep it out of logs.
   *
   * @throws LockEndedError when the lock is over; AlonceError `CONFIG_INVALID` where the store is not DynamoDB
   *
   * @example
   * await client.send(new TransactWriteCommand({ TransactItems: [lock.guard(), { Put: { TableName, Item } }] }))
   */
  guard(): GuardItem
  /**
   * The input of a lib-dynamodb `Put` or `Update`, so that it is refused once a larger fence has written the item. Works with
   * a lock of any store.
   *
   * @throws AlonceError `CONFIG_INVALID`
   *
   * @example
   * await client.send(new UpdateCommand(lock.fenced({ TableName, Key, UpdateExpression, ExpressionAttributeValues })))
   */
  fenced<W extends FencedWrite>(write: W, options?: FencedOptions): Fenced<W>
  /** As `release()`, and never throws: the event `release-failed` tells, and the error of the block comes out unchanged. */
  [Symbol.asyncDispose](): Promise<void>
}

/** As those see it who took it: they decide how it ends. */
export interface HeldLock extends Lock {
  /** For an invocation that ends while its code is still at work: timers stop, the signal aborts, the lease ends by itself. */
  stop(): void
}

/** Its fields are private, so that printing a handle shows no owner. */
export class LeasedLock implements HeldLock {
  readonly #request: LockRequest
  readonly #grant: Grant
  readonly #lease: Lease
  /** Made when somebody asks for the signal: most locks are released unwatched. */
  #controller: AbortController | undefined
  readonly #heldSinceMs: number
  #end: LockEnd | undefined
  #released: Promise<void> | undefined
  /** When the release was first sent that has had no answer. */
  #unansweredSinceMs: number | undefined

  constructor(request: LockRequest, grant: Grant) {
    this.#request = request
    this.#grant = grant
    this.#heldSinceMs = monotonic(request)
    this.#lease = new Lease(request, grant, (end) => this.#finish(end))
    remember(request.store, this)
  }

  get name(): string {
    return this.#request.name
  }
  get fence(): Fence {
    return this.#grant.fence
  }
  get fences(): { readonly [name: string]: Fence } {
    return { [this.name]: this.fence }
  }
  get locks(): readonly Lock[] {
    return [this]
  }
  get owner(): string {
    return this.#grant.owner
  }
  get signal(): LockSignal {
    if (!this.#controller) {
      this.#controller = new AbortController()
      if (this.#end) this.#controller.abort(new LockEndedError(this.#end, this))
    }
    return this.#controller.signal
  }

  remainingMs(): number {
    return this.#end ? 0 : Math.max(0, this.#lease.leftMs())
  }

  assertHeld(): void {
    const end = this.#end ?? this.#lease.end()
    if (end === undefined) return
    this.#finish(end)
    throw this.signal.reason
  }

  async renew(): Promise<void> {
    this.assertHeld()
    await this.#lease.renew()
    this.assertHeld()
  }

  release(): Promise<void> {
    this.#finish('released')
    if (this.#end === 'lost') return Promise.resolve()
    this.#released ??= this.#sendRelease()
    return this.#released
  }

  guard(): GuardItem {
    this.assertHeld()
    const { store, key } = this.#request
    if (store.transactions) return store.transactions.guard(key, this.#grant)
    throw configInvalid(
      'store',
      `is "${store.name}", whose records can't be part of a transaction of yours. guard() needs dynamodbStore(), on a table that takes transactions; fenced() works with every store.`,
    )
  }

  fenced<W extends FencedWrite>(write: W, options?: FencedOptions): Fenced<W> {
    return fenced(write, this.fence, options)
  }

  stop(): void {
    this.#finish('deadline')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release().catch(() => undefined) // told by the event `release-failed`
  }

  #finish(end: LockEnd): void {
    if (this.#end !== undefined) return
    this.#end = end
    this.#lease.stop()
    forget(this.#request.store, this)
    if (end === 'lost' || end === 'expired' || end === 'uncertain') this.#tellLoss(end)
    this.#controller?.abort(new LockEndedError(end, this))
  }

  #tellLoss(reason: LockEnd): void {
    tell(this.#request, 'lost', { fence: this.fence, reason, durationMs: elapsedMs(this.#request, this.#heldSinceMs) })
  }

  async #sendRelease(): Promise<void> {
    const { store, key } = this.#request
    const durationMs = elapsedMs(this.#request, this.#heldSinceMs)
    const firstSentAtMs = this.#unansweredSinceMs ?? store.now().latest
    const resent = this.#unansweredSinceMs !== undefined
    let requests = 0
    const onRequest = (): void => {
      requests++
    }
    try {
      const sending = { resent, firstSentAtMs, timeoutMs: timeoutOf(this.#request), onRequest }
      const { outcome } = await store.execute({ type: 'lock.release', key, owner: this.owner, hint: this.#grant.hint }, sending)
      if (outcome !== 'lost')
        tell(this.#request, 'released', {
          fence: this.fence,
          durationMs,
          requests,
          reason: outcome === 'gone' ? outcome : undefined,
        })
      else if (this.#end === 'released') this.#tellLoss('lost')
    } catch (error) {
      if (!isAlonceError(error) || error.maybeApplied !== false) this.#unansweredSinceMs = firstSentAtMs
      this.#released = undefined
      tell(this.#request, 'release-failed', { fence: this.fence, durationMs, requests, ...codeOf(error) })
      throw error
    }
  }
}
