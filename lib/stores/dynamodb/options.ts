import type { DynamoDBClientConfig } from '@aws-sdk/client-dynamodb'
import { type Runtime, systemRuntime } from '../../runtime/runtime.ts'
import { configInvalid } from '../../store/errors.ts'
import { flag, wholeNumber } from '../../store/option.ts'
import type { CommandSender } from './send.ts'

export interface DynamoDBStoreOptions {
  /** Name or ARN of the table. `undefined`, as an environment variable that is not set, is refused with a sentence that says so. */
  readonly tableName: string | undefined
  /** Several applications may share a table, each in its own namespace. Default: `default`. */
  readonly namespace?: string | undefined
  /** A `DynamoDBClient` of your own, or anything with its `send`. Default: one made at the first request. */
  readonly client?: CommandSender | undefined
  /** For the client that the store makes: region, endpoint, credentials. Default: the environment's. */
  readonly clientConfig?: DynamoDBClientConfig | undefined
  /** How far apart the clocks of DynamoDB's hosts may be. A takeover waits that much longer. Default: 1000. */
  readonly clockGuardMs?: number | undefined
  /** For one request. Default: 1000. */
  readonly requestTimeoutMs?: number | undefined
  /** For a whole command, retries included. Default: 3000. */
  readonly totalTimeoutMs?: number | undefined
  /** Requests for one step of a command, retries included. Default: 6. */
  readonly maxAttempts?: number | undefined
  /**
   * Whether the table takes transactions. A multi-region strongly consistent one does not: with `false`, several `keys` are taken
   * one after the other, and `transact` and `guard` are refused. Default: `true`.
   */
  readonly transactions?: boolean | undefined
  /** Clock, randomness and timers. Default: the system's. */
  readonly runtime?: Runtime | undefined
}

/** The options, checked, with their defaults. */
export interface Settings {
  readonly tableName: string
  readonly namespace: string
  readonly client: CommandSender | undefined
  readonly clientConfig: DynamoDBClientConfig
  readonly clockGuardMs: number
  readonly requestTimeoutMs: number
  readonly totalTimeoutMs: number
  readonly maxAttempts: number
  readonly transactions: boolean
  readonly runtime: Runtime
}

const TABLE = /^[\w.-]{3,255}$/
const TABLE_ARN = /^arn:[\w-]+:dynamodb:[\w-]+:\d{12}:table\/[\w.-]{3,255}$/
const NAMESPACE = /^[\w.-]{1,64}$/

/** @throws AlonceError `CONFIG_INVALID` */
export function dynamodbOptions(options: DynamoDBStoreOptions): Settings {
  const { tableName, namespace = 'default', client, clientConfig, runtime = systemRuntime } = options
  checkNames(tableName, namespace)
  if (client !== undefined && typeof client.send !== 'function') {
    throw configInvalid('client', 'must be a DynamoDBClient or an object with its "send" method.')
  }
  if (client && clientConfig) {
    throw configInvalid('clientConfig', 'is for the client that the store makes; configure the one you pass in "client" instead.')
  }
  const requestTimeoutMs = wholeNumber('requestTimeoutMs', options.requestTimeoutMs ?? 1000, [10, 60_000])
  return {
    tableName,
    namespace,
    client,
    clientConfig: clientConfig ?? {},
    clockGuardMs: wholeNumber('clockGuardMs', options.clockGuardMs ?? 1000, [0, 60_000]),
    requestTimeoutMs,
    totalTimeoutMs: wholeNumber('totalTimeoutMs', options.totalTimeoutMs ?? Math.max(3000, requestTimeoutMs), [
      requestTimeoutMs,
      300_000,
    ]),
    maxAttempts: wholeNumber('maxAttempts', options.maxAttempts ?? 6, [1, 20]),
    transactions: flag('transactions', options.transactions ?? true),
    runtime,
  }
}

function checkNames(tableName: unknown, namespace: unknown): asserts tableName is string {
  if (tableName === undefined) {
    throw configInvalid(
      'tableName',
      'is undefined: the environment variable that should carry it is not set. Set it in the function’s configuration to the name of the table.',
    )
  }
  if (typeof tableName !== 'string' || !(TABLE.test(tableName) || TABLE_ARN.test(tableName))) {
    throw configInvalid('tableName', `must be the name (3 to 255 letters, digits, "_", "-", ".") or the ARN of a table.`)
  }
  if (typeof namespace !== 'string' || !NAMESPACE.test(namespace)) {
    throw configInvalid('namespace', 'must have 1 to 64 letters, digits, "_", "-" or ".", and no "/".')
  }
}
