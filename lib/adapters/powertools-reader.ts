import { GetItemCommand } from '@aws-sdk/client-dynamodb'
import { unmarshall } from '@aws-sdk/util-dynamodb'
import type { Earlier, Predecessor } from '../idempotency/predecessor.ts'
import { AlonceError, type ErrorCode, isAlonceError } from '../store/errors.ts'
import type { SendOptions } from '../store/store.ts'
import { Call, type Item, Requests } from '../stores/dynamodb/send.ts'
import { TableClock } from '../stores/dynamodb/table-clock.ts'
import { hashed, powertoolsKey } from './powertools-reader-key.ts'
import { type PowertoolsReaderOptions, type ReaderSettings, readerSettings } from './powertools-reader-options.ts'

export type { Earlier, Predecessor } from '../idempotency/predecessor.ts'
export type { PowertoolsReaderOptions } from './powertools-reader-options.ts'

/**
 * The table of Powertools' idempotency for TypeScript, as a `predecessor`: what it has completed is replayed until its record
 * expires, and what an old function is still doing is in progress. It only reads (`dynamodb:GetItem`). What this covers while old
 * functions still run, and what not: `docs/MIGRATE.md`.
 *
 * @throws AlonceError `CONFIG_INVALID`, naming the option
 *
 * @example
 * const predecessor = powertoolsReader({ tableName: 'idempotency', keyPrefix: 'payments-prod', payload: (event: Payment) => event.id })
 * export const handler = makeIdempotent(charge, { store, operation: 'charge', key: (event) => event.id, predecessor })
 */
export function powertoolsReader<A extends readonly unknown[] = readonly unknown[]>(
  options: PowertoolsReaderOptions<A>,
): Predecessor<A> {
  return new PowertoolsReader(readerSettings(options))
}

/** Lambda kills up to 0.7 s after the deadline that Powertools takes for the attempt's end. */
const KILL_GRACE_MS = 1000

class PowertoolsReader implements Predecessor {
  readonly #settings: ReaderSettings
  readonly #clock: TableClock
  readonly #requests: Requests

  constructor(settings: ReaderSettings) {
    this.#settings = settings
    const { runtime, clockGuardMs } = settings.requests
    this.#clock = new TableClock(runtime.clock, clockGuardMs)
    this.#requests = new Requests(settings.requests, this.#clock)
  }

  async find(args: readonly unknown[], options: SendOptions): Promise<Earlier | undefined> {
    const { requests, untilMs, payload, validation, hashFunction } = this.#settings
    if (requests.runtime.clock.wall() > untilMs) return undefined
    const id = powertoolsKey(payload(args), this.#settings)
    if (id === undefined) return undefined
    const expected = validation && hashed(validation(args), hashFunction)
    const item = await this.#get(id, new Call(requests.runtime, requests.totalTimeoutMs, options))
    return item && this.#judge(item, expected)
  }

  async #get(id: string, call: Call): Promise<Item | undefined> {
    const { requests, address } = this.#settings
    const build = (): object => new GetItemCommand({ TableName: requests.tableName, Key: address(id), ConsistentRead: true })
    try {
      const answer = await this.#requests.deliver<{ Item?: Item }>({ writes: false, build }, call)
      return answer.refused ? answer.item : answer.output.Item
    } catch (error) {
      throw isAlonceError(error) ? this.#explained(error) : error
    }
  }

  /** Our own table needs other keys and permissions than this one. */
  #explained(error: AlonceError): AlonceError {
    const { tableName } = this.#settings.requests
    const sentences: { readonly [code in ErrorCode]?: string } = {
      STORE_DENIED: `DynamoDB refused to read Powertools’ table "${tableName}". Grant dynamodb:GetItem on it, and check that the credentials are valid.`,
      STORE_NOT_FOUND: `Powertools’ table "${tableName}" does not exist in this account and region. Check "tableName", or drop the predecessor when its records have expired.`,
      STORE_SCHEMA: `Powertools’ table "${tableName}" has another primary key. Give "keyAttr", "sortKeyAttr" and "staticPkValue" as the old code gave them.`,
    }
    const message = sentences[error.code]
    return message === undefined ? error : new AlonceError(error.code, message, { cause: error.cause })
  }

  #judge(item: Item, expected: string | undefined): Earlier | undefined {
    const { names } = this.#settings
    // By DynamoDB's clock: its reply has just brought the time along.
    const nowMs = this.#clock.now().earliest
    const expiresAtMs = numberOf(item[names.expiry]) * 1000
    if (nowMs > expiresAtMs) return undefined
    // Before the status, as there: a running attempt refuses another payload too.
    if (expected !== undefined && item[names.validation]?.S !== expected) return { status: 'mismatch' }
    const status = item[names.status]?.S
    if (status === 'INPROGRESS') return inProgress(expiresAtMs, numberOf(item[names.inProgressExpiry]), nowMs)
    if (status !== 'COMPLETED') throw unreadable('its status is none that Powertools writes')
    return { status: 'completed', value: resultOf(item, names.data) }
  }
}

/** Until the old invocation's deadline, and Lambda's grace; if Powertools did not know the deadline, until the record expires. */
function inProgress(expiresAtMs: number, deadlineMs: number, nowMs: number): Earlier | undefined {
  const leftMs = Math.min(expiresAtMs, deadlineMs + KILL_GRACE_MS) - nowMs
  return leftMs < 0 ? undefined : { status: 'in-progress', leftMs }
}

/** What is missing, or no number, never comes. */
function numberOf(attribute: Item[string] | undefined): number {
  const number = Number(attribute?.N ?? Number.NaN)
  return Number.isNaN(number) ? Number.POSITIVE_INFINITY : number
}

/** No attribute: it returned `undefined`. */
function resultOf(item: Item, name: string): unknown {
  const stored = item[name]
  if (stored === undefined) return undefined
  try {
    return unmarshall({ value: stored })['value']
  } catch (cause) {
    throw unreadable('its result can’t be read back', cause)
  }
}

const unreadable = (why: string, cause?: unknown): AlonceError =>
  new AlonceError(
    'RECORD_UNREADABLE',
    `Powertools has a record of this operation, but ${why}. It will not run again: repair or delete that record.`,
    { cause },
  )
