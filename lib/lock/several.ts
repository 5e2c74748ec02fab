import { type AlonceError, configInvalid } from '../store/errors.ts'
import type { Fence } from '../store/record.ts'
import type { GuardItem } from '../store/transaction.ts'
import { acquire, type Held } from './attempt.ts'
import type { Fenced, FencedOptions, FencedWrite } from './fenced.ts'
import type { HeldLock, LockSignal } from './handle.ts'
import { reentered, reentrant } from './reentrance.ts'
import { elapsedMs, type LockRequest, monotonic } from './request.ts'

/** `request`: the one of several that was refused. */
export type Acquisition =
  | { readonly lock: HeldLock; readonly held?: never }
  | { readonly lock?: never; readonly held: Held; readonly request: LockRequest }

/**
 * Takes each lock in turn, or none: what was taken is given back when one can't be had. Everybody takes them in the order of their
 * names, so there is no circle of waiting (Havender, "Avoiding deadlock in multitasking systems", 1968). The wait is for all of them.
 */
export async function acquireEach(requests: readonly [LockRequest, ...LockRequest[]]): Promise<Acquisition> {
  const sinceMs = monotonic(requests[0])
  const taken: HeldLock[] = []
  try {
    for (const request of requests) {
      const waitMs = taken.length === 0 ? request.waitMs : Math.max(0, request.waitMs - elapsedMs(request, sinceMs))
      const outcome = await acquireOne({ ...request, waitMs })
      if (outcome.held) {
        await giveBack(taken)
        return { held: outcome.held, request }
      }
      taken.push(outcome.lock)
    }
    const [only, ...others] = taken
    if (only && others.length === 0) return { lock: only }
    const lock = new LockSet(taken)
    lock.assertHeld() // the first ones may have been lost while we waited for the last
    return { lock }
  } catch (error) {
    await giveBack(taken)
    throw error
  }
}

async function acquireOne(request: LockRequest): Promise<{ lock: HeldLock; held?: never } | { lock?: never; held: Held }> {
  if (!request.reentrant) return acquire(request)
  const again = reentered(request)
  if (again) return { lock: again }
  const outcome = await acquire(request)
  return outcome.lock ? { lock: reentrant(outcome.lock, request) } : outcome
}

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
