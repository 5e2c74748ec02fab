import { setTimeout as delay } from 'node:timers/promises'
import type { BenchContext, HeldLock, Session } from '../products/product.ts'
import { loadProduct, type ProductId } from '../products/products.ts'
import { median } from '../statistics.ts'
import { type Exchange, FaultProxy } from '../table/fault-proxy.ts'
import { createTableFor } from '../table/local-client.ts'

export const COST_CASES = [
  'first call',
  'replay',
  'first call, 100 KB result',
  'replay, 100 KB result',
  'in progress',
  'acquire',
  'renew',
  'release',
  'held',
] as const
export type CostCase = (typeof COST_CASES)[number]

export interface Cost extends Tally {
  readonly case: CostCase
  readonly product: ProductId
}

/** What one case asks of the table: medians of its rounds. */
export interface Tally {
  readonly requests: number
  readonly readUnits: number
  readonly writeUnits: number
  /** Of the write units, those of refused writes, by the documented rule. */
  readonly refusedUnits: number
}

type Action = () => Promise<unknown>
interface Prepared {
  readonly case: CostCase
  readonly act: Action
  readonly after?: Action
}

export const context: BenchContext = {
  getRemainingTimeInMillis: () => 60_000,
  awsRequestId: 'c6af9ac6-7b61-11e6-9a41-93e8deadbeef',
}
const SMALL = { chargeId: 'ch_3OqLz2eZvKYlo2C1', status: 'succeeded' }
const LEASE_MS = 3000

/** What each case costs in requests and capacity: deterministic, so a few rounds show it. */
export async function measureCosts(
  endpoint: string,
  { products, rounds, onStep }: { products: readonly ProductId[]; rounds: number; onStep: (what: string) => void },
): Promise<Cost[]> {
  const costs: Cost[] = []
  for (const id of products) {
    const product = await loadProduct(id)
    const proxy = new FaultProxy(
      endpoint,
      product.keys.filter((name) => name !== undefined),
    )
    const setting = { endpoint: await proxy.listen(), tableName: `costs-${id}` }
    await createTableFor(product, { ...setting, endpoint })
    const session = await product.connect(setting)
    await warmUp(session)
    const seen = new Map<CostCase, Exchange[][]>()
    for (let round = 0; round < rounds; round++) {
      for await (const { case: name, act, after } of casesOf(session, `round-${round}`, proxy)) {
        onStep(`${product.name}: ${name}`)
        const before = proxy.exchanges.length
        await act()
        seen.set(name, [...(seen.get(name) ?? []), proxy.exchanges.slice(before)])
        await after?.()
      }
    }
    costs.push(...[...seen].map(([name, samples]) => ({ case: name, product: id, ...tallyOf(samples) })))
    proxy.close()
  }
  return costs
}

/** First requests differ: a table is looked for, the server's clock is learned. */
async function warmUp({ once, lock }: Session): Promise<void> {
  await once?.wrap(async () => SMALL)({ id: 'warm-up' }, context)
  await (await lock?.acquire('warm-up', { leaseMs: LEASE_MS, waitMs: 0 }))?.release()
}

async function* casesOf({ once, lock }: Session, key: string, proxy: FaultProxy): AsyncGenerator<Prepared> {
  if (once) yield* onceCases(once, key)
  if (lock) yield* lockCases(lock, key, proxy)
}

async function* onceCases(once: NonNullable<Session['once']>, key: string): AsyncGenerator<Prepared> {
  const small = once.wrap(async () => SMALL)
  const large = once.wrap(async () => largeResult())
  yield { case: 'first call', act: () => small({ id: key }, context) }
  yield { case: 'replay', act: () => small({ id: key }, context) }
  yield { case: 'first call, 100 KB result', act: () => large({ id: `${key}-large` }, context) }
  yield { case: 'replay, 100 KB result', act: () => large({ id: `${key}-large` }, context) }
  const gate = Promise.withResolvers<void>()
  const started = Promise.withResolvers<void>()
  const slow = once.wrap(async () => {
    started.resolve()
    await gate.promise
  })
  const running = slow({ id: `${key}-slow` }, context)
  await started.promise
  yield { case: 'in progress', act: () => slow({ id: `${key}-slow` }, context).catch(() => undefined) }
  gate.resolve()
  await running
}

async function* lockCases(lock: NonNullable<Session['lock']>, key: string, proxy: FaultProxy): AsyncGenerator<Prepared> {
  const wish = { leaseMs: LEASE_MS, waitMs: 0 }
  let held: HeldLock | undefined
  const acquire = async (): Promise<void> => {
    held = await lock.acquire(key, wish)
  }
  yield { case: 'acquire', act: acquire, after: () => delay(LEASE_MS / 2) }
  yield { case: 'renew', act: () => held?.renew?.() ?? nextWrite(proxy) }
  yield { case: 'held', act: () => othersTry(lock, key, proxy), after: () => delay(LEASE_MS / 5) }
  yield { case: 'release', act: async () => held?.release() }
}

/** It renews by a timer only: the next write is the renewal. */
async function nextWrite(proxy: FaultProxy): Promise<void> {
  const before = proxy.exchanges.length
  while (proxy.exchanges.length === before) await delay(5)
}

/** The holder's renewals go on meanwhile, by the same proxy: they are not the contender's, and are taken out again. */
async function othersTry(lock: NonNullable<Session['lock']>, key: string, proxy: FaultProxy): Promise<void> {
  const before = proxy.exchanges.length
  const other = await lock.acquire(key, { leaseMs: LEASE_MS, waitMs: 0 })
  if (other) throw new Error('Somebody got a lock that is held')
  const kept = proxy.exchanges.slice(before).filter(({ writes, refused }) => !writes || refused)
  proxy.exchanges.splice(before, Number.POSITIVE_INFINITY, ...kept)
}

/** An HTTP answer with a body of 100 KB of JSON: a page of orders, of the kind that compresses well, and not absurdly well. */
export function largeResult(): { readonly statusCode: number; readonly body: string } {
  const order = (index: number): object => ({
    id: `ord_${(index * 2_654_435_761) % 4_294_967_296}`,
    customer: `customer-${(index * 48_271) % 9973}@example.com`,
    cents: (index * 7919) % 100_000,
    state: ['paid', 'shipped', 'returned'][index % 3],
  })
  return { statusCode: 200, body: JSON.stringify({ orders: Array.from({ length: 1070 }, (_, index) => order(index)) }) }
}

export function tallyOf(samples: readonly Exchange[][]): Tally {
  const middle = (of: (exchange: Exchange) => number): number =>
    median(samples.map((exchanges) => exchanges.reduce((sum, exchange) => sum + of(exchange), 0)))
  return {
    requests: middle(() => 1),
    readUnits: middle((exchange) => exchange.readUnits),
    writeUnits: middle((exchange) => exchange.writeUnits),
    refusedUnits: middle((exchange) => (exchange.refused ? exchange.writeUnits : 0)),
  }
}
