import type { Runtime } from '../../runtime/runtime.ts'
import type { Command, ReplyTo } from '../../store/command.ts'
import type { AlonceRecord, RecordKey } from '../../store/record.ts'
import type { Capabilities, SendOptions, Store } from '../../store/store.ts'
import { exactly, type Interval } from '../../store/time.ts'
import { transition } from '../transition.ts'
import { type MemoryStoreOptions, memoryOptions } from './options.ts'

/**
 * Records in this process's memory: for tests, development and programs of one process.
 *
 * @example
 * const store = memoryStore()
 * await withLock({ store, key: 'nightly' }, async (lock) => settle(lock.fence))
 */
export function memoryStore(options: MemoryStoreOptions = {}): MemoryStore {
  return new Records(memoryOptions(options).runtime)
}

export interface MemoryStore extends Store {
  /** Deletes a record, as a hand or a clean-up would. Fences of the key still rise. */
  delete(key: RecordKey): void
}

/** How many commands pass between two looks for records to delete. */
const SWEEP_EVERY = 1024

class Records implements MemoryStore {
  readonly name = 'memory'
  readonly capabilities: Capabilities = { minLeaseMs: 1, maxResultBytes: 6 * 1024 * 1024 }
  readonly runtime: Runtime
  readonly #records = new Map<RecordKey, AlonceRecord>()
  /** No smaller than any fence or version ever given, so that a deleted key's fences still rise (V2). */
  #seed = 0
  #commands = 0
  /** Wall time at construction less monotonic time: from there on only the monotonic clock counts, which never jumps. */
  readonly #epochMs: number

  constructor(runtime: Runtime) {
    this.runtime = runtime
    this.#epochMs = runtime.clock.wall() - runtime.clock.monotonic()
  }

  async execute<C extends Command>(command: C, options: SendOptions = {}): Promise<ReplyTo<C>> {
    options.onRequest?.()
    const now = this.now()
    this.#sweep(now)
    const moment = { ...now, sentAtMs: options.firstSentAtMs ?? now.latest, resent: options.resent ?? false, seed: this.#seed }
    const before = this.#records.get(command.key)
    const { record, reply } = transition(before, command, moment)
    if (record && record !== before) {
      this.#records.set(command.key, record)
      this.#seed = Math.max(this.#seed, record.fence, record.version)
    }
    return reply as ReplyTo<C>
  }

  async read(key: RecordKey, options: SendOptions = {}): Promise<AlonceRecord | undefined> {
    options.onRequest?.()
    return this.#records.get(key)
  }

  delete(key: RecordKey): void {
    this.#records.delete(key)
  }

  now(): Interval {
    return exactly(Math.floor(this.#epochMs + this.runtime.clock.monotonic()))
  }

  #sweep(now: Interval): void {
    if (++this.#commands % SWEEP_EVERY !== 0) return
    for (const [key, record] of this.#records) {
      if (record.purgeAtMs !== undefined && record.purgeAtMs < now.earliest) this.#records.delete(key)
    }
  }
}
