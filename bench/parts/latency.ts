import { DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb'
import type { HeldLock } from '../products/product.ts'
import { loadProduct, type ProductId } from '../products/products.ts'
import { type Spread, spreadOf } from '../statistics.ts'
import { createTableFor, localClientConfig } from '../table/local-client.ts'
import { context } from './costs.ts'

export const LATENCY_CASES = ['one bare write', 'first call', 'replay', 'acquire', 'release'] as const
export type LatencyCase = (typeof LATENCY_CASES)[number]

export interface Latency {
  readonly case: LatencyCase
  readonly product: ProductId | 'bare'
  readonly ms: Spread
}

interface Runner {
  readonly product: ProductId | 'bare'
  round(key: string): Promise<ReadonlyMap<LatencyCase, number>>
}

const RESULT = { chargeId: 'ch_3OqLz2eZvKYlo2C1', status: 'succeeded' }

/** On DynamoDB Local, without the proxy; a round of each product in turn. */
export async function measureLatency(
  endpoint: string,
  { products, rounds, onStep }: { products: readonly ProductId[]; rounds: number; onStep: (what: string) => void },
): Promise<Latency[]> {
  const runners = [await bareRunner(endpoint), ...(await Promise.all(products.map((id) => productRunner(endpoint, id))))]
  const samples = new Map<string, number[]>()
  for (let round = -5; round < rounds; round++) {
    onStep(`round ${Math.max(0, round)} of ${rounds}`)
    for (const { product, round: run } of runners) {
      for (const [name, ms] of await run(`round-${round}`)) {
        if (round >= 0) samples.set(`${product}|${name}`, [...(samples.get(`${product}|${name}`) ?? []), ms])
      }
    }
  }
  return [...samples].map(([id, values]) => {
    const [product, name] = id.split('|') as [ProductId | 'bare', LatencyCase]
    return { product, case: name, ms: spreadOf(values) }
  })
}

async function bareRunner(endpoint: string): Promise<Runner> {
  const setting = { endpoint, tableName: 'latency-bare' }
  await createTableFor({ name: 'bare', packageName: '', keys: ['id'], connect: async () => ({}) }, setting)
  const client = new DynamoDBClient(localClientConfig(setting))
  const write = (key: string): Promise<unknown> =>
    client.send(
      new PutItemCommand({
        TableName: setting.tableName,
        Item: { id: { S: key } },
        ConditionExpression: 'attribute_not_exists(id)',
      }),
    )
  return { product: 'bare', round: async (key) => new Map([['one bare write', await timed(() => write(key))]]) }
}

async function productRunner(endpoint: string, id: ProductId): Promise<Runner> {
  const product = await loadProduct(id)
  const setting = { endpoint, tableName: `latency-${id}` }
  await createTableFor(product, setting)
  const { once, lock } = await product.connect(setting)
  const handler = once?.wrap(async () => RESULT)
  const round = async (key: string): Promise<ReadonlyMap<LatencyCase, number>> => {
    const times = new Map<LatencyCase, number>()
    if (handler) {
      times.set('first call', await timed(() => handler({ id: key }, context)))
      times.set('replay', await timed(() => handler({ id: key }, context)))
    }
    if (lock) {
      let held: HeldLock | undefined
      const acquire = async (): Promise<void> => {
        held = await lock.acquire(key, { leaseMs: 30_000, waitMs: 0 })
      }
      times.set('acquire', await timed(acquire))
      times.set('release', await timed(async () => held?.release()))
    }
    return times
  }
  return { product: id, round }
}

async function timed(act: () => Promise<unknown>): Promise<number> {
  const before = performance.now()
  await act()
  return performance.now() - before
}
