import { type Runtime, sleep } from '../runtime/runtime.ts'
import type { AcquiredAll, LockAcquire } from '../store/command.ts'
import { AlonceError, type ErrorDetails, invariant } from '../store/errors.ts'
import type { SendOptions, Store } from '../store/store.ts'
import type { Transactions } from '../store/transaction.ts'
import { type RequestType, Throttled, Wire } from './wire.ts'

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

  async function persist<T>(type: RequestType, given: SendOptions, send: (options: SendOptions) => Promise<T>): Promise<T> {
    const firstSentAtMs = given.firstSentAtMs ?? inner.now().latest
    const since = runtime.clock.monotonic()
    const isOver = (): boolean => given.timeoutMs !== undefined && runtime.clock.monotonic() - since >= given.timeoutMs
    let maybeApplied = given.resent ?? false
    let cause: unknown
    for (let attempt = 1; attempt <= attempts && !isOver(); attempt++) {
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
    throw unavailable({ cause, maybeApplied })
  }

  /** A request that a test holds on the wire has no answer within the time of the call; it may still arrive. */
  function withinTime<T>(given: SendOptions, work: Promise<T>): Promise<T> {
    const { timeoutMs } = given
    if (timeoutMs === undefined) return work
    const since = runtime.clock.monotonic()
    return new Promise((resolve, reject) => {
      let cancel = (): void => undefined
      const look = (): void => {
        // A frozen process finds its timers due when it thaws, though for it no time has passed.
        const leftMs = since + timeoutMs - runtime.clock.monotonic()
        if (leftMs <= 0) reject(unavailable({ maybeApplied: true }))
        else cancel = runtime.timer.after(leftMs, look)
      }
      look()
      work.then(resolve, reject).finally(() => cancel())
    })
  }

  const through = <T>(type: RequestType, given: SendOptions, send: (options: SendOptions) => Promise<T>): Promise<T> =>
    withinTime(given, persist(type, given, send))

  return {
    name: inner.name,
    capabilities: inner.capabilities,
    transactions: inner.transactions && {
      guard: inner.transactions.guard,
      transact: (command, items, given = {}) =>
        through('transact', given, (options) => transactionsOf(inner).transact(command, items, options)),
    },
    runtime,
    wire,
    now: () => inner.now(),
    execute: (command, given = {}) => through(command.type, given, (options) => inner.execute(command, options)),
    acquireAll:
      inner.acquireAll && ((commands, given = {}) => through('acquire-all', given, (options) => joint(inner, commands, options))),
    read: (key, given = {}) => through('read', given, () => inner.read(key)),
  }
}

function transactionsOf({ transactions }: Store): Transactions {
  invariant(transactions !== undefined, () => 'a faulty store outlives the transactions of its store')
  return transactions
}

function joint(inner: Store, commands: readonly LockAcquire[], options: SendOptions): Promise<AcquiredAll> {
  invariant(inner.acquireAll !== undefined, () => 'a faulty store outlives what its store can do')
  return inner.acquireAll(commands, options)
}

const unavailable = (details: ErrorDetails): AlonceError =>
  new AlonceError('STORE_UNAVAILABLE', 'The store did not answer, however often it was asked. Try again later.', details)
