import { type AlonceError, configInvalid } from '../store/errors.ts'
import type { Fence } from '../store/record.ts'
import type { GuardItem } from '../store/transaction.ts'
import { acquire, type Held } from './attempt.ts'
import type { Fenced, FencedOptions, FencedWrite } from './fenced.ts'
import type { HeldLock, LockSignal } from './handle.ts'
import { reentered, reentrant } from './reentrance.ts'
import { elapsedMs, type LockRequest, monotonic } from './request.ts'
import { JointAttempt } from './together.ts'

type Requests = readonly [LockRequest, ...LockRequest[]]

/** `request`: the one of several that was refused. */
export type Acquisition =
  | { readonly lock: HeldLock; readonly held?: never }
  | { readonly lock?: never; readonly held: Held; readonly request: LockRequest }

type Refused = Extract<Acquisition, { readonly held: Held }>

/**
 * Takes each lock, or none. In one transaction, where the store can; else one after the other, and what was taken is given back
 * when one can't be had. Everybody takes them in the order of their names, so there is no circle of waiting (Havender, "Avoiding
 * deadlock in multitasking systems", 1968). The wait is for all of them.
 *
 * Renewals and releases are requests of their own, at the same time: in a transaction each would cost twice as much, and one lock
 * that was lost would keep the others from being renewed, or released.
 */
export async function acquireEach(requests: Requests): Promise<Acquisition> {
  const taken: HeldLock[] = []
  try {
    const refused = await takeAll(requests, taken)
    if (refused) {
      await giveBack(taken)
      return refused
    }
    const [only, ...others] = taken.sort((a, b) => (a.name < b.name ? -1 : 1))
    if (only && others.length === 0) return { lock: only }
    const lock = new LockSet(taken)
    lock.assertHeld() // the first ones may have been lost while we waited for the last
    return { lock }
  } catch (error) {
    await giveBack(taken)
    throw error
  }
}

async function takeAll(requests: Requests, taken: HeldLock[]): Promise<Refused | undefined> {
  const sinceMs = monotonic(requests[0])
  const missing: LockRequest[] = []
  for (const request of requests) {
    const again = request.reentrant ? reentered(request) : undefined
    if (again) taken.push(again)
    else missing.push(request)
  }
  const [first, ...others] = missing
  if (first && others.length > 0 && first.store.acquireAll && !first.fair) {
    const outcome = await new JointAttempt([first, ...others]).run()
    for (const [index, lock] of (outcome.locks ?? []).entries()) taken.push(entrance(lock, missing[index] ?? first))
    if (!outcome.held) return undefined
    if (!outcome.inTurn) return { held: outcome.held, request: outcome.request }
  }
  for (const request of missing) {
    const waitMs = Math.max(0, request.waitMs - elapsedMs(request, sinceMs))
    const outcome = await acquire({ ...request, waitMs })
    if (outcome.held) return { held: outcome.held, request }
    taken.push(entrance(outcome.lock, request))
  }
  return undefined
}

const entrance = (lock: HeldLock, request: LockRequest): HeldLock => (request.reentrant ? reentrant(lock, request) : lock)

async function giveBack(taken: readonly HeldLock[]): Promise<void> {
  for (const lock of taken.toReversed()) await lock[Symbol.asyncDispose]()
}

/** Several locks as one: it is over as soon as one of them is. */
class LockSet implements HeldLock {
  readonly locks: readonly HeldLock[]
  #signal: LockSignal | undefined

  constructor(locks: readonly HeldLock[]) {
    this.locks = locks
  }

  get name(): string {
    return this.locks.map((lock) => lock.name).join(', ')
  }
  get fences(): { readonly [name: string]: Fence } {
    return Object.fromEntries(this.locks.map((lock) => [lock.name, lock.fence]))
  }
  get fence(): Fence {
    throw ofEach('fence', 'fences[name]')
  }
  get owner(): string {
    throw ofEach('owner', 'locks')
  }
  get signal(): LockSignal {
    this.#signal ??= AbortSignal.any(this.locks.map((lock) => lock.signal))
    return this.#signal
  }

  remainingMs(): number {
    return Math.min(...this.locks.map((lock) => lock.remainingMs()))
  }

  assertHeld(): void {
    for (const lock of this.locks) lock.assertHeld()
  }

  async renew(): Promise<void> {
    await Promise.all(this.locks.map((lock) => lock.renew()))
  }

  /** Each, whatever happens to another. */
  async release(): Promise<void> {
    const outcomes = await Promise.allSettled(this.locks.toReversed().map((lock) => lock.release()))
    const failed = outcomes.find((outcome) => outcome.status === 'rejected')
    if (failed) throw failed.reason
  }

  guard(): GuardItem {
    throw ofEach('guard()', 'locks.map((lock) => lock.guard())')
  }

  fenced<W extends FencedWrite>(_write: W, _options?: FencedOptions): Fenced<W> {
    throw ofEach('fenced()', 'locks')
  }

  stop(): void {
    for (const lock of this.locks) lock.stop()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await giveBack(this.locks)
  }
}

const ofEach = (what: string, instead: string): AlonceError =>
  configInvalid('keys', `takes several locks, and each has a ${what} of its own: use lock.${instead}.`)
