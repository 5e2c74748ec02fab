import { type Runtime, sleep } from '../runtime/runtime.ts'
import type { Command, ReplyTo } from '../store/command.ts'
import { AlonceError } from '../store/errors.ts'
import type { AlonceRecord, RecordKey } from '../store/record.ts'
import type { SendOptions, Store } from '../store/store.ts'
import { Throttled, Wire } from './wire.ts'

export interface FaultyStoreOptions {
  /** The client's own clocks and timers. Default: the store's. */
  readonly runtime?: Runtime | undefined
  /** How often a request is sent before the client gives up, as the AWS SDK does. Default: 3. */
  readonly attempts?: number | undefined
}

export interface FaultyStore extends Store {
  readonly wire: Wire
}

/**
 * A store behind a wire that loses requests and answers, delays and repeats them, and behind a client that sends again what
 * was not answered. What is true of a store must be true of this one.
 *
 * @example
 * const store = faultyStore(memoryStore())
 * store.wire.inject('drop-answer', 'once.begin') // applied, its answer lost, sent again
 */
export function faultyStore(inner: Store, options: FaultyStoreOptions = {}): FaultyStore {
  const { runtime = inner.runtime, attempts = 3 } = options
  const wire = new Wire()

  async function persist<T>(
    type: Command['type'] | 'read',
    given: SendOptions,
    send: (options: SendOptions) => Promise<T>,
  ): Promise<T> {
    const firstSentAtMs = given.firstSentAtMs ?? inner.now().latest
    let maybeApplied = given.resent ?? false
    let cause: unknown
    for (let attempt = 1; attempt <= attempts; attempt++) {
      const resent = maybeApplied
      try {
        given.onRequest?.()
        return await wire.through(type, () => send({ resent, firstSentAtMs }))
      } catch (error) {
        if (error instanceof AlonceError) throw error
        cause = error
        maybeApplied ||= !(error instanceof Throttled)
        await sleep(runtime.timer, 50 * attempt)
      }
    }
    const message = `The store did not answer ${attempts} times. Try again later.`
    throw new AlonceError('STORE_UNAVAILABLE', message, { cause, maybeApplied })
  }

  return {
    name: inner.name,
    capabilities: inner.capabilities,
    runtime,
    wire,
    now: () => inner.now(),
    execute: <C extends Command>(command: C, given: SendOptions = {}): Promise<ReplyTo<C>> =>
      persist(command.type, given, (options) => inner.execute(command, options)),
    read: (key: RecordKey, given: SendOptions = {}): Promise<AlonceRecord | undefined> =>
      persist('read', given, () => inner.read(key)),
  }
}
