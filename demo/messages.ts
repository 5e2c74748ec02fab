import type { BatchResponse } from 'alonce/batch'
import type { APIGatewayProxyEventV2, ScheduledEvent, SQSEvent } from 'aws-lambda'
import type { Answer } from '../functions/payments/handler.ts'
import type { Settled } from '../functions/settlement/handler.ts'
import type { AlonceEvent } from '../lib/events/events.ts'

export type FunctionEvent = APIGatewayProxyEventV2 | SQSEvent | ScheduledEvent
export type FunctionAnswer = Answer | BatchResponse | Settled

/** What a worker process needs to build its handler. Travels as its argument, in JSON. */
export interface WorkerSetup {
  readonly store: MemorySetup | DynamodbSetup
  readonly providerUrl: string
  /** How long the provider may take to answer. Milliseconds. */
  readonly providerTimeoutMs: number
  readonly leaseMs: number
  /** Without Alonce, and without downstream keys. */
  readonly unprotected: boolean
  /** How long one invocation may take. Milliseconds. Default: 10,000. */
  readonly invocationMs?: number
  /** Runs a function that books, instead of the payments function. */
  readonly books?: BooksSetup
}
export interface BooksSetup {
  readonly function: 'orders' | 'settlement'
  readonly endpoint: string
  readonly tableName: string
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
  readonly event: FunctionEvent
}

export type FromWorker =
  | { readonly type: 'ready' }
  | { readonly type: 'answer'; readonly delivery: string; readonly answer: FunctionAnswer }
  /** The handler threw: Lambda would report it, and API Gateway answer with 500. */
  | { readonly type: 'threw'; readonly delivery: string; readonly message: string }
  | { readonly type: 'event'; readonly delivery: string; readonly event: AlonceEvent }
