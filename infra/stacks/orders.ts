import type { ITableV2 } from 'aws-cdk-lib/aws-dynamodb'
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources'
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs'
import { Duration, Validations } from 'aws-cdk-lib/core'
import { Construct } from 'constructs'
import type { AlonceTableAccess } from '../constructs/index.ts'
import { deadLetters } from './dead-letters.ts'
import { ProtectedFunction } from './protected-function.ts'

export interface OrdersProps {
  readonly table: AlonceTableAccess
  /** Where orders are booked: encrypted with the same key as Alonce's table. */
  readonly books: ITableV2
}

const TIMEOUT = Duration.seconds(30)
/** Lambda's own advice: a batch that is throttled comes again before its messages do. */
const VISIBILITY = Duration.seconds(6 * TIMEOUT.toSeconds())
/** A message whose first attempt still holds its claim comes back, and uses up one. */
const MAX_RECEIVES = 5

/** Messages of a queue, each booked once; what can't be booked ends beside it. */
export class Orders extends Construct {
  readonly function: ProtectedFunction
  readonly queue: Queue
  readonly deadLetters: Queue

  constructor(scope: Construct, id: string, { table, books }: OrdersProps) {
    super(scope, id)
    this.deadLetters = deadLetters(this, 'DeadLetters')
    this.queue = new Queue(this, 'Queue', {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      visibilityTimeout: VISIBILITY,
      deadLetterQueue: { queue: this.deadLetters, maxReceiveCount: MAX_RECEIVES },
    })
    this.function = new ProtectedFunction(this, 'Function', {
      name: 'orders',
      table,
      timeout: TIMEOUT,
      leadingKeys: ['default/once/book-order/*'],
      environment: { ORDERS_TABLE: books.tableName },
    })
    // The two items of its transaction.
    books.grant(this.function, 'dynamodb:PutItem', 'dynamodb:UpdateItem')
    const trigger = new SqsEventSource(this.queue, { batchSize: 10, reportBatchItemFailures: true })
    this.function.addEventSource(trigger)
    this.#acknowledge()
  }

  #acknowledge(): void {
    const reason = 'The queue itself moves what fails to its dead-letter queue.'
    Validations.of(this.function).acknowledge(
      { id: 'Serverless-LambdaDLQ', reason },
      { id: 'Serverless-LambdaEventSourceMappingDestination', reason: `${reason} Lambda has no such destination for SQS.` },
    )
  }
}
