import type { LambdaContext } from '../runtime/invocation.ts'
import { type BatchOptions, batchSettings, checkHandler, type RecordHandler } from './batch-options.ts'
import { type BatchResponse, runBatch, type Source } from './batch-runner.ts'

/** What is used of a Kinesis record in Lambda's event. `KinesisStreamRecord` of `@types/aws-lambda` is one. */
export interface KinesisRecord {
  readonly kinesis: { readonly sequenceNumber: string; readonly partitionKey: string; readonly data: string }
}

/** What is used of a DynamoDB stream's record in Lambda's event. `DynamoDBRecord` of `@types/aws-lambda` is one. */
export interface DynamoDBStreamRecord {
  readonly eventID?: string | undefined
  readonly eventName?: 'INSERT' | 'MODIFY' | 'REMOVE' | undefined
  readonly dynamodb?:
    | {
        readonly SequenceNumber?: string | undefined
        readonly Keys?: object | undefined
        readonly NewImage?: object | undefined
        readonly OldImage?: object | undefined
      }
    | undefined
}

export interface KinesisEvent<R = KinesisRecord> {
  readonly Records: readonly R[]
}
export interface DynamoDBStreamEvent<R = DynamoDBStreamRecord> {
  readonly Records: readonly R[]
}

/**
 * As `idempotentBatch`, for a Kinesis stream: records of one partition key run in order. What is returned is the lowest
 * sequence number that failed, where Lambda starts again; what is done behind it is replayed then, and does not run.
 *
 * @throws AlonceError `CONFIG_INVALID` at once. The handler itself rejects only for an event that is no batch
 */
export function idempotentKinesisBatch<R extends KinesisRecord = KinesisRecord, C extends LambdaContext = LambdaContext>(
  recordHandler: RecordHandler<R, C>,
  options: BatchOptions<R>,
): (event: KinesisEvent<R>, context: C) => Promise<BatchResponse> {
  return streamHandler(kinesis, recordHandler, options)
}

/** As `idempotentKinesisBatch`, for a DynamoDB stream: records of one item run in order. */
export function idempotentDynamoDBBatch<
  R extends DynamoDBStreamRecord = DynamoDBStreamRecord,
  C extends LambdaContext = LambdaContext,
>(
  recordHandler: RecordHandler<R, C>,
  options: BatchOptions<R>,
): (event: DynamoDBStreamEvent<R>, context: C) => Promise<BatchResponse> {
  return streamHandler(dynamodb, recordHandler, options)
}

function streamHandler<R, C extends LambdaContext>(
  source: Source<R>,
  recordHandler: RecordHandler<R, C>,
  options: BatchOptions<R>,
): (event: { readonly Records: readonly R[] }, context: C) => Promise<BatchResponse> {
  checkHandler(recordHandler)
  const batch = { source, settings: batchSettings(options), handler: recordHandler }
  return async (event, context) => {
    // A shard's records come in the order of their numbers, so the first is the lowest. The checkpoint can't pass it.
    const [first] = await runBatch(batch, event, context)
    return { batchItemFailures: first ? [{ itemIdentifier: first.itemIdentifier }] : [] }
  }
}

const kinesis: Source<KinesisRecord> = {
  identifier: (record) => record.kinesis?.sequenceNumber,
  group: (record) => record.kinesis?.partitionKey,
  isRetry: () => false,
}

const dynamodb: Source<DynamoDBStreamRecord> = {
  identifier: (record) => record.dynamodb?.SequenceNumber,
  group: (record) => record.dynamodb?.Keys && JSON.stringify(record.dynamodb.Keys),
  isRetry: () => false,
}
