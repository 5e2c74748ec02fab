import type { Runtime } from '../../runtime/runtime.ts'
import type { AcquiredAll, Command, Completed, LockAcquire, OnceComplete, Reply, ReplyTo } from '../../store/command.ts'
import { AlonceError, isAlonceError } from '../../store/errors.ts'
import type { AlonceRecord, RecordKey } from '../../store/record.ts'
import type { Capabilities, SendOptions, Store } from '../../store/store.ts'
import { DAY_MS, type Interval } from '../../store/time.ts'
import type { TokenCompletion, Transacted, TransactItem, Transactions } from '../../store/transaction.ts'
import { checkJoint } from '../joint.ts'
import { JointExecution, type JointPorts } from './acquire-all.ts'
import { Execution } from './execution.ts'
import { leasesOf } from './grant.ts'
import { ttlSeconds } from './item.ts'
import { LargeCheckpoints } from './large-checkpoints.ts'
import { LastFences } from './last-fences.ts'
import { type DynamoDBStoreOptions, dynamodbOptions, type Settings } from './options.ts'
import { MAX_RESULT_BYTES, Results } from './results.ts'
import { Call, Requests } from './send.ts'
import { Sightings } from './sightings.ts'
import { Table, type TableNames } from './table.ts'
import { TableClock } from './table-clock.ts'
import { guardItem, TransactionExecution } from './transact.ts'
import { marshalled, ofTransaction } from './transact-items.ts'

export { type CreateTableOptions, createTable } from './create-table.ts'
export type { DynamoDBStoreOptions } from './options.ts'
export type { CommandSender } from './send.ts'

/**
 * Records in a DynamoDB table with the string keys `pk` and `sk`, and `ttl` as its TTL attribute.
 *
 * @example
 * const store = dynamodbStore({ tableName: process.env.ALONCE_TABLE })
 * export const handler = makeIdempotent(charge, { store, operation: 'charge', key: (event) => event.paymentId })
 *
 * @throws AlonceError `CONFIG_INVALID`
 */
export function dynamodbStore(options: DynamoDBStoreOptions): Store {
  return new DynamoDBStore(dynamodbOptions(options))
}

class DynamoDBStore implements Store {
  readonly name = 'dynamodb'
  /** Shorter leases would end within what the server's clock is uncertain by. */
  readonly capabilities: Capabilities = { minLeaseMs: 3000, maxResultBytes: MAX_RESULT_BYTES }
  readonly runtime: Runtime
  readonly transactions: Transactions | undefined
  readonly acquireAll: Store['acquireAll']
  readonly #settings: Settings
  readonly #clock: TableClock
  readonly #table: Table
  readonly #names: TableNames
  readonly #requests: Requests
  readonly #results: Results
  readonly #checkpoints: LargeCheckpoints
  readonly #sightings = new Sightings()
  readonly #fences = new LastFences()

  constructor(settings: Settings) {
    this.#settings = settings
    this.runtime = settings.runtime
    this.#clock = new TableClock(settings.runtime.clock, settings.clockGuardMs)
    this.#requests = new Requests(settings, this.#clock)
    this.#names = { name: settings.tableName, namespace: settings.namespace }
    this.#table = new Table(this.#names, this.#requests, this.#clock)
    this.#results = new Results(this.#names, this.#requests)
    this.#checkpoints = new LargeCheckpoints(this.#names, this.#requests)
    if (!settings.transactions) return
    this.transactions = {
      transact: (command, items, options) => this.#transact(command, items, options),
      guard: (key, grant) => guardItem(this.#names, key, grant),
    }
    this.acquireAll = (commands, options) => this.#acquireAll(commands, options)
  }

  async execute<C extends Command>(command: C, options: SendOptions = {}): Promise<ReplyTo<C>> {
    const call = this.#call(options)
    const reply = await this.#run(await this.#prepare(command, call), call, firstSentAt(options))
    return (await this.#complete(command.key, reply, call)) as ReplyTo<C>
  }

  async read(key: RecordKey, options: SendOptions = {}): Promise<AlonceRecord | undefined> {
    const call = this.#call(options)
    const { head, look } = await this.#table.get(key, call)
    if (head && (head.unclocked || this.#clock.basis === 'wall')) this.#sightings.earliest(leasesOf(head), { key, look }, 0)
    const record = head?.record
    if (record?.kind === 'lock') this.#fences.saw(key, record.fence)
    if (record?.kind !== 'once' || !record.result) return record
    return { ...record, result: await this.#results.load(key, record.result, call) }
  }

  now(): Interval {
    return this.#clock.now()
  }

  #run(command: Command, call: Call, firstSentAtMs?: number): Promise<Reply> {
    const ports = { table: this.#table, clock: this.#clock, sightings: this.#sightings }
    return new Execution(ports, { command, call, firstSentAtMs }).run()
  }

  async #acquireAll(commands: readonly LockAcquire[], options: SendOptions = {}): Promise<AcquiredAll> {
    checkJoint(commands)
    const ports: JointPorts = {
      table: this.#table,
      requests: this.#requests,
      clock: this.#clock,
      sightings: this.#sightings,
      fences: this.#fences,
      release: (command, call) => this.#run(command, call),
      occasion: () => this.runtime.random.id(),
    }
    const task = { commands, call: this.#call(options), firstSentAtMs: firstSentAt(options) }
    return new JointExecution(ports, task).run()
  }

  #call(options: SendOptions): Call {
    return new Call(this.runtime, this.#settings.totalTimeoutMs, options)
  }

  #prepare(command: Command, call: Call): Command | Promise<Command> {
    if (command.type === 'once.complete') return this.#putResultAside(command, call)
    if (command.type !== 'once.checkpoint') return command
    return this.#checkpoints.putAside(command, this.#clock.instant().latest, call)
  }

  #putResultAside<C extends OnceComplete>(command: C, call: Call): C | Promise<C> {
    const ttl = ttlSeconds(this.#clock.instant().latest + command.retainMs + DAY_MS)
    return this.#results.putAside(command, ttl, call)
  }

  /** A replay gets its result as it was, and an attempt its checkpoints, wherever they lie. */
  #complete(key: RecordKey, reply: Reply, call: Call): Reply | Promise<Reply> {
    if (reply.outcome === 'started' || reply.outcome === 'exists') return this.#checkpoints.load(key, reply, call)
    return reply.outcome === 'completed' && 'result' in reply ? this.#withResult(key, reply, call) : reply
  }

  async #withResult(key: RecordKey, reply: Completed, call: Call): Promise<Completed> {
    return { ...reply, result: await this.#results.load(key, reply.result, call) }
  }

  async #transact(command: TokenCompletion, given: readonly TransactItem[], options: SendOptions = {}): Promise<Transacted> {
    const items = await marshalled(given)
    const call = this.#call(options)
    const { firstSentAtMs } = options
    const instant = this.#clock.instant()
    // By the time of its first sending, so that the caller's next sending has the same bytes.
    const latest = firstSentAtMs !== undefined && Number.isFinite(firstSentAtMs) ? firstSentAtMs : instant.latest
    const sending = { ...instant, latest, sentAtMs: latest }
    try {
      const task = { command: await this.#putResultAside(command, call), items, call, sending }
      return await new TransactionExecution(this.#table, this.#requests, task).run()
    } catch (error) {
      if (!call.resent || isAlonceError(error, 'STORE_UNAVAILABLE')) throw ofTransaction(error)
      const message = 'The transaction was sent, and what became of it is not known. See the cause.'
      throw new AlonceError('STORE_UNAVAILABLE', message, { cause: error, key: command.key, maybeApplied: true })
    }
  }
}

/**
 * The caller reads `now().latest` before it sends; before our first reply that is infinite. Sent again with that, the command
 * may be older than any tombstone.
 */
function firstSentAt({ resent, firstSentAtMs }: SendOptions): number | undefined {
  if (!resent || firstSentAtMs === undefined) return undefined
  return Number.isFinite(firstSentAtMs) ? firstSentAtMs : 0
}
