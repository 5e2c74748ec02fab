import { boundedWait, remainingMs } from '../runtime/invocation.ts'
import { sleep } from '../runtime/runtime.ts'
import type { Replies } from '../store/command.ts'
import { AlonceError, isAlonceError } from '../store/errors.ts'
import type { AlonceRecord, LockRecord } from '../store/record.ts'
import { LeasedLock } from './handle.ts'
import { codeOf, elapsedMs, type LockRequest, leaseOf, monotonic, tell, timeoutOf } from './request.ts'
import { backOffFurther, delayMs, looksFree, startBackOff } from './waiting.ts'

type Granted = Extract<Replies['lock.acquire'], { readonly outcome: 'acquired' }>
export type Held = Pick<Extract<Replies['lock.acquire'], { readonly outcome: 'held' }>, 'fence' | 'holder'>

/** Who has the lock is an expected outcome, and a value. */
export type Acquisition = Won | { readonly lock?: never; readonly held: Held }
interface Won {
  readonly lock: LeasedLock
  readonly held?: never
  /** From a holder whose lease had ended. */
  readonly tookOver: boolean
}

/** @throws AlonceError `LEASE_EXPIRED`; whatever the store throws */
export const acquire = (request: LockRequest): Promise<Acquisition> => new Attempt(request).run()

/** A new owner helps against a ghost's verdict, which is about age. When it keeps coming, the clocks are wrong. */
const MAX_STALE = 3
/** A grant with less of its lease left than this is of no use to anybody. */
const LEAST_SHARE_LEFT = 0.1
const TAKE_BACK_TIMEOUT_MS = 1000
/** With less than this left, an invocation is as good as over. */
const LAST_MOMENTS_MS = 250

/** One try for one lock, by one owner: from the first write to the grant, or to the end of the wait. */
class Attempt {
  readonly #request: LockRequest
  readonly #startedAtMs: number
  readonly #waitUntilMs: number
  readonly #inInvocation: boolean
  #owner: string
  #requests = 0
  #writes = 0
  readonly #onRequest = (): void => {
    this.#requests++
  }

  constructor(request: LockRequest) {
    this.#request = request
    this.#owner = request.store.runtime.random.id()
    const remaining = remainingMs(request.context)
    this.#inInvocation = remaining !== undefined
    this.#startedAtMs = monotonic(request)
    this.#waitUntilMs = this.#startedAtMs + boundedWait(request.waitMs, remaining)
  }

  async run(): Promise<Acquisition> {
    const first = await this.#write()
    const outcome = first.held && this.#leftMs() > 0 ? await this.#wait(first.held) : first
    const cost = { durationMs: elapsedMs(this.#request, this.#startedAtMs), requests: this.#requests }
    if (outcome.held) tell(this.#request, 'held', { fence: outcome.held.fence, holder: outcome.held.holder.label, ...cost })
    else
      tell(this.#request, 'acquired', { fence: outcome.lock.fence, reason: outcome.tookOver ? 'took-over' : undefined, ...cost })
    return outcome
  }

  /** Waits by reading, and writes only when the lock looks free. The last look is at the very end of the wait. */
  async #wait(first: Held): Promise<Acquisition> {
    const { store } = this.#request
    const sinceMs = monotonic(this.#request)
    let held = first
    let backOff = startBackOff(first.fence)
    let outcome: Acquisition = { held }
    for (let left = this.#leftMs(); outcome.held && left > 0; left = this.#leftMs()) {
      const delay = delayMs(backOff, held.holder, { now: store.now(), fraction: store.runtime.random.fraction() })
      await sleep(store.runtime.timer, Math.min(left, delay))
      if (this.#isOver()) break
      const writes = this.#writes
      outcome = await this.#look(held)
      held = outcome.held ?? held
      backOff = backOffFurther(backOff, { fence: held.fence, inVain: this.#writes > writes })
    }
    tell(this.#request, 'waited', { durationMs: elapsedMs(this.#request, sinceMs), requests: this.#requests })
    return outcome
  }

  #leftMs(): number {
    return this.#waitUntilMs - monotonic(this.#request)
  }

  /** By the invocation's own clock, which goes on while an environment is frozen: one that thaws must not take a lock. */
  #isOver(): boolean {
    return this.#inInvocation && (remainingMs(this.#request.context) ?? 0) <= LAST_MOMENTS_MS
  }

  async #look(known: Held): Promise<Acquisition> {
    const record = await this.#read()
    // An outage is no news: what is known to be held is not taken to be free.
    if (record === 'unknown') return { held: known }
    if (!record?.holder || looksFree(record.holder, this.#request.store.now())) return this.#write()
    return { held: { fence: record.fence, holder: record.holder } }
  }

  async #read(): Promise<LockRecord | undefined | 'unknown'> {
    const { store, key } = this.#request
    try {
      return lockRecord(await store.read(key, { timeoutMs: timeoutOf(this.#request), onRequest: this.#onRequest }))
    } catch (error) {
      if (isAlonceError(error, 'STORE_UNAVAILABLE')) return 'unknown'
      throw error
    }
  }

  async #write(): Promise<Acquisition> {
    for (let stale = 0; stale < MAX_STALE; stale++) {
      // Before the send: what the answer takes is taken off the lease, never added to it.
      const sentAtMs = monotonic(this.#request)
      const { leaseMs, renewed } = leaseOf(this.#request)
      this.#writes++
      const reply = await this.#send(leaseMs)
      if (reply.outcome === 'held') return { held: reply }
      if (reply.outcome === 'acquired') return this.#grant(reply, { leaseMs, renewed, sentAtMs })
      this.#owner = this.#request.store.runtime.random.id()
    }
    const message = `The store took ${MAX_STALE} new requests for the lock "${this.#request.name}" to be older than its last release: the clocks of its hosts disagree. Try again later.`
    throw new AlonceError('STORE_UNAVAILABLE', message, { key: this.#request.name, maybeApplied: false })
  }

  async #send(leaseMs: number): Promise<Replies['lock.acquire']> {
    const { store, key, label } = this.#request
    const command = { type: 'lock.acquire', key, owner: this.#owner, leaseMs, label } as const
    try {
      return await store.execute(command, { timeoutMs: timeoutOf(this.#request), onRequest: this.#onRequest })
    } catch (error) {
      if (!isAlonceError(error) || error.maybeApplied) await this.#takeBack()
      throw error
    }
  }

  async #grant(
    { fence, expiresAtMs, tookOver }: Granted,
    sent: { readonly leaseMs: number; readonly renewed: boolean; readonly sentAtMs: number },
  ): Promise<Won> {
    const { leaseMs, renewed, sentAtMs } = sent
    const leftMs = expiresAtMs - this.#request.store.now().latest
    if (leftMs >= leaseMs * LEAST_SHARE_LEFT) {
      const lock = new LeasedLock(this.#request, { owner: this.#owner, fence, expiresAtMs, leaseMs, renewed })
      return { lock, tookOver }
    }
    await this.#takeBack()
    const { name } = this.#request
    const message = `The lock "${name}" was granted for ${leaseMs} ms, but the answer took ${Math.round(elapsedMs(this.#request, sentAtMs))} ms and ${Math.round(leftMs)} ms are left of the lease, so it was given back. Use a leaseMs well above the store's latency.`
    throw new AlonceError('LEASE_EXPIRED', message, { key: name, fence })
  }

  /** Best effort: nobody holds what may have been granted, so it need not stay until its lease ends. */
  async #takeBack(): Promise<void> {
    const { store, key } = this.#request
    try {
      const timeoutMs = Math.min(TAKE_BACK_TIMEOUT_MS, timeoutOf(this.#request) ?? TAKE_BACK_TIMEOUT_MS)
      await store.execute({ type: 'lock.release', key, owner: this.#owner }, { timeoutMs, onRequest: this.#onRequest })
    } catch (error) {
      tell(this.#request, 'release-failed', codeOf(error))
    }
  }
}

const lockRecord = (record: AlonceRecord | undefined): LockRecord | undefined => (record?.kind === 'lock' ? record : undefined)
