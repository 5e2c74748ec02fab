import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import type { OnEvent } from 'alonce'
import { ordersHandler } from '../functions/orders/handler.ts'
import { settlementHandler } from '../functions/settlement/handler.ts'
import { bareOrdersHandler, bareSettlementHandler } from './bare-booking.ts'
import { labelledClient } from './dynamodb-local-store.ts'
import type { BooksSetup, WorkerSetup } from './messages.ts'
import { openStore } from './open-store.ts'

interface Booking {
  readonly setup: WorkerSetup
  readonly books: BooksSetup
  readonly onEvent: OnEvent
  readonly delivery: () => string | undefined
}

/** `functions/orders` or `functions/settlement`, or the same business code without Alonce. */
export async function bookingHandler({ setup, books, onEvent, delivery }: Booking): Promise<unknown> {
  const { tableName } = books
  const documents = DynamoDBDocumentClient.from(labelledClient(books.endpoint, delivery))
  if (setup.unprotected) {
    return books.function === 'orders' ? bareOrdersHandler(documents, tableName) : bareSettlementHandler(documents, tableName)
  }
  const store = await openStore(setup.store, delivery)
  if (books.function === 'orders') return ordersHandler({ store, tableName, onEvent, onRecordFailure: () => undefined })
  return settlementHandler({ store, documents, tableName, leaseMs: setup.leaseMs, onEvent })
}
