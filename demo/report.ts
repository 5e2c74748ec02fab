import { type Chronicle, type Entry, entryLine } from './chronicle.ts'
import type { PlannedPayment } from './plan.ts'
import { complaints, type Summary } from './summary.ts'

/** The table of outcomes. */
export function table(summary: Summary): string {
  const { tally } = summary
  const rows: readonly (readonly [string, number | string, string])[] = [
    ['payments', summary.payments, ''],
    ['deliveries', tally.deliveries, 'duplicates and retries'],
    ['answered 200', tally.charged, ''],
    ['answered by replay', tally.replayed, 'the stored answer, given again'],
    ['answered 402', tally.refused, 'the card was declined'],
    ['told "in progress"', tally.inProgress, '409, the client came again'],
    ['told "account busy"', tally.accountBusy, '409, the client came again'],
    ['errors', tally.errors, '5xx, the client came again'],
    ['no answer', tally.noAnswer, 'process dead, or answer lost'],
    ['processes killed', tally.kills, 'SIGKILL'],
    ['processes frozen', tally.freezes, 'SIGSTOP, thawed past the end of the lease'],
    ['connections cut', tally.cuts, 'request or answer lost'],
    ['takeovers', tally.takeovers, 'of an attempt whose lease had ended'],
    ['zombies stopped', tally.zombies, 'they went on past the end of their lease'],
    ['kinds of fault met', `${summary.faultsMet}/${summary.faultsKnown}`, 'a blow at a point between two awaits'],
    ['charge requests', tally.chargeRequests, 'what the provider was asked'],
    ['charges', summary.charges, 'what the journal holds'],
  ]
  const lines = rows.map(([what, count, note]) => `  ${what.padEnd(20)} ${String(count).padStart(6)}   ${note}`.trimEnd())
  return lines.join('\n')
}

const MAX_TIMELINES = 3
const MAX_TIMELINE_LINES = 24

/** The stories worth reading: of the payments to which most happened. */
export function timelines(payments: readonly PlannedPayment[], chronicle: Chronicle): string {
  const stories = payments.map(({ payment }) => chronicle.of(payment.paymentId))
  const eventful = stories.map((entries) => ({ entries, weight: entries.filter(isNotable).length }))
  const told = eventful.sort((a, b) => b.weight - a.weight).slice(0, MAX_TIMELINES)
  return told.map(({ entries }) => timeline(entries)).join('\n\n')
}

const isNotable = ({ weight }: Entry): boolean => weight === 'notable'

function timeline(entries: readonly Entry[]): string {
  const lines: string[] = []
  let early = 0
  for (const entry of entries) {
    if (entry.weight === 'routine') {
      if (entry.text.startsWith('answer')) early++
      continue
    }
    if (early > 0) lines.push(`${' '.repeat(22)}… told to come again: ${early}`)
    early = 0
    lines.push(`  ${entryLine(entry)}`)
  }
  const more = lines.length - MAX_TIMELINE_LINES
  return [...lines.slice(0, MAX_TIMELINE_LINES), ...(more > 0 ? [`  … and ${more} more lines`] : [])].join('\n')
}

/** What is worth saying of orders and settlement; where they were not played, how to see them. */
function booksLines({ books, unprotected }: Summary): string[] {
  if (!books) {
    const flags = unprotected ? '--unprotected --store dynamodb-local' : '--store dynamodb-local'
    return [`Orders from a queue and a nightly settlement book in DynamoDB: npm run demo -- ${flags} (needs Java)`]
  }
  const { orders, settlement } = books
  const late = `${settlement.skipped} skipped because another was at it, ${settlement.refused} too late and refused`
  return [
    `orders: ${orders.messages} messages in ${orders.deliveries} deliveries, ${orders.bookings} bookings; double bookings: ${orders.doubleBookings}`,
    `settlement: ${settlement.runs} runs, ${late}; wrong settlements: ${settlement.wrong.length}`,
  ]
}

export function closing(summary: Summary): string {
  const flags = [
    summary.unprotected ? '--unprotected' : '',
    summary.store === 'memory' ? '' : `--store ${summary.store}`,
    `--payments ${summary.payments} --seed ${summary.seed}`,
  ]
  const again = `npm run demo -- ${flags.filter((flag) => flag !== '').join(' ')}`
  const seconds = (summary.durationMs / 1000).toFixed(1)
  return [
    `${seconds} s, ${summary.processes} processes. The same storm again: ${again}`,
    ...complaints(summary),
    ...booksLines(summary),
    `double charges: ${summary.doubleCharges}`,
  ].join('\n')
}
