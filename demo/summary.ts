import type { DemoArguments } from './arguments.ts'
import type { BooksEvidence } from './books-acts.ts'
import { chargesByPayment, type JournalEntry } from './journal.ts'
import { ALL_FAULTS, type Plan } from './plan.ts'
import type { Storm } from './storm.ts'
import type { Tally } from './tally.ts'

export interface Summary {
  readonly store: DemoArguments['store']
  readonly unprotected: boolean
  readonly seed: number
  readonly payments: number
  readonly durationMs: number
  readonly processes: number
  readonly tally: Readonly<Tally>
  /** Kinds of fault, a blow at a point, that were met; of how many there are. */
  readonly faultsMet: number
  readonly faultsKnown: number
  /** From the journal, as all that follows. */
  readonly charges: number
  readonly doubleCharges: number
  /** Payments that should have been charged and never were. */
  readonly missing: readonly string[]
  /** Payments whose card was declined and that were charged all the same. */
  readonly unwanted: readonly string[]
  readonly unanswered: readonly string[]
  /** Payments whose clients were told different things. */
  readonly contradicted: readonly string[]
  /** Whether every process came to rest before the charges were counted. */
  readonly settled: boolean
  /** Of orders and settlement, which are played on DynamoDB Local only. */
  readonly books?: BooksEvidence | undefined
}

interface Evidence {
  readonly given: DemoArguments
  readonly plan: Plan
  readonly storm: Storm
  readonly journal: readonly JournalEntry[]
  readonly durationMs: number
  readonly processes: number
  readonly settled: boolean
  readonly books?: BooksEvidence | undefined
}

export function summarize({ given, plan, storm, journal, ...rest }: Evidence): Summary {
  const counts = chargesByPayment(journal)
  const planned = plan.payments.map(({ payment }) => payment)
  const chargeable = planned.filter(({ accountId }) => !plan.declined.has(accountId))
  const declined = planned.filter(({ accountId }) => plan.declined.has(accountId))
  const { store, unprotected, seed } = given
  return {
    store,
    unprotected,
    seed,
    payments: planned.length,
    ...rest,
    tally: storm.tally,
    faultsMet: storm.hit.size,
    faultsKnown: ALL_FAULTS.length,
    charges: journal.length,
    doubleCharges: [...counts.values()].reduce((sum, count) => sum + count - 1, 0),
    missing: chargeable.filter(({ paymentId }) => !counts.has(paymentId)).map(({ paymentId }) => paymentId),
    unwanted: declined.filter(({ paymentId }) => counts.has(paymentId)).map(({ paymentId }) => paymentId),
    unanswered: storm.unanswered,
    contradicted: storm.contradicted,
  }
}

/** What went wrong besides double charges, each in a sentence. */
export function complaints(summary: Summary): string[] {
  const { missing, unwanted, unanswered, contradicted, settled, books } = summary
  return [
    ...list('NEVER BOOKED', books?.orders.unbooked ?? []),
    ...list('NEVER CHARGED', missing),
    ...list('charged although the card was declined', unwanted),
    ...list('a client was never answered', unanswered),
    ...list('clients were told different things', contradicted),
    ...(settled ? [] : ['some processes did not come to rest before the charges were counted']),
  ]
}

const list = (what: string, payments: readonly string[]): string[] =>
  payments.length === 0
    ? []
    : [`${what}: ${payments.length} (${payments.slice(0, 8).join(', ')}${payments.length > 8 ? ', …' : ''})`]

export const isClean = (summary: Summary): boolean =>
  summary.doubleCharges === 0 &&
  (summary.books?.orders.doubleBookings ?? 0) === 0 &&
  (summary.books?.settlement.wrong ?? []).length === 0 &&
  complaints(summary).length === 0
