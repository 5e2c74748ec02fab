import { configInvalid } from '../../lib/store/errors.ts'

/**
 * What an eventually consistent global table breaks: two regions accept two conditional writes at once, and the later one
 * wins without a word. So two hold one lock, an operation runs in both, and both count on from the same fence.
 */
export type Broken = readonly ['mutual-exclusion', 'idempotency', 'fences']
const BROKEN: Broken = ['mutual-exclusion', 'idempotency', 'fences']

export interface EventualRegions {
  readonly consistency: 'eventual'
  /** The other regions. */
  readonly replicas: readonly string[]
  /** What breaks, by name. Without it the table is refused. It is right for standby regions only: nobody writes in two at once. */
  readonly acknowledgeBroken: Broken
  /** Where the table has a customer-managed key: the key of each replica's region. */
  readonly replicaKeyArns?: { readonly [region: string]: string } | undefined
}

/**
 * Strong consistency, in three regions of one set (America, Europe, Asia), or two and a witness. DynamoDB has no transactions
 * there and no TTL. So `dynamodbStore` needs `transactions: false`, there are no `operation.transact()` and `lock.guard()`, and a
 * sweeper function deletes what has expired.
 */
export interface StrongRegions {
  readonly consistency: 'strong'
  /** Two other regions, or one and a witness. */
  readonly replicas: readonly string[]
  /** It holds the log and serves no requests. */
  readonly witness?: string | undefined
  /** Where the table has a customer-managed key: the key of each replica's region. */
  readonly replicaKeyArns?: { readonly [region: string]: string } | undefined
}

export type Regions = EventualRegions | StrongRegions

/** Where a strongly consistent table may lie: all of it in one of these. */
const SETS: readonly (readonly string[])[] = [
  ['us-east-1', 'us-east-2', 'us-west-2'],
  ['eu-central-1', 'eu-west-1', 'eu-west-2', 'eu-west-3'],
  ['ap-northeast-1', 'ap-northeast-2', 'ap-northeast-3'],
]

/**
 * @param home the stack's region, `undefined` where it is not known before the deployment
 * @throws AlonceError `CONFIG_INVALID`
 */
export function checkRegions(regions: Regions, home: string | undefined): void {
  if (home === undefined) {
    throw configInvalid('regions', 'needs a stack with a region: new Stack(app, "…", { env: { region: "eu-west-1" } }).')
  }
  const { replicas } = regions
  if (replicas.length === 0) throw configInvalid('regions', 'names no replica. Leave "regions" out for a table in one region.')
  if (new Set([home, ...replicas]).size !== replicas.length + 1) {
    throw configInvalid('regions', `names a region twice: the table lies in ${home} already, "replicas" are the others.`)
  }
  if (regions.consistency === 'strong') checkStrong(regions, home)
  else checkEventual(regions)
}

function checkEventual({ consistency, acknowledgeBroken }: EventualRegions): void {
  if (consistency !== 'eventual') throw configInvalid('regions', 'needs "consistency": "strong" or "eventual".')
  if (BROKEN.every((part, index) => (acknowledgeBroken as readonly string[] | undefined)?.[index] === part)) return
  throw configInvalid(
    'regions',
    `asks for an eventually consistent global table: two regions can both win, so locks, idempotency and fences hold within a region only. Take "consistency": "strong", one region, or say "acknowledgeBroken": ${JSON.stringify(BROKEN)} if no two regions ever write at once.`,
  )
}

function checkStrong({ replicas, witness }: StrongRegions, home: string): void {
  const all = [home, ...replicas, ...(witness === undefined ? [] : [witness])]
  if (all.length !== 3 || new Set(all).size !== 3) {
    throw configInvalid(
      'regions',
      `needs three regions for strong consistency, the stack's own among them, or two and a witness; these are ${all.join(', ')}.`,
    )
  }
  if (SETS.some((set) => all.every((region) => set.includes(region)))) return
  const sets = SETS.map((set) => set.join(', ')).join('; or ')
  throw configInvalid('regions', `are ${all.join(', ')}: a strongly consistent table lies within ${sets}.`)
}
