import { boundedWait, type Lease, remainingMs } from '../runtime/invocation.ts'
import { sleep } from '../runtime/runtime.ts'
import type { AcquiredAll, Granted } from '../store/command.ts'
import { AlonceError, invariant, isAlonceError } from '../store/errors.ts'
import type { LockRecord } from '../store/record.ts'
import type { Held } from './attempt.ts'
import type { Sight } from './crowd.ts'
import { LeasedLock } from './handle.ts'
import { Looks } from './looks.ts'
import { codeOf, elapsedMs, type LockRequest, leaseOf, monotonic, tell, timeoutOf } from './request.ts'
import { obstacle } from './transitions.ts'
import { type BackOff, backOffFurther, pauseOf, startBackOff } from './waiting.ts'

/** `inTurn`: none is held, and to wait on for all of them at once is no good. */
export type Together =
  | { readonly locks: readonly LeasedLock[]; readonly held?: never }
  | { readonly locks?: never; readonly held: Held; readonly request: LockRequest; readonly inTurn: boolean }

/** One of the locks in one try: each try is an attempt of its own. */
interface Part extends Lease {
  readonly request: LockRequest
  readonly owner: string
}

/** Whoever waits for several at once may never see them all free. After so many tries they are taken one after the other. */
const MOST_TRIES = 8
/** As in `attempt.ts`, which does the same for one lock. */
const MAX_STALE = 3
const LAST_MOMENTS_MS = 250
const LEAST_SHARE_LEFT = 0.1
const TAKE_BACK_TIMEOUT_MS = 1000

/**
 * Several locks in one transaction, or none. Who waits holds nothing, so no two wait for each other: it looks at the lock that was
 * in its way, and when that is free tries all of them again.
 */
export class JointAttempt {
  readonly #requests: readonly [LockRequest, ...LockRequest[]]
  readonly #startedAtMs: number
  readonly #waitUntilMs: number
  readonly #inInvocation: boolean
  #waited: { readonly request: LockRequest; readonly backOff: BackOff } | undefined
  #sent = 0
  readonly #onRequest = (): void => {
    this.#sent++
  }

  constructor(requests: readonly [LockRequest, ...LockRequest[]]) {
    this.#requests = requests
    const [first] = requests
    const remaining = remainingMs(first.context)
    this.#inInvocation = remaining !== undefined
    this.#startedAtMs = monotonic(first)
    this.#waitUntilMs = this.#startedAtMs + boundedWait(first.waitMs, remaining)
  }

  async run(): Promise<Together> {
    let outcome = await this.#try()
    for (let tries = 1; outcome.held && !outcome.inTurn && this.#leftMs() > 0; tries++) {
      if (tries === MOST_TRIES) return { ...outcome, inTurn: true }
      if (!(await this.#waitFor(outcome))) break
      outcome = await this.#tryAgain(outcome)
    }
    if (outcome.held && !outcome.inTurn) {
      const { request, held } = outcome
      tell(request, 'held', { fence: held.fence, holder: held.holder.label, ...this.#cost() })
    }
    return outcome
  }

  /** Through outages, while there is time: what a try may have done was taken back, and the next one has new owners. */
  async #tryAgain(known: Together): Promise<Together> {
    try {
      return await this.#try()
    } catch (error) {
      if (!isAlonceError(error, 'STORE_UNAVAILABLE') || this.#leftMs() <= 0) throw error
      return known
    }
  }

  async #try(): Promise<Together> {
    for (let stale = 0; stale < MAX_STALE; stale++) {
      const parts = this.#requests.map((request) => ({ request, owner: ownerFor(request), ...leaseOf(request) }))
      const answer = await this.#send(parts)
      if (answer.outcome === 'acquired') return { locks: await this.#grant(parts, answer.grants) }
      const { index, reply } = answer
      if (reply.outcome === 'held') return this.#refused(this.#requests[index] ?? this.#requests[0], reply)
    }
    const names = this.#requests.map(({ name }) => `"${name}"`).join(', ')
    const message = `The store took ${MAX_STALE} new requests for the locks ${names} to be older than their last releases: the clocks of its hosts disagree. Try again later.`
    throw new AlonceError('STORE_UNAVAILABLE', message, { maybeApplied: false })
  }

  async #send(parts: readonly Part[]): Promise<AcquiredAll> {
    const [first] = this.#requests
    const commands = parts.map(({ request: { key, label, share }, owner, leaseMs }) => {
      return { type: 'lock.acquire', key, owner, leaseMs, label, share } as const
    })
    invariant(first.store.acquireAll !== undefined, () => `the store "${first.store.name}" can't take several locks at once`)
    try {
      return await first.store.acquireAll(commands, { timeoutMs: timeoutOf(first), onRequest: this.#onRequest })
    } catch (error) {
      if (!isAlonceError(error) || error.maybeApplied) await this.#takeBack(parts)
      throw error
    }
  }

  /** A writer among readers has to show that it waits, by a place in the queue: that is the other way's business. */
  #refused(request: LockRequest, held: Held): Together {
    return { held, request, inTurn: held.because === 'shared' && !request.share && this.#leftMs() > 0 }
  }

  /** What it cost is told once, of the first. */
  async #grant(parts: readonly Part[], grants: readonly Granted[]): Promise<readonly LeasedLock[]> {
    const all = parts.map((part, index) => ({ part, grant: grants[index] as Granted }))
    const late = all.find(({ part, grant }) => isNearlyOver(part, grant))
    if (late) {
      await this.#takeBack(parts)
      const { name } = late.part.request
      const message = `The lock "${name}" was granted for ${late.part.leaseMs} ms together with others, but the answer took so long that next to nothing is left of the lease, so all were given back. Use a leaseMs well above the store's latency.`
      throw new AlonceError('LEASE_EXPIRED', message, { key: name, fence: late.grant.fence })
    }
    const { durationMs, requests } = this.#cost()
    return all.map(({ part: { request, owner, leaseMs, renewed }, grant: { fence, expiresAtMs, tookOver } }, index) => {
      const reason = tookOver ? 'took-over' : undefined
      tell(request, 'acquired', { fence, reason, durationMs, requests: index === 0 ? requests : 0 })
      return new LeasedLock(request, { owner, fence, expiresAtMs, leaseMs, renewed, hint: request.share && 'shared' })
    })
  }

  /** Until the lock that was in the way looks free. The last look is at the very end of the wait; `false`: it was in vain. */
  async #waitFor({ request, held: first }: { readonly request: LockRequest; readonly held: Held }): Promise<boolean> {
    const { store } = request
    const sinceMs = monotonic(request)
    const looks = new Looks(request, this.#onRequest)
    let held: Held | undefined = first
    let backOff = this.#backOffFor(request, { fence: first.fence, atMs: sinceMs })
    for (let left = this.#leftMs(); held && left > 0; left = this.#leftMs()) {
      const pause = pauseOf(backOff, held.holder, { now: store.now(), fraction: store.runtime.random.fraction() })
      await sleep(store.runtime.timer, Math.min(left, pause.ms))
      if (this.#isOver()) break
      const record = await looks.look()
      // An outage is no news: what is known to be held is not taken to be free.
      if (record !== 'unknown') held = inTheWayOf(request, record)
      const { answerMs } = looks
      const sight = { fence: held?.fence ?? first.fence, atMs: monotonic(request), answerMs, inVain: held === undefined }
      backOff = backOffFurther(pause.backOff, sight)
    }
    this.#waited = { request, backOff }
    tell(request, 'waited', { durationMs: elapsedMs(request, sinceMs), requests: this.#sent })
    return held === undefined
  }

  /** Who has tried in vain since goes on where it was. */
  #backOffFor(request: LockRequest, sight: Sight): BackOff {
    return this.#waited?.request === request ? this.#waited.backOff : startBackOff(sight)
  }

  #leftMs(): number {
    return this.#waitUntilMs - monotonic(this.#requests[0])
  }

  /** By the invocation's own clock, which goes on while an environment is frozen: one that thaws must not take a lock. */
  #isOver(): boolean {
    return this.#inInvocation && (remainingMs(this.#requests[0].context) ?? 0) <= LAST_MOMENTS_MS
  }

  #cost(): { readonly durationMs: number; readonly requests: number } {
    return { durationMs: elapsedMs(this.#requests[0], this.#startedAtMs), requests: this.#sent }
  }

  /** Best effort: nobody holds what may have been granted, so it need not stay until its lease ends. */
  async #takeBack(parts: readonly Part[]): Promise<void> {
    const onRequest = this.#onRequest
    const release = async ({ request, owner }: Part): Promise<void> => {
      const { store, key, share } = request
      const timeoutMs = Math.min(TAKE_BACK_TIMEOUT_MS, timeoutOf(request) ?? TAKE_BACK_TIMEOUT_MS)
      const command = { type: 'lock.release', key, owner, hint: share && 'shared' } as const
      await store.execute(command, { timeoutMs, onRequest }).catch((error) => tell(request, 'release-failed', codeOf(error)))
    }
    await Promise.all(parts.map(release))
  }
}

function inTheWayOf({ share, store }: LockRequest, record: LockRecord | undefined): Held | undefined {
  const inTheWay = obstacle(record, { owner: '', share }, store.now().earliest)
  return record && inTheWay && { fence: record.fence, ...inTheWay }
}

const isNearlyOver = ({ request: { store }, leaseMs }: Part, { expiresAtMs }: Granted): boolean =>
  expiresAtMs - store.now().latest < leaseMs * LEAST_SHARE_LEFT

const ownerFor = ({ store }: LockRequest): string => store.runtime.random.id()
