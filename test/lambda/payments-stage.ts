import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type JournalEntry, readJournal } from '../../demo/journal.ts'
import { startLedger } from '../../demo/ledger.ts'
import { postEvent } from '../../demo/post-event.ts'
import type { Deployment, Outcome } from '../../dev/lambda/environment.ts'
import { LambdaFunction } from '../../dev/lambda/lambda.ts'
import type { Answer } from '../../functions/payments/handler.ts'
import type { Payment } from '../../functions/payments/payment.ts'
import { localConfig, testTable } from '../support/dynamodb-table.ts'
import { DYNAMODB, type Hazard, Network, PROVIDER } from './network.ts'

/** The function's time-out, and so the lease less one second. */
const TIMEOUT_MS = 3000
/** On a machine with nothing else to do, a few seconds after a lease. */
const GIVE_UP_MS = process.env['ALONCE_LONG'] === '1' ? 300_000 : 60_000
const PAUSE_MS = { least: 50, most: 1000 }

export interface PaymentsStage {
  readonly fn: LambdaFunction
  /** The charges that were really made. */
  journal(): readonly JournalEntry[]
  close(): Promise<void>
}

/** functions/payments on Lambda, with a ledger of its own and DynamoDB Local. */
export async function openPayments(
  taskRoot: string,
  settings: Partial<Deployment> & { hazard?: Hazard },
): Promise<PaymentsStage> {
  const folder = mkdtempSync(join(tmpdir(), 'alonce-ledger-'))
  const journal = join(folder, 'journal.jsonl')
  writeFileSync(journal, '')
  const ledger = await startLedger({ journal })
  const { tableName } = await testTable()
  const { hazard, ...deployment } = settings
  const network = new Network({ [DYNAMODB]: String(localConfig().endpoint), [PROVIDER]: ledger.url }, hazard)
  const fn = new LambdaFunction({
    name: 'payments',
    taskRoot,
    timeoutMs: TIMEOUT_MS,
    environments: 2,
    variables: { ALONCE_TABLE: tableName },
    connect: network.connect,
    onStart: network.onStart,
    ...deployment,
  })
  const close = async (): Promise<void> => {
    await fn.stop()
    await ledger.close()
    rmSync(folder, { recursive: true, force: true })
  }
  return { fn, journal: () => readJournal(journal), close }
}

export function newPayment(accountId: string = randomUUID()): Payment {
  return { paymentId: randomUUID(), accountId, amountMinor: 1250, currency: 'EUR' }
}

export const post = (fn: LambdaFunction, payment: Payment): Promise<Outcome> => fn.invoke(postEvent(payment))

export interface Insisted {
  /** What became of each sending, in their order. The last one was answered, definitely. */
  readonly outcomes: readonly Outcome[]
  readonly chargeId: string
}

/** A client that sends its payment again, when it is told to, until it is answered. */
export async function insist(fn: LambdaFunction, payment: Payment): Promise<Insisted> {
  const outcomes: Outcome[] = []
  for (const until = performance.now() + GIVE_UP_MS; performance.now() < until; ) {
    const outcome = await post(fn, payment)
    outcomes.push(outcome)
    const chargeId = chargeIdOf(outcome)
    if (chargeId !== undefined) return { outcomes, chargeId }
    const { retryAfterMs = PAUSE_MS.least } = bodyOf(outcome)
    await delay(Math.min(PAUSE_MS.most, Math.max(PAUSE_MS.least, retryAfterMs)))
  }
  throw new Error(`Never answered: ${JSON.stringify(outcomes.slice(-3))}`)
}

interface Body {
  readonly chargeId?: string
  readonly retryAfterMs?: number
}

/** `undefined`: there was no definite answer. */
export const chargeIdOf = (outcome: Outcome): string | undefined => bodyOf(outcome).chargeId

function bodyOf(outcome: Outcome): Body {
  return outcome.kind === 'returned' ? (JSON.parse((outcome.value as Answer).body ?? '{}') as Body) : {}
}
