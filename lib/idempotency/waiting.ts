import { sleep } from '../runtime/runtime.ts'
import type { InProgress } from '../store/command.ts'
import { AlonceError, isAlonceError } from '../store/errors.ts'
import type { AlonceRecord, RecordKey } from '../store/record.ts'
import type { Store } from '../store/store.ts'
import type { Step } from './telling.ts'

const FIRST_PAUSE_MS = 25
/** What a waiter may be late by at most when the owner fails. */
const LONGEST_PAUSE_MS = 500
/** Running attempts end long before their leases do, as a rule: it is worth asking again. */
const RETRY_AFTER_AT_MOST_MS = 5000
const RETRY_AFTER_AT_LEAST_MS = 100

/** The time that one call has for waiting, and the back-off of its reads. */
export class Patience {
  readonly store: Store
  readonly #until: number
  #pauses = 0
  /** The lease whose end somebody has been woken for. */
  #wokenFor: number | undefined

  constructor(store: Store, waitMs: number) {
    this.store = store
    this.#until = store.runtime.clock.monotonic() + waitMs
  }

  get waited(): boolean {
    return this.#pauses > 0
  }

  leftMs(): number {
    return Math.max(0, this.#until - this.store.runtime.clock.monotonic())
  }

  /**
   * A jittered pause, longer each time, that ends with the lease if that is sooner: the takeover then happens at once. Only once
   * for each lease: a store whose clock counts in seconds may put the end off again and again by a moment.
   */
  async pause(lease: { readonly expiresAtMs: number; readonly leftMs: number }): Promise<void> {
    const backOff = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(this.#pauses++, 10))
    let ms = backOff * (0.5 + this.store.runtime.random.fraction() / 2)
    const endsInMs = lease.leftMs + 1
    if (lease.leftMs >= 0 && endsInMs < ms && this.#wokenFor !== lease.expiresAtMs) {
      this.#wokenFor = lease.expiresAtMs
      ms = endsInMs
    }
    await sleep(this.store.runtime.timer, Math.min(ms, this.leftMs()))
  }
}

export interface Waiting {
  readonly patience: Patience
  readonly step: Step
}

/** What is known of the attempt that is in the way. */
type Running = Pick<InProgress, 'fence' | 'expiresAtMs' | 'hold' | 'label'>

/**
 * Reads until a begin may succeed: the attempt is completed, given back, over its lease, or the record is gone. Only the
 * begin itself decides; this must not miss a chance, and may be wrong.
 *
 * @throws AlonceError `IN_PROGRESS` when the patience ends first
 */
export async function untilFree(key: RecordKey, seen: InProgress, { patience, step }: Waiting): Promise<void> {
  let running: Running = seen
  for (;;) {
    const leftMs = leaseLeftMs(running, patience.store)
    if (patience.leftMs() <= 0 || (running.hold && leftMs < 0)) throw inProgress(key, running, leftMs)
    await patience.pause({ expiresAtMs: running.expiresAtMs, leftMs })
    const record = await look(key, { patience, step })
    if (record === 'unknown') continue
    if (record?.kind !== 'once' || record.status !== 'in-progress') return
    const { fence, expiresAtMs = 0, hold = false, label } = record
    running = { fence, expiresAtMs, hold, label }
    if (!running.hold && leaseLeftMs(running, patience.store) < 0) return
  }
}

/** A read that finds no answer is no news. */
async function look(key: RecordKey, { patience, step }: Waiting): Promise<AlonceRecord | undefined | 'unknown'> {
  try {
    const timeoutMs = Math.max(RETRY_AFTER_AT_LEAST_MS, patience.leftMs())
    return await patience.store.read(key, { onRequest: step.onRequest, timeoutMs })
  } catch (error) {
    if (isAlonceError(error, 'STORE_UNAVAILABLE')) return 'unknown'
    throw error
  }
}

/** Negative once it has ended for certain. */
const leaseLeftMs = (running: Running, store: Store): number => running.expiresAtMs - store.now().earliest

function inProgress(key: RecordKey, running: Running, leftMs: number): AlonceError {
  if (running.hold && leftMs < 0) {
    const message =
      'An earlier attempt ended without an outcome, and the operation is held (onCrash: "hold"). Find out what it did, then forget the record: only then will it run again.'
    return new AlonceError('IN_PROGRESS', message, { key, holder: running.label, fence: running.fence })
  }
  const retryAfterMs = Math.ceil(Math.min(RETRY_AFTER_AT_MOST_MS, Math.max(RETRY_AFTER_AT_LEAST_MS, leftMs)))
  const message = `Another attempt at this operation is running. Try again in ${retryAfterMs} ms, under the same key.`
  return new AlonceError('IN_PROGRESS', message, { key, retryAfterMs, holder: running.label, fence: running.fence })
}
