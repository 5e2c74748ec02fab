// A user's unit test of a protected handler, under Jest and without a table.
import { makeIdempotent } from 'alonce'
import { memoryStore } from 'alonce/memory'

test('a retried payment is charged once', async () => {
  let charges = 0
  const store = memoryStore()
  const charge = async ({ id }) => {
    charges++
    return { id, charged: true }
  }
  const handler = makeIdempotent(charge, { store, operation: 'charge', key: ({ id }) => id })

  const first = await handler({ id: 'p1' })
  const second = await handler({ id: 'p1' })

  expect(second).toEqual(first)
  expect(charges).toBe(1)
})
