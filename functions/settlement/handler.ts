import { type DynamoDBDocumentClient, PutCommand, paginateQuery } from '@aws-sdk/lib-dynamodb'
import { currentLock, makeLocked, type OnEvent, type Store } from 'alonce'
import type { Context, ScheduledEvent } from 'aws-lambda'

export interface SettlementOptions {
  readonly store: Store
  readonly documents: DynamoDBDocumentClient
  /** The table in which `functions/orders` books. */
  readonly tableName: string
  /**
   * A number, so that it is renewed while a run is at work and ends soon after a crash: Lambda runs a crashed invocation again
   * after a minute, and finding the lock held then, that run would be skipped.
   */
  readonly leaseMs: number
  readonly onEvent?: OnEvent
}

export type Settled =
  | { readonly day: string; readonly outcome: 'settled'; readonly merchants: number }
  /** Another run is at it. */
  | { readonly day: string; readonly outcome: 'skipped' }

export type SettlementHandler = (event: ScheduledEvent, context: Context) => Promise<Settled>

/** Every night: what each merchant has sold on the day before. Runs do not overlap, and a late one overwrites nothing. */
export function settlementHandler({ store, documents, tableName, ...alonce }: SettlementOptions): SettlementHandler {
  const settle = async (event: ScheduledEvent, _context: Context): Promise<Settled> => {
    const day = dayBefore(event.time)
    const totals = await totalsOf({ documents, tableName }, day)
    for (const [merchantId, totalMinor] of totals) {
      const row = { pk: `settlement#${day}`, sk: merchantId, totalMinor }
      // A run that has lost its lock may get as far as here. DynamoDB refuses its write if a later run has written the row.
      await documents.send(new PutCommand(currentLock().fenced({ TableName: tableName, Item: row })))
    }
    return { day, outcome: 'settled', merchants: totals.size }
  }

  const settleAlone = makeLocked(settle, {
    ...alonce,
    store,
    key: (event) => ['settlement', dayBefore(event.time)],
    waitMs: 0,
    onHeld: 'skip',
  })
  return async (event, context) => (await settleAlone(event, context)) ?? { day: dayBefore(event.time), outcome: 'skipped' }
}

const DAY_MS = 86_400_000
const dayBefore = (time: string): string => new Date(Date.parse(time) - DAY_MS).toISOString().slice(0, 10)

type Books = Pick<SettlementOptions, 'documents' | 'tableName'>

async function totalsOf({ documents, tableName: TableName }: Books, day: string): Promise<ReadonlyMap<string, number>> {
  const query = {
    KeyConditionExpression: 'pk = :pk',
    ExpressionAttributeValues: { ':pk': `orders#${day}` },
    ConsistentRead: true,
  }
  const totals = new Map<string, number>()
  for await (const { Items = [] } of paginateQuery({ client: documents }, { TableName, ...query })) {
    for (const { merchantId, amountMinor } of Items as SoldItem[]) {
      totals.set(merchantId, (totals.get(merchantId) ?? 0) + amountMinor)
    }
  }
  return totals
}

interface SoldItem {
  readonly merchantId: string
  readonly amountMinor: number
}
