import type { Runtime } from '../../runtime/runtime.ts'
import type { Command, Reply, ReplyTo } from '../../store/command.ts'
import type { AlonceRecord, RecordKey } from '../../store/record.ts'
import type { Capabilities, SendOptions, Store } from '../../store/store.ts'
import { DAY_MS, type Interval } from '../../store/time.ts'
import { Execution } from './execution.ts'
import { ttlSeconds } from './item.ts'
import { type DynamoDBStoreOptions, dynamodbOptions, type Settings } from './options.ts'
import { MAX_RESULT_BYTES, Results } from './results.ts'
import { Call, Requests } from './send.ts'
import { Sightings } from './sightings.ts'
import { Table } from './table.ts'
import { TableClock } from './table-clock.ts'

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
  readonly #settings: Settings
  readonly #clock: TableClock
  readonly #table: Table
  readonly #results: Results
  readonly #sightings = new Sightings()

  constructor(settings: Settings) {
    this.#settings = settings
    this.runtime = settings.runtime
    this.#clock = new TableClock(settings.runtime.clock, settings.clockGuardMs)
    const requests = new Requests(settings, this.#clock)
    const names = { name: settings.tableName, namespace: settings.namespace }
    this.#table = new Table(names, requests, this.#clock)
    this.#results = new Results(names, requests)
  }

  async execute<C extends Command>(command: C, options: SendOptions = {}): Promise<ReplyTo<C>> {
    const call = this.#call(options)
    const execution = new Execution(
      { table: this.#table, clock: this.#clock, sightings: this.#sightings },
      { command: await this.#prepare(command, call), call, firstSentAtMs: firstSentAt(options) },
    )
    const reply = await execution.run()
    return (await this.#complete(command.key, reply, call)) as ReplyTo<C>
  }

  async read(key: RecordKey, options: SendOptions = {}): Promise<AlonceRecord | undefined> {
    const { head, look } = await this.#table.get(key, this.#call(options))
    if (head && (head.unclocked || this.#clock.basis === 'wall')) this.#sightings.outlasted(key, head, look)
    return head?.record
  }

  now(): Interval {
    return this.#clock.now()
  }

  #call(options: SendOptions): Call {
    return new Call(this.runtime, this.#settings.totalTimeoutMs, options)
  }

  async #prepare(command: Command, call: Call): Promise<Command> {
    if (command.type !== 'once.complete') return command
    const ttl = ttlSeconds(this.#clock.instant().latest + command.retainMs + DAY_MS)
    return this.#results.putAside(command, ttl, call)
  }

  /** A replay gets its result as it was, wherever it lies. */
  async #complete(key: RecordKey, reply: Reply, call: Call): Promise<Reply> {
    if (reply.outcome !== 'completed' || !('result' in reply)) return reply
    return { ...reply, result: await this.#results.load(key, reply.result, call) }
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
