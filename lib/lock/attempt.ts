import { boundedWait, remainingMs } from '../runtime/invocation.ts'
import { sleep } from '../runtime/runtime.ts'
import type { LockAcquire, Obstacle, Replies } from '../store/command.ts'
import { AlonceError, isAlonceError } from '../store/errors.ts'
import type { Fence, LockRecord } from '../store/record.ts'
import { LeasedLock } from './handle.ts'
import { Looks } from './looks.ts'
import { Place } from './place.ts'
import { codeOf, elapsedMs, type LockRequest, leaseOf, monotonic, tell, timeoutOf } from './request.ts'
import { CLAIM_MS, obstacle } from './transitions.ts'
import { backOffFurther, pauseOf, startBackOff } from './waiting.ts'

type Granted = Extract<Replies['lock.acquire'], { readonly outcome: 'acquired' }>
export interface Held extends Obstacle {
  readonly fence: Fence
}

/** Who has the lock is an expected outcome, and a value. */
export type Acquisition = Won | { readonly lock?: never; readonly held: Held }
interface Won {
  readonly lock: LeasedLock
  readonly held?: never
  /** It was not free and asked for: taken over from a holder whose lease had ended, or handed over by the one before. */
  readonly reason?: 'took-over' | 'handed-over' | undefined
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
/** With less than this left of a hand-over, it is claimed before the code runs. */
const UNCLAIMED_AT_LEAST_MS = 0.4 * CLAIM_MS

/** One try for one lock, by one owner: from the first write to the grant, or to the end of the wait. */
class Attempt {
  readonly #request: LockRequest
  readonly #startedAtMs: number
  readonly #waitUntilMs: number
  readonly #inInvocation: boolean
  readonly #looks: Looks
  #owner: string
  /** In the queue; `undefined`: competing with whoever comes. */
  #place: Place | undefined
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
    this.#looks = new Looks(request, this.#onRequest)
    if (request.fair) this.#queueUp()
  }

  async run(): Promise<Acquisition> {
    try {
      const outcome = await this.#try()
      this.#report(outcome)
      return outcome
    } finally {
      // Out of the queue, whatever happened: a lock that is handed to nobody is lost for seconds.
      if (this.#place?.taken) await this.#takeBack()
      this.#place?.leave()
    }
  }

  async #try(): Promise<Acquisition> {
    const first = this.#place ? await this.#look() : await this.#write()
    const waits = first.held && first.held.because !== 'queue-full' && this.#leftMs() > 0
    return waits ? this.#wait(first.held) : first
  }

  #report(outcome: Acquisition): void {
    const cost = { durationMs: elapsedMs(this.#request, this.#startedAtMs), requests: this.#requests }
    if (outcome.held) tell(this.#request, 'held', { fence: outcome.held.fence, holder: outcome.held.holder.label, ...cost })
    else tell(this.#request, 'acquired', { fence: outcome.lock.fence, reason: outcome.reason, ...cost })
  }

  /** Waits by reading, and writes only when the lock looks free. The last look is at the very end of the wait. */
  async #wait(first: Held): Promise<Acquisition> {
    const { store } = this.#request
    const sinceMs = monotonic(this.#request)
    let held = first
    let backOff = startBackOff({ fence: first.fence, atMs: sinceMs })
    let outcome = await this.#stopOthersFromJoining(first)
    for (let left = this.#leftMs(); outcome.held && left > 0; left = this.#leftMs()) {
      const fraction = store.runtime.random.fraction()
      const pause = pauseOf(backOff, held.holder, { now: store.now(), fraction })
      const place = this.#place
      await sleep(store.runtime.timer, Math.min(left, place?.pauseMs(fraction) ?? pause.ms), place?.signal)
      if (this.#isOver()) break
      const writes = this.#writes
      outcome = await this.#lookAgain(held)
      held = outcome.held ?? held
      const { answerMs } = this.#looks
      const sight = { fence: held.fence, atMs: monotonic(this.#request), answerMs, inVain: this.#writes > writes }
      backOff = backOffFurther(pause.backOff, sight)
    }
    tell(this.#request, 'waited', { durationMs: elapsedMs(this.#request, sinceMs), requests: this.#requests })
    return outcome
  }

  #leftMs(): number {
    return this.#waitUntilMs - monotonic(this.#request)
  }

  /** By the invocation's own clock, which goes on while an environment is frozen: one that thaws must not take a lock. */
  #isOver(): boolean {
    if (this.#place?.signal.aborted) return true
    return this.#inInvocation && (remainingMs(this.#request.context) ?? 0) <= LAST_MOMENTS_MS
  }

  /** A reader after a reader could go on for ever: a writer that waits shows it, by a place in the queue. */
  async #stopOthersFromJoining(held: Held): Promise<Acquisition> {
    if (held.because !== 'shared' || this.#request.share || this.#place) return { held }
    this.#queueUp()
    return this.#write()
  }

  #queueUp(): void {
    if (this.#leftMs() > 0) this.#place = new Place(this.#request, () => this.#takeBack())
  }

  /** Through outages, while there is time: what a write may have done is taken back, and the next one has a new owner. */
  async #lookAgain(known: Held): Promise<Acquisition> {
    try {
      return await this.#look(known)
    } catch (error) {
      if (!isAlonceError(error, 'STORE_UNAVAILABLE') || this.#leftMs() <= 0) throw error
      if (!this.#place?.taken) this.#owner = this.#request.store.runtime.random.id()
      return { held: known }
    }
  }

  /** Reads, and writes if that is likely to get us somewhere. `known`: what was in the way, if we have asked before. */
  async #look(known?: Held): Promise<Acquisition> {
    const record = await this.#lookTwice()
    // An outage is no news: what is known to be held is not taken to be free.
    if (record === 'unknown') return known ? { held: known } : this.#write()
    if (record?.holder?.owner === this.#owner) return this.#receive(record, record.holder.expiresAtMs)
    const inTheWay = this.#obstacleIn(record)
    if (!record || !inTheWay) return this.#write(this.#place && 'free')
    const standing = this.#place?.look(record, this.#owner)
    // Taken for dead, or never there: a new owner, because the old one may be marked as gone.
    if (standing === 'none') this.#owner = this.#request.store.runtime.random.id()
    if (standing === 'none' || standing === 'due') return this.#write(standing === 'none' ? 'queue' : undefined)
    return this.#stopOthersFromJoining({ fence: record.fence, ...inTheWay })
  }

  /** A free lock that was seen long ago is looked at once more, and not by all who have waited for an answer at the same time. */
  async #lookTwice(): ReturnType<Looks['look']> {
    const record = await this.#looks.look()
    if (record === 'unknown' || this.#obstacleIn(record) || !this.#looks.isOutOfDate) return record
    const { random, timer } = this.#request.store.runtime
    const pauseMs = Math.min(this.#looks.answerMs * random.fraction(), Math.max(0, this.#leftMs()))
    await sleep(timer, pauseMs, this.#place?.signal)
    return this.#isOver() ? 'unknown' : this.#looks.look()
  }

  #obstacleIn(record: LockRecord | undefined): Obstacle | undefined {
    const { share, store } = this.#request
    return obstacle(record, { owner: this.#owner, share }, store.now().earliest)
  }

  async #write(hint?: LockAcquire['hint']): Promise<Acquisition> {
    for (let stale = 0; stale < MAX_STALE; stale++) {
      // Before the send: what the answer takes is taken off the lease, never added to it.
      const sentAtMs = monotonic(this.#request)
      const { leaseMs, renewed } = leaseOf(this.#request)
      this.#writes++
      const reply = await this.#send(leaseMs, hint)
      if (reply.outcome === 'queued') this.#place?.take(reply.place)
      if (reply.outcome === 'held' || reply.outcome === 'queued') return { held: reply }
      if (reply.outcome === 'acquired') return this.#grant(reply, { leaseMs, renewed, sentAtMs })
      this.#owner = this.#request.store.runtime.random.id()
    }
    const message = `The store took ${MAX_STALE} new requests for the lock "${this.#request.name}" to be older than its last release: the clocks of its hosts disagree. Try again later.`
    throw new AlonceError('STORE_UNAVAILABLE', message, { key: this.#request.name, maybeApplied: false })
  }

  async #send(leaseMs: number, hint: LockAcquire['hint']): Promise<Replies['lock.acquire']> {
    const { store, key, label, share } = this.#request
    const queueMs = this.#place?.signOfLifeMs(this.#leftMs())
    const command = { type: 'lock.acquire', key, owner: this.#owner, leaseMs, label, share, queueMs, hint } as const
    try {
      return await store.execute(command, { timeoutMs: timeoutOf(this.#request), onRequest: this.#onRequest })
    } catch (error) {
      if (!this.#place?.taken && (!isAlonceError(error) || error.maybeApplied)) await this.#takeBack()
      throw error
    }
  }

  async #grant(
    { fence, expiresAtMs, tookOver }: Granted,
    sent: { readonly leaseMs: number; readonly renewed: boolean; readonly sentAtMs: number },
  ): Promise<Won> {
    const { leaseMs, renewed, sentAtMs } = sent
    const leftMs = expiresAtMs - this.#request.store.now().latest
    const hint = this.#request.share ? 'shared' : this.#place?.taken ? 'queue' : undefined
    this.#place?.leave()
    if (leftMs >= leaseMs * LEAST_SHARE_LEFT) {
      const lock = new LeasedLock(this.#request, { owner: this.#owner, fence, expiresAtMs, leaseMs, renewed, hint })
      return { lock, reason: tookOver ? 'took-over' : undefined }
    }
    await this.#takeBack()
    const { name } = this.#request
    const message = `The lock "${name}" was granted for ${leaseMs} ms, but the answer took ${Math.round(elapsedMs(this.#request, sentAtMs))} ms and ${Math.round(leftMs)} ms are left of the lease, so it was given back. Use a leaseMs well above the store's latency.`
    throw new AlonceError('LEASE_EXPIRED', message, { key: name, fence })
  }

  /** It was handed over to us, for a moment. Short work is done before the first renewal is due, and saves that write. */
  async #receive(record: LockRecord, claimUntilMs: number): Promise<Acquisition> {
    const { fence } = record
    const { leaseMs, renewed } = leaseOf(this.#request)
    const hint = this.#place?.expectsFollowers(record) ? 'queue' : undefined
    const grant = { owner: this.#owner, fence, leaseMs, renewed, hint } as const
    const claimMs = claimUntilMs - this.#request.store.now().latest
    const isClear = renewed && claimMs >= UNCLAIMED_AT_LEAST_MS
    const expiresAtMs = isClear ? claimUntilMs : await this.#claim(fence, leaseMs)
    if (expiresAtMs !== undefined) {
      this.#place?.leave()
      const lock = new LeasedLock(this.#request, { ...grant, expiresAtMs, ...(isClear && { claimMs }) })
      return { lock, reason: 'handed-over' }
    }
    this.#owner = this.#request.store.runtime.random.id()
    return this.#write()
  }

  async #claim(fence: Fence, leaseMs: number): Promise<number | undefined> {
    const { store, key } = this.#request
    const command = { type: 'lock.renew', key, owner: this.#owner, fence, leaseMs } as const
    this.#writes++
    const reply = await store.execute(command, { timeoutMs: timeoutOf(this.#request), onRequest: this.#onRequest })
    return reply.outcome === 'renewed' ? reply.expiresAtMs : undefined
  }

  /** Best effort: nobody holds what may have been granted, or waits in our place, so it need not stay until it ends. */
  async #takeBack(): Promise<void> {
    const { store, key, share } = this.#request
    try {
      const timeoutMs = Math.min(TAKE_BACK_TIMEOUT_MS, timeoutOf(this.#request) ?? TAKE_BACK_TIMEOUT_MS)
      const command = { type: 'lock.release', key, owner: this.#owner, hint: share && 'shared' } as const
      await store.execute(command, { timeoutMs, onRequest: this.#onRequest })
    } catch (error) {
      tell(this.#request, 'release-failed', codeOf(error))
    }
  }
}
