import { type AttributeValue, GetItemCommand } from '@aws-sdk/client-dynamodb'
import { marshall, unmarshall } from '@aws-sdk/util-dynamodb'
import type { TransactItem } from '../../../lib/store/transaction.ts'
import { dynamodb } from '../../support/dynamodb-backend.ts'
import { testTable } from '../../support/dynamodb-table.ts'
import { type Actor, type Stage, stage } from '../idempotency/stage.ts'

/** An account of the caller's, in a table of the caller's: here the one that the store uses, under other keys. */
export interface Accounts {
  readonly TableName: string
  key(id: string): { pk: string; sk: string }
  /** The whole item, or `undefined`. */
  read(id: string): Promise<{ readonly [name: string]: unknown } | undefined>
  /** Makes the account, and fails if it is there. */
  open(id: string, more?: object): TransactItem
  /** Adds to its balance, with a condition if one is given. */
  add(id: string, cents: number, condition?: string): TransactItem
}

let accounts = 0

export async function effectsStage(): Promise<Stage & { readonly accounts: Accounts }> {
  const s = await stage(dynamodb)
  const { client, tableName: TableName } = await testTable()
  const prefix = `accounts-${++accounts}`
  const key = (id: string): { pk: string; sk: string } => ({ pk: `${prefix}/${id}`, sk: 'account' })
  return {
    ...s,
    accounts: {
      TableName,
      key,
      read: async (id) => {
        const get = new GetItemCommand({ TableName, Key: marshall(key(id)), ConsistentRead: true })
        const { Item } = (await s.world.track(client.send(get))) as { Item?: Record<string, AttributeValue> }
        return Item && unmarshall(Item)
      },
      open: (id, more = {}) => ({
        Put: { TableName, Item: { ...key(id), cents: 0, ...more }, ConditionExpression: 'attribute_not_exists(pk)' },
      }),
      add: (id, cents, condition) => ({
        Update: {
          TableName,
          Key: key(id),
          UpdateExpression: 'ADD cents :cents',
          ...(condition !== undefined && { ConditionExpression: condition }),
          ExpressionAttributeValues: { ':cents': cents },
        },
      }),
    },
  }
}

/** The requests of one type that an actor has sent. */
export const sent = (actor: Actor, type: string): number => actor.wire.sent.filter((one) => one === type).length
