import type { OnEvent } from '../events/events.ts'
import { sleep } from '../runtime/runtime.ts'
import { isAlonceError } from '../store/errors.ts'
import { type KeyPart, lockKey } from '../store/key.ts'
import type { AlonceRecord, Fence } from '../store/record.ts'
import type { Store } from '../store/store.ts'
import { acquire, type Held } from './attempt.ts'
import { LockEndedError } from './ended.ts'
import type { HeldLock, Lock } from './handle.ts'
import { lockSettings } from './options.ts'
import { elapsedMs, type LockRequest, leaseOf, lockRequests, monotonic } from './request.ts'
import { obstacle } from './transitions.ts'
import { pauseOf, type Rhythm } from './waiting.ts'

export interface CampaignOptions {
  readonly store: Store
  /** What is led: everybody who names the same key stands for the same office. */
  readonly key: KeyPart
  /** How long a leader that has died still counts as one, in milliseconds. Renewed at a third of itself. Default: 30 s. */
  readonly leaseMs?: number | undefined
  /** Who this is, for observers. */
  readonly label?: string | undefined
  readonly onEvent?: OnEvent | undefined
  /** Ends the campaign: the leader stops, and then gives the office up. */
  readonly signal?: AbortSignal | undefined
}

export interface Candidate {
  /**
   * Called whenever this process has become the leader. `signal` aborts when it is no longer, or shall stop; nobody else is called
   * here before this has come to its end. To return early is to go on leading; to throw gives up, and ends the campaign.
   */
  onLeading(lock: Lock, signal: AbortSignal): unknown
  /** Called when the office was lost, and what it was lost by; then the campaign goes on. */
  onLost?(end: LockEndedError): unknown
}

/** Another is asked for by reading, so often in the time of a lease. */
const LOOKS_PER_LEASE = 10
const SHORTEST_LOOK_MS = 250
const LONGEST_LOOK_MS = 3000
const FIRST_BACK_OFF_MS = 500
const LONGEST_BACK_OFF_MS = 30_000

/**
 * Leads, as one of many, while it can; for as long as `signal` allows. A leader is the holder of a lock that is always renewed:
 * at most one in the store's history, and each with a larger fence (the sequencer of Burrows, "The Chubby lock service", 2006). One
 * that was paused may believe in itself a little longer than others do: what it writes has to be checked by the fence.
 *
 * @throws AlonceError `CONFIG_INVALID`; whatever the store throws, `STORE_UNAVAILABLE` apart; what `onLeading` throws
 *
 * @example
 * await campaign({ store, key: 'scheduler', label: hostname(), signal }, {
 *   onLeading: (lock, signal) => runScheduler({ fence: lock.fence, signal }),
 * })
 */
export async function campaign(options: CampaignOptions, candidate: Candidate): Promise<void> {
  const { signal, ...rest } = options
  const settings = lockSettings(rest, 'campaign')
  const [request] = lockRequests({ ...settings, waitMs: 0 }, options.key, undefined)
  let failures = 0
  while (!signal?.aborted) {
    const outcome = await stand(request)
    if (outcome === 'unavailable' || outcome.lock) {
      const led = outcome === 'unavailable' ? 0 : await lead(outcome.lock, { candidate, signal, request })
      failures = led > leaseOf(request).leaseMs ? 1 : failures + 1
      if (!signal?.aborted) await backOff(request, failures, signal)
    } else {
      await follow(request, outcome.held, signal)
    }
  }
}

export interface Leader {
  readonly label: string | undefined
  /** The leader's: a message that carries a smaller one is from a leader before it. */
  readonly fence: Fence
}

/** Who leads, as far as the store knows now; `undefined`: nobody whose lease has not ended. */
export async function observeLeader(store: Store, key: KeyPart): Promise<Leader | undefined> {
  const record = await store.read(lockKey(key))
  if (record?.kind !== 'lock' || !record.holder || store.now().earliest > record.holder.expiresAtMs) return undefined
  return { label: record.holder.label, fence: record.fence }
}

async function stand(request: LockRequest): Promise<Awaited<ReturnType<typeof acquire>> | 'unavailable'> {
  try {
    return await acquire(request)
  } catch (error) {
    if (isAlonceError(error, 'STORE_UNAVAILABLE') || isAlonceError(error, 'LEASE_EXPIRED')) return 'unavailable'
    throw error
  }
}

interface Office {
  readonly candidate: Candidate
  readonly signal: AbortSignal | undefined
  readonly request: LockRequest
}

/** For how long it has led, in milliseconds. */
async function lead(lock: HeldLock, { candidate, signal, request }: Office): Promise<number> {
  const sinceMs = monotonic(request)
  const over = signal ? AbortSignal.any([lock.signal, signal]) : lock.signal
  try {
    await candidate.onLeading(lock, over)
    await aborted(over)
  } catch (error) {
    // What comes of the loss itself is told below.
    if (!over.aborted || (error !== over.reason && !(error instanceof Error && error.name === 'AbortError'))) throw error
  } finally {
    // Only now: the leader's work is over before the next one's begins.
    await lock[Symbol.asyncDispose]()
  }
  const end = lock.signal.reason
  if (end instanceof LockEndedError && end.reason !== 'released') await candidate.onLost?.(end)
  return elapsedMs(request, sinceMs)
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

/** Waits by reading until the office looks free. */
async function follow(request: LockRequest, held: Held, signal: AbortSignal | undefined): Promise<void> {
  const { store, key } = request
  const { random, timer } = store.runtime
  const stepMs = Math.min(LONGEST_LOOK_MS, Math.max(SHORTEST_LOOK_MS, leaseOf(request).leaseMs / LOOKS_PER_LEASE))
  let { holder } = held
  let known: Rhythm = { stepMs, capMs: stepMs }
  while (!signal?.aborted) {
    const pause = pauseOf(known, holder, { now: store.now(), fraction: random.fraction() })
    known = pause.backOff
    await sleep(timer, pause.ms, signal)
    const record = await look(store, key)
    if (record === 'unknown') continue
    const inTheWay = record?.kind === 'lock' ? obstacle(record, { owner: '' }, store.now().earliest) : undefined
    if (!inTheWay) return
    holder = inTheWay.holder
  }
}

async function look(store: Store, key: LockRequest['key']): Promise<AlonceRecord | undefined | 'unknown'> {
  try {
    return await store.read(key)
  } catch (error) {
    if (isAlonceError(error, 'STORE_UNAVAILABLE')) return 'unknown'
    throw error
  }
}

function backOff({ store }: LockRequest, failures: number, signal: AbortSignal | undefined): Promise<void> {
  const { random, timer } = store.runtime
  const ms = Math.min(LONGEST_BACK_OFF_MS, FIRST_BACK_OFF_MS * 2 ** Math.min(failures - 1, 16))
  return sleep(timer, ms * (0.5 + random.fraction() / 2), signal)
}
