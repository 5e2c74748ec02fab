import type { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import type { Context, ScheduledEvent } from 'aws-lambda'

export interface Sweep {
  readonly client: DynamoDBClient
  readonly tableName: string
  /** Epoch milliseconds. */
  readonly now: number
  remainingMs(): number
}

export interface Swept {
  readonly seen: number
  readonly deleted: number
  /** Written again, or being written, in the meantime. */
  readonly left: number
  /** Whether the time sufficed for the whole table. */
  readonly finished: boolean
}

export declare function sweep(sweep: Sweep): Promise<Swept>
export declare function handler(event: ScheduledEvent, context: Context): Promise<Swept>
