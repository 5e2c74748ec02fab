import { DynamoDBClient, type DynamoDBClientConfig } from '@aws-sdk/client-dynamodb'
import { type Runtime, systemRuntime } from '../../runtime/runtime.ts'
import { AlonceError, isAlonceError } from '../../store/errors.ts'
import type { Store } from '../../store/store.ts'
import { dynamodbStore } from '../../stores/dynamodb/dynamodb-store.ts'
import { judge } from '../../stores/dynamodb/errors.ts'
import { TableClock } from '../../stores/dynamodb/table-clock.ts'
import { throughClient } from '../../stores/dynamodb/transport.ts'

export interface ConnectionOptions {
  readonly tableName: string | undefined
  readonly namespace: string
  readonly region?: string | undefined
  readonly endpoint?: string | undefined
}

/** The store, and a client beside it for what no store does: listing, describing. */
export interface Connection {
  readonly store: Store
  readonly client: DynamoDBClient
  /** Of what `client` was answered. */
  readonly clock: TableClock
  readonly runtime: Runtime
  readonly tableName: string
  readonly namespace: string
}

/** People's machines are far away and log in first: more patient than a function that somebody waits for. */
const REQUEST_MS = 5000
const TOTAL_MS = 15_000
/** The store's own default. */
const GUARD_MS = 1000

/** @throws AlonceError `CONFIG_INVALID` */
export function connect(options: ConnectionOptions): Connection {
  const { tableName, namespace, region, endpoint } = options
  const clientConfig: DynamoDBClientConfig = {
    ...(region !== undefined && { region }),
    ...(endpoint !== undefined && { endpoint }),
  }
  const bounds = { requestTimeoutMs: REQUEST_MS, totalTimeoutMs: TOTAL_MS }
  const store = dynamodbStore({ tableName, namespace, clientConfig, ...bounds })
  const requestHandler = { connectionTimeout: REQUEST_MS, requestTimeout: REQUEST_MS }
  const client = new DynamoDBClient({ ...clientConfig, requestHandler })
  // As cautious as the store's, so that "expired" means that it can be taken over.
  const clock = new TableClock(systemRuntime.clock, GUARD_MS)
  return { store, client, clock, runtime: systemRuntime, tableName: tableName ?? '', namespace }
}

/** Sends what the store does not, once: the SDK retries. @throws AlonceError as the store does */
export async function send<Output>({ client, clock, tableName }: Connection, command: object): Promise<Output> {
  const sent = throughClient(client)(command, { clock, attempts: [], onRequest: undefined })
  return explained(tableName, sent as Promise<Output>)
}

/** @throws AlonceError as the store does */
export async function explained<T>(tableName: string, request: Promise<T>): Promise<T> {
  try {
    return await request
  } catch (cause) {
    if (isAlonceError(cause)) throw cause
    const verdict = judge(cause, tableName)
    if (verdict.kind === 'fatal' || verdict.kind === 'skewed') throw verdict.error
    const message = `DynamoDB's table "${tableName}" did not answer in time. Check the network, the region and the endpoint, and try again.`
    throw new AlonceError('STORE_UNAVAILABLE', message, { cause })
  }
}
