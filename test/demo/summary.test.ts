import { expect, test } from 'vitest'
import { Chronicle } from '../../demo/chronicle.ts'
import type { JournalEntry } from '../../demo/journal.ts'
import { planStorm } from '../../demo/plan.ts'
import { closing } from '../../demo/report.ts'
import { Storm } from '../../demo/storm.ts'
import { complaints, isClean, type Summary, summarize } from '../../demo/summary.ts'

const plan = planStorm({ seed: 7, payments: 12, freezeMs: { low: 1, high: 2 } }) // the twelfth has a declined card
const CHARGEABLE = Array.from({ length: 11 }, (_, index) => `p${index + 1}`)

const charge = (paymentId: string, index: number): JournalEntry => {
  return { chargeId: `ch_${index}`, paymentId, accountId: 'a', amountMinor: 1, currency: 'EUR', atMs: 0 }
}

/** What is said of a storm that left these charges in the journal, and whose clients were all answered alike. */
function summaryOf(charged: readonly string[], settled = true): Summary {
  const storm = new Storm({ plan, chronicle: new Chronicle(), width: 1, patienceMs: 1, limitMs: 1 })
  const given = { store: 'memory', unprotected: false, seed: 7, payments: 12, json: false } as const
  const summary = summarize({ given, plan, storm, journal: charged.map(charge), durationMs: 1, processes: 5, settled })
  return { ...summary, unanswered: [], contradicted: [] }
}

test('Every payment charged once, the declined one not at all: clean', () => {
  const summary = summaryOf(CHARGEABLE)
  expect(summary).toMatchObject({ charges: 11, doubleCharges: 0, missing: [], unwanted: [] })
  expect(complaints(summary)).toEqual([])
  expect(isClean(summary)).toBe(true)
})

test('Each charge too many counts', () => {
  const summary = summaryOf([...CHARGEABLE, 'p3', 'p3', 'p7'])
  expect(summary.doubleCharges).toBe(3)
  expect(isClean(summary)).toBe(false)
  expect(closing(summary).split('\n').at(-1)).toBe('double charges: 3')
})

test('A payment that was never charged is said clearly, and is not clean', () => {
  const summary = summaryOf(CHARGEABLE.filter((paymentId) => paymentId !== 'p4'))
  expect(closing(summary)).toContain('NEVER CHARGED: 1 (p4)')
  expect(closing(summary).split('\n').at(-1)).toBe('double charges: 0')
  expect(isClean(summary)).toBe(false)
})

test('A charge on a declined card is not clean', () => {
  expect(complaints(summaryOf([...CHARGEABLE, 'p12']))).toEqual(['charged although the card was declined: 1 (p12)'])
})

test('Clients that were told different things, or nothing, are not clean', () => {
  expect(isClean({ ...summaryOf(CHARGEABLE), contradicted: ['p1'] })).toBe(false)
  expect(isClean({ ...summaryOf(CHARGEABLE), unanswered: ['p1'] })).toBe(false)
})

test('Charges that were counted too early are not clean', () => {
  expect(isClean(summaryOf(CHARGEABLE, false))).toBe(false)
})

const orders = { messages: 6, deliveries: 9, bookings: 6, doubleBookings: 0, unbooked: [] }
const settlement = { runs: 3, skipped: 2, refused: 1, wrong: [] }

test('Orders and settlement count, where they were played; the charges stay the last line', () => {
  const clean = { ...summaryOf(CHARGEABLE), books: { orders, settlement } }
  expect(isClean(clean)).toBe(true)
  expect(closing(clean).split('\n').slice(-3)).toEqual([
    'orders: 6 messages in 9 deliveries, 6 bookings; double bookings: 0',
    'settlement: 3 runs, 2 skipped because another was at it, 1 too late and refused; wrong settlements: 0',
    'double charges: 0',
  ])
  expect(isClean({ ...clean, books: { orders: { ...orders, bookings: 7, doubleBookings: 1 }, settlement } })).toBe(false)
  expect(isClean({ ...clean, books: { orders, settlement: { ...settlement, wrong: ['m1'] } } })).toBe(false)
  const lost = { ...clean, books: { orders: { ...orders, unbooked: ['o1'] }, settlement } }
  expect(isClean(lost)).toBe(false)
  expect(complaints(lost)).toEqual(['NEVER BOOKED: 1 (o1)'])
})
