import type { Runtime } from '../../runtime/runtime.ts'
import type { AcquiredAll, Command, Granted, LockAcquire, ReplyTo } from '../../store/command.ts'
import type { AlonceRecord, RecordKey } from '../../store/record.ts'
import type { Capabilities, SendOptions, Store, Transitioned } from '../../store/store.ts'
import { exactly, type Interval, type Moment } from '../../store/time.ts'
import { answerOf, checkJoint } from '../joint.ts'
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
    const { reply } = this.#apply(command, this.#moment(options))
    return reply as ReplyTo<C>
  }

  async acquireAll(commands: readonly LockAcquire[], options: SendOptions = {}): Promise<AcquiredAll> {
    checkJoint(commands)
    const moment = this.#moment(options)
    const tried = commands.map((command) => answerOf(transition(this.#records.get(command.key), command, moment).reply))
    const index = tried.findIndex(({ outcome }) => outcome !== 'acquired')
    const refusal = tried[index]
    if (refusal && refusal.outcome !== 'acquired') {
      // What an earlier sending has taken, before an operator took one of them away.
      for (const { key, owner } of commands) this.#apply({ type: 'lock.release', key, owner }, moment)
      return { outcome: 'refused', index, reply: refusal }
    }
    for (const command of commands) this.#apply(command, moment)
    return { outcome: 'acquired', grants: tried as readonly Granted[] }
  }

  #moment(options: SendOptions): Moment {
    options.onRequest?.()
    const now = this.now()
    this.#sweep(now)
    return { ...now, sentAtMs: options.firstSentAtMs ?? now.latest, resent: options.resent ?? false, seed: this.#seed }
  }

  #apply(command: Command, moment: Moment): Transitioned {
    const before = this.#records.get(command.key)
    const done = transition(before, command, moment)
    if (done.record && done.record !== before) {
      this.#records.set(command.key, done.record)
      this.#seed = Math.max(this.#seed, done.record.fence, done.record.version)
    }
    return done
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
