import type { ITableV2 } from 'aws-cdk-lib/aws-dynamodb'
import { Rule, Schedule } from 'aws-cdk-lib/aws-events'
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets'
import type { Queue } from 'aws-cdk-lib/aws-sqs'
import { Duration } from 'aws-cdk-lib/core'
import { Construct } from 'constructs'
import type { AlonceTableAccess } from '../constructs/index.ts'
import { deadLetters } from './dead-letters.ts'
import { ProtectedFunction } from './protected-function.ts'

export interface SettlementProps {
  readonly table: AlonceTableAccess
  /** Where orders are booked: encrypted with the same key as Alonce's table. */
  readonly books: ITableV2
}

/** Well below the minute after which Lambda runs a crashed invocation again: that run must not find the lock still held. */
const LEASE = Duration.seconds(30)

/** Every night at one o'clock (UTC): what was sold on the day before. */
export class Settlement extends Construct {
  readonly function: ProtectedFunction
  readonly deadLetters: Queue

  constructor(scope: Construct, id: string, { table, books }: SettlementProps) {
    super(scope, id)
    this.deadLetters = deadLetters(this, 'DeadLetters')
    this.function = new ProtectedFunction(this, 'Function', {
      name: 'settlement',
      table,
      timeout: Duration.minutes(5),
      leadingKeys: ['default/lock/settlement/*'],
      environment: { ORDERS_TABLE: books.tableName, SETTLEMENT_LEASE_MS: String(LEASE.toMilliseconds()) },
      deadLetterQueue: this.deadLetters,
    })
    books.grant(this.function, 'dynamodb:PutItem', 'dynamodb:Query')
    new Rule(this, 'Nightly', {
      schedule: Schedule.cron({ hour: '1', minute: '0' }),
      targets: [new LambdaFunction(this.function, { deadLetterQueue: this.deadLetters })],
    })
  }
}
