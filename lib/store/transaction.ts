import type { Lost, OnceComplete, Uncertain } from './command.ts'
import type { Fence, RecordKey } from './record.ts'
import type { SendOptions } from './store.ts'

/** Names to values as `@aws-sdk/lib-dynamodb` takes them: strings, numbers, arrays, sets, plain objects. */
export interface Values {
  readonly [name: string]: unknown
}

interface Conditional {
  readonly TableName: string | undefined
  readonly ConditionExpression?: string | undefined
  readonly ExpressionAttributeNames?: { readonly [placeholder: string]: string } | undefined
  readonly ExpressionAttributeValues?: Values | undefined
  readonly ReturnValuesOnConditionCheckFailure?: 'ALL_OLD' | 'NONE' | undefined
}

/**
 * One write of a transaction: an element of the `TransactItems` that lib-dynamodb's `TransactWriteCommand` takes. Exactly one
 * of the members is given.
 */
export interface TransactItem {
  readonly Put?: (Conditional & { readonly Item: Values | undefined }) | undefined
  readonly Update?:
    | (Conditional & { readonly Key: Values | undefined; readonly UpdateExpression: string | undefined })
    | undefined
  readonly Delete?: (Conditional & { readonly Key: Values | undefined }) | undefined
  readonly ConditionCheck?:
    | (Conditional & { readonly Key: Values | undefined; readonly ConditionExpression: string | undefined })
    | undefined
}

/** A condition on a record of ours, for a transaction of the caller's own. */
export interface GuardItem {
  readonly ConditionCheck: {
    readonly TableName: string
    readonly Key: Values
    readonly ConditionExpression: string
    readonly ExpressionAttributeNames: { readonly [placeholder: string]: string }
    readonly ExpressionAttributeValues: Values
  }
}

/** One of the caller's items was refused, and so nothing was written. `index` counts the caller's items from 0. */
export interface ItemRefused {
  readonly outcome: 'refused'
  readonly index: number
  /** DynamoDB's word for it: `ConditionalCheckFailed`, `ValidationError`, … */
  readonly reason: string
}

export type Transacted = { readonly outcome: 'completed' } | Lost | Uncertain | ItemRefused

/** The token by which a completion in a transaction is recognised when its answer was lost. */
export interface TokenCompletion extends OnceComplete {
  readonly token: string
}

/** What a store can do whose records lie in a database that the caller writes to as well. */
export interface Transactions {
  /**
   * Completes the operation and writes the items, all or nothing. A re-sending that is refused for one of the items is
   * `uncertain`: the first sending may be on its way.
   *
   * @throws AlonceError `CONFIG_INVALID` when the items can't be a transaction, before anything is sent; and what
   * `Store.execute` throws
   */
  transact(command: TokenCompletion, items: readonly TransactItem[], options?: SendOptions): Promise<Transacted>
  /** Holds in a transaction only while the lock's record shows this owner and this fence. */
  guard(key: RecordKey, grant: { readonly owner: string; readonly fence: Fence }): GuardItem
}
