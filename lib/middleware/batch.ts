export type { BatchOptions, RecordFailure } from './batch-options.ts'
export type { BatchResponse } from './batch-runner.ts'
export { idempotentBatch, type SqsEvent, type SqsRecord } from './batch-sqs.ts'
export {
  type DynamoDBStreamEvent,
  type DynamoDBStreamRecord,
  idempotentDynamoDBBatch,
  idempotentKinesisBatch,
  type KinesisEvent,
  type KinesisRecord,
} from './batch-streams.ts'
