import { type BatchResponse, idempotentBatch, type RecordFailure } from 'alonce/batch'
import type { SQSEvent, SQSRecord } from 'aws-lambda'
import type { LambdaContext } from '../../../lib/runtime/invocation.ts'
import type { Backend } from '../../support/backends.ts'
import { type Actor, type Stage, stage } from '../idempotency/stage.ts'

export interface Order {
  readonly id?: string | undefined
  readonly tenant?: string | undefined
  readonly amount?: number
}
export type Handle = (order: Order, record: SQSRecord, context: LambdaContext) => unknown
export type Options = Partial<Parameters<typeof idempotentBatch<SQSRecord>>[1]>

interface Delivery {
  readonly group?: string
  readonly receiveCount?: number
}

const ARN = 'arn:aws:sqs:eu-central-1:123456789012:orders'

/** A message as Lambda delivers it. Its id is `m-<order>` unless given. */
export function message(order: Order | string, { group, receiveCount = 1 }: Delivery = {}, messageId?: string): SQSRecord {
  const content = typeof order === 'string' ? { id: order } : order
  const fifo = group === undefined ? {} : { MessageGroupId: group, SequenceNumber: '18849496460467696128' }
  return {
    messageId: messageId ?? `m-${content.id}`,
    receiptHandle: 'receipt',
    body: JSON.stringify(content),
    attributes: {
      ApproximateReceiveCount: String(receiveCount),
      SentTimestamp: '1545082649183',
      SenderId: 'AIDAIENQZJOLO23YVJ4VO',
      ApproximateFirstReceiveTimestamp: '1545082649185',
      ...fifo,
    },
    messageAttributes: {},
    md5OfBody: '098f6bcd4621d373cade4e832627b4f6',
    eventSource: 'aws:sqs',
    eventSourceARN: group === undefined ? ARN : `${ARN}.fifo`,
    awsRegion: 'eu-central-1',
  }
}

export const orderOf = (record: SQSRecord): Order => JSON.parse(record.body) as Order

export interface BatchStage extends Stage {
  readonly app: Actor
  /** Orders whose handler was called, in this order. */
  readonly ran: string[]
  readonly failures: RecordFailure<SQSRecord>[]
  consumer(handle: Handle, options?: Options, actor?: Actor): (event: SQSEvent, context: LambdaContext) => Promise<BatchResponse>
  /** One invocation, run to its end: the ids of the messages that it returned as failed. */
  deliver(
    consumer: (event: SQSEvent, context: LambdaContext) => Promise<BatchResponse>,
    records: readonly SQSRecord[],
    context?: LambdaContext,
  ): Promise<string[]>
}

export async function open(backend: Backend): Promise<BatchStage> {
  const base = await stage(backend)
  const app = base.actor()
  const ran: string[] = []
  const failures: RecordFailure<SQSRecord>[] = []
  const consumer: BatchStage['consumer'] = (handle, options = {}, actor = app) =>
    idempotentBatch(
      (record: SQSRecord, context: LambdaContext) => {
        const order = orderOf(record)
        ran.push(String(order.id))
        return handle(order, record, context)
      },
      {
        store: actor.store,
        onEvent: actor.onEvent,
        operation: 'ship',
        key: (record) => orderOf(record).id,
        onRecordFailure: (failure) => void failures.push(failure),
        ...options,
      },
    )
  return {
    ...base,
    app,
    ran,
    failures,
    consumer,
    deliver: async (handler, records, context = base.lambda(60_000)) => {
      const { batchItemFailures } = await base.world.run(handler({ Records: [...records] }, context))
      return batchItemFailures.map(({ itemIdentifier }) => itemIdentifier)
    },
  }
}

export const failing = (...ids: readonly string[]): Handle => {
  return async ({ id }) => {
    if (ids.includes(String(id))) throw new RangeError(`can't ship ${id}`)
  }
}
