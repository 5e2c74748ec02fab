import type { LambdaContext } from '../runtime/invocation.ts'
import { type BatchOptions, batchSettings, checkHandler, type RecordHandler } from './batch-options.ts'
import { type BatchResponse, runBatch, type Source } from './batch-runner.ts'

/** What is used of an SQS message in Lambda's event. `SQSRecord` of `@types/aws-lambda` is one. */
export interface SqsRecord {
  readonly messageId: string
  readonly body: string
  readonly attributes: {
    readonly ApproximateReceiveCount: string
    readonly MessageGroupId?: string | undefined
    readonly SequenceNumber?: string | undefined
    readonly SentTimestamp?: string | undefined
  }
  readonly eventSourceARN: string
}

export interface SqsEvent<R = SqsRecord> {
  readonly Records: readonly R[]
}

/**
 * A Lambda handler for an SQS queue, standard or FIFO: each message runs once for its key, and the failed ones are returned,
 * so that only they are delivered again. The trigger must have `ReportBatchItemFailures` on: without it SQS deletes failed
 * messages with the others.
 *
 * Messages run `concurrency` at once. Those of a FIFO group run in order, and after a failure the rest of the group is returned
 * with it; duplicates of each other run once. A message that is in progress elsewhere is returned, and not run.
 *
 * @throws AlonceError `CONFIG_INVALID` at once. The handler itself rejects only for an event that is no batch
 *
 * @example
 * export const handler = idempotentBatch(async (record) => ship(JSON.parse(record.body)), {
 *   store,
 *   operation: 'ship',
 *   key: (record) => JSON.parse(record.body).orderId,
 * })
 */
export function idempotentBatch<R extends SqsRecord = SqsRecord, C extends LambdaContext = LambdaContext>(
  recordHandler: RecordHandler<R, C>,
  options: BatchOptions<R>,
): (event: SqsEvent<R>, context: C) => Promise<BatchResponse> {
  checkHandler(recordHandler)
  const batch = { source, settings: batchSettings(options), handler: recordHandler }
  return async (event, context) => {
    const failures = await runBatch(batch, event, context)
    return { batchItemFailures: failures.map(({ itemIdentifier }) => ({ itemIdentifier })) }
  }
}

const source: Source<SqsRecord> = {
  identifier: ({ messageId }) => messageId,
  // Messages of a standard queue may have a group as well (fair queues), and no order: only FIFO numbers them.
  group: ({ attributes, eventSourceARN }) =>
    eventSourceARN?.endsWith('.fifo') || attributes?.SequenceNumber !== undefined
      ? (attributes?.MessageGroupId ?? '')
      : undefined,
  isRetry: ({ attributes }) => Number(attributes?.ApproximateReceiveCount) > 1,
}
