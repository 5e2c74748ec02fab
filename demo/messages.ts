import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import type { Answer } from '../functions/payments/handler.ts'
import type { AlonceEvent } from '../lib/events/events.ts'

/** What a worker process needs to build its handler. Travels as its argument, in JSON. */
export interface WorkerSetup {
  readonly store: MemorySetup | DynamodbSetup
  readonly providerUrl: string
  /** How long the provider may take to answer. Milliseconds. */
  readonly providerTimeoutMs: number
  readonly leaseMs: number
  /** Without Alonce, and without downstream keys. */
  readonly unprotected: boolean
}
export interface MemorySetup {
  readonly kind: 'memory'
  readonly port: number
}
export interface DynamodbSetup {
  readonly kind: 'dynamodb-local'
  readonly endpoint: string
  readonly tableName: string
}

export interface ToWorker {
  readonly delivery: string
  readonly event: APIGatewayProxyEventV2
}

export type FromWorker =
  | { readonly type: 'ready' }
  | { readonly type: 'answer'; readonly delivery: string; readonly answer: Answer }
  /** The handler threw: Lambda would report it, and API Gateway answer with 500. */
  | { readonly type: 'threw'; readonly delivery: string; readonly message: string }
  | { readonly type: 'event'; readonly delivery: string; readonly event: AlonceEvent }
