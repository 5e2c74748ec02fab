import { appendFileSync, readFileSync } from 'node:fs'

/** A charge that was really made: one line of the journal. */
export interface JournalEntry {
  readonly chargeId: string
  readonly paymentId: string
  readonly accountId: string
  readonly amountMinor: number
  readonly currency: string
  readonly atMs: number
}

/** Written before the charge is answered, never changed afterwards: the demo's only witness. */
export function appendCharge(file: string, entry: JournalEntry): void {
  appendFileSync(file, `${JSON.stringify(entry)}\n`)
}

export function readJournal(file: string): JournalEntry[] {
  const lines = readFileSync(file, 'utf8').split('\n')
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as JournalEntry)
}

/** How often each payment was charged. */
export function chargesByPayment(entries: readonly JournalEntry[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const { paymentId } of entries) counts.set(paymentId, (counts.get(paymentId) ?? 0) + 1)
  return counts
}
