import { setTimeout as delay } from 'node:timers/promises'
import type { ScheduledEvent } from 'aws-lambda'
import type { Settled } from '../functions/settlement/handler.ts'
import { ACT_LIMIT_MS, type Stage, startWorkers } from './act.ts'
import type { Books } from './books.ts'
import type { Worker } from './fleet.ts'

export interface SettlementEvidence {
  readonly runs: number
  /** Another run was at it. */
  readonly skipped: number
  /** Runs that came too late, and whose writes were refused. */
  readonly refused: number
  /** Merchants whose settlement is not the sum of their orders. */
  readonly wrong: readonly string[]
}

const DAY = '2026-11-22'
const PAUSE_MS = 700

/**
 * The schedule fires twice at once. The first run has read the orders and is frozen before it writes; an order comes in late, and a
 * later run settles the day with it. Then the first one thaws, and writes what it has summed up long ago.
 */
export async function playSettlement(stage: Stage): Promise<SettlementEvidence> {
  const { books, script, say } = stage
  const sold = ['m3', 'm4', 'm3'].map((merchantId, index) => ({ orderId: `o${index}`, merchantId, amountMinor: 100, day: DAY }))
  for (const order of sold) await books.book(order)
  const [first, second] = (await startWorkers(stage, 'settlement', 2)) as [Worker, Worker]
  const frozen = Promise.withResolvers<void>()
  script.on({ delivery: 'night.1', step: /^PutItem$/, side: 'before', nth: 1 }, async () => {
    say(`settlement  FROZEN a run for ${stage.freezeMs} ms, before it writes`)
    frozen.resolve()
    await first.freeze(stage.freezeMs)
    say('settlement  THAWED: it writes, late')
  })
  const late = first.deliver<Settled>('night.1', tonight)
  await Promise.race([frozen.promise, late])
  await books.book({ orderId: 'late', merchantId: 'm3', amountMinor: 1000, day: DAY })
  say('settlement  an order comes in late, and the schedule fires again')
  let runs = 1
  let skipped = 0
  for (const until = performance.now() + ACT_LIMIT_MS; performance.now() < until; await delay(PAUSE_MS)) {
    const outcome = await second.deliver<Settled>(`night.${++runs}`, tonight)
    if (outcome.kind === 'answered' && outcome.answer.outcome === 'settled') break
    skipped++
  }
  const refused = (await late).kind === 'threw' ? 1 : 0
  return { runs, skipped, refused, wrong: await wrongOf(books) }
}

const tonight: ScheduledEvent = {
  id: 'tonight',
  version: '0',
  account: '000000000000',
  time: '2026-11-23T02:00:00Z',
  region: 'eu-central-1',
  resources: [],
  source: 'aws.events',
  'detail-type': 'Scheduled Event',
  detail: {},
}

async function wrongOf(books: Books): Promise<readonly string[]> {
  const totals = new Map<string, number>()
  for (const { merchantId = '', amountMinor = 0 } of await books.orders(DAY)) {
    totals.set(merchantId, (totals.get(merchantId) ?? 0) + amountMinor)
  }
  const settled = new Map((await books.settled(DAY)).map(({ sk, totalMinor }) => [sk, totalMinor]))
  return [...totals].filter(([merchantId, total]) => settled.get(merchantId) !== total).map(([merchantId]) => merchantId)
}
