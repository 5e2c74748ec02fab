// Compiled, never run: what batch handlers must infer, and what they must refuse.
import type { Store } from 'alonce'
import { idempotentBatch, idempotentDynamoDBBatch, idempotentKinesisBatch, type SqsRecord } from 'alonce/batch'
import type {
  Context,
  DynamoDBBatchResponse,
  DynamoDBStreamEvent,
  Handler,
  KinesisStreamEvent,
  KinesisStreamHandler,
  KinesisStreamRecord,
  SQSBatchResponse,
  SQSEvent,
  SQSHandler,
  SQSRecord,
} from 'aws-lambda'

declare const store: Store
const options = { store, operation: 'ship' }

// Without annotations the record is what every queue delivers.
export const plain = idempotentBatch(async (record) => record.body.length, { ...options, key: (record) => record.messageId })
// They are handlers as @types/aws-lambda knows them.
export const sqs: SQSHandler = idempotentBatch(async (record: SQSRecord, context: Context) => [record, context.awsRequestId], {
  ...options,
  key: (record) => record.messageAttributes['orderId']?.stringValue,
  fingerprint: (record) => record.md5OfBody,
})
export const asHandler: Handler<SQSEvent, SQSBatchResponse> = idempotentBatch((_record: SQSRecord) => 1, { ...options, key: 'k' })
export const kinesis: KinesisStreamHandler = idempotentKinesisBatch(async (record: KinesisStreamRecord) => record.kinesis.data, {
  ...options,
  key: (record) => record.eventID,
})
export const kinesisEvents: (event: KinesisStreamEvent, context: Context) => unknown = idempotentKinesisBatch(() => 1, {
  ...options,
  key: (record) => [record.kinesis.partitionKey, record.kinesis.sequenceNumber],
})
export const changes: Handler<DynamoDBStreamEvent, DynamoDBBatchResponse> = idempotentDynamoDBBatch(() => undefined, {
  ...options,
  key: (record) => record.eventID,
})

// Misuse fails.
// @ts-expect-error key is required
export const m1 = idempotentBatch(() => 1, options)
// @ts-expect-error operation is required
export const m2 = idempotentBatch(() => 1, { store, key: 'k' })
// @ts-expect-error no such member
export const m3 = idempotentBatch(() => 1, { ...options, key: (record) => record.nope })
// @ts-expect-error results are not kept, so there is no codec
export const m4 = idempotentBatch(() => 1, { ...options, key: 'k', codec: undefined })
// @ts-expect-error a handler of another queue's records
export const m5 = idempotentBatch((record: { nope: string }) => record.nope, { ...options, key: 'k' })
export type Record = SqsRecord
