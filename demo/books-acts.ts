import type { Stage } from './act.ts'
import { Books } from './books.ts'
import { type OrdersEvidence, playOrders } from './orders-act.ts'
import { playSettlement, type SettlementEvidence } from './settlement-act.ts'

export interface BooksEvidence {
  readonly orders: OrdersEvidence
  readonly settlement: SettlementEvidence
}

/** `functions/orders` and `functions/settlement`, at the same time: they share a table, and neither a record nor a row. */
export async function playBooks(stage: Omit<Stage, 'books'>): Promise<BooksEvidence> {
  const books = new Books(stage.endpoint)
  try {
    await books.create()
    const all = { ...stage, books }
    const [orders, settlement] = await Promise.all([playOrders(all), playSettlement(all)])
    return { orders, settlement }
  } finally {
    books.close()
  }
}
