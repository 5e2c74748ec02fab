import type { Measured, PriceList, Prices, Rate, Units } from './inputs.ts'

/** What one call of a kind takes, and what a million of them cost. */
export interface CaseCost extends Units {
  readonly case: string
  /** `undefined`: it was measured by capacity only. */
  readonly requests: number | undefined
  readonly refusedUnits: number | undefined
  /** By region, for a million. */
  readonly perMillion: { readonly [region: string]: number }
  /** What else bounds it where all of it goes to one key; `undefined`: it does not happen to one key again and again. */
  readonly oneKeyPerSecond: number | undefined
}

/** How often a second, at most, something can be done. */
export interface CaseRate {
  readonly case: string
  /** To one key: one item, and so one partition. */
  readonly oneKey: number | undefined
  /** Over many keys. */
  readonly newTable: number
  readonly tableByDefaultQuota: number
}

export interface Storage {
  readonly retainDays: number
  /** For a million first calls: no more than this is written, and the head is written twice. */
  readonly mostGib: number
  readonly perMillion: { readonly [region: string]: number }
}

type Unpriced = Omit<CaseCost, 'perMillion'>

const MILLION = 1_000_000
const DAYS_A_MONTH = 30
const KIB_A_GIB = 1_048_576
const OURS = 'alonce'

/** What people do is made of what was measured. */
const LOCK_CYCLE = 'a lock taken and given back'
const SUMS: { readonly [what: string]: readonly string[] } = {
  [LOCK_CYCLE]: ['acquire', 'release'],
  'a first call inside a lock (functions/payments)': ['first call', 'acquire', 'release'],
  'the same, delivered twice': ['first call', 'acquire', 'release', 'replay'],
}

const ON_ONE_KEY: ReadonlySet<string> = new Set(['replay', 'replay, 100 KB result', 'in progress', 'renew', 'held', LOCK_CYCLE])

export function costsOf(measured: Measured, { regions }: PriceList): readonly CaseCost[] {
  const single = measured.costs.filter(({ product }) => product === OURS).map(bounded)
  const sums = Object.entries(SUMS).map(([name, parts]) =>
    bounded({ case: name, ...sumOf(parts.map((part) => found(single, part))) }),
  )
  return [...single, ...sums, ...crowds(measured)].map((cost) => ({
    ...cost,
    perMillion: byRegion(regions, (prices) => costOf(cost, prices)),
  }))
}

const bounded = ({ case: name, requests, writeUnits, refusedUnits, readUnits }: Omit<Unpriced, 'oneKeyPerSecond'>): Unpriced => ({
  case: name,
  requests,
  writeUnits,
  refusedUnits,
  readUnits,
  oneKeyPerSecond: ON_ONE_KEY.has(name) ? Number.POSITIVE_INFINITY : undefined,
})

/** For a million: the prices are for a million units. */
const costOf = ({ writeUnits, readUnits }: Units, prices: Prices): number =>
  writeUnits * prices.perMillionWriteUnits + readUnits * prices.perMillionReadUnits

const byRegion = (regions: PriceList['regions'], of: (prices: Prices) => number): { readonly [region: string]: number } =>
  Object.fromEntries(Object.entries(regions).map(([region, prices]) => [region, of(prices)]))

function found(single: readonly Unpriced[], name: string): Unpriced {
  const one = single.find((candidate) => candidate.case === name)
  if (!one) throw new Error(`The results have no case "${name}"`)
  return one
}

function sumOf(parts: readonly Unpriced[]): Omit<Unpriced, 'case' | 'oneKeyPerSecond'> {
  const sum = (of: (part: Unpriced) => number | undefined): number => parts.reduce((total, part) => total + (of(part) ?? 0), 0)
  return {
    requests: sum((part) => part.requests),
    writeUnits: sum((part) => part.writeUnits),
    refusedUnits: sum((part) => part.refusedUnits),
    readUnits: sum((part) => part.readUnits),
  }
}

/** A waiter's look is a consistent read of an item below 4 KiB: one unit. A head stays below 1 KiB: one unit a write. */
const crowds = ({ contention }: Measured): readonly Unpriced[] =>
  contention
    .filter(({ product }) => product === OURS)
    .map(({ contenders, holdMs, handOverMs, writesPerGrant, readsPerGrant }) => ({
      case: `a grant among ${contenders} contenders, held ${holdMs} ms`,
      requests: undefined,
      writeUnits: writesPerGrant,
      refusedUnits: undefined,
      readUnits: readsPerGrant,
      oneKeyPerSecond: 1000 / (holdMs + handOverMs),
    }))

export const ratesOf = (costs: readonly CaseCost[], { limits }: PriceList): readonly CaseRate[] =>
  costs.map((cost) => ({
    case: cost.case,
    oneKey: oneKeyOf(cost, limits.onePartition),
    newTable: rateOf(cost, limits.newTable),
    tableByDefaultQuota: rateOf(cost, limits.tableByDefaultQuota),
  }))

const oneKeyOf = (cost: CaseCost, partition: Rate): number | undefined =>
  cost.oneKeyPerSecond === undefined ? undefined : Math.min(rateOf(cost, partition), cost.oneKeyPerSecond)

const rateOf = ({ writeUnits, readUnits }: Units, { writeUnitsPerSecond, readUnitsPerSecond }: Rate): number =>
  Math.floor(
    Math.min(writeUnitsPerSecond / writeUnits, readUnits > 0 ? readUnitsPerSecond / readUnits : Number.POSITIVE_INFINITY),
  )

/** A write unit is at most 1 KiB, so what a call writes bounds what it leaves behind. */
export function storageOf(costs: readonly CaseCost[], { regions, retainDays }: PriceList): Storage {
  const { writeUnits } = costs.find((cost) => cost.case === 'first call') ?? { writeUnits: 0 }
  const mostGib = (MILLION * writeUnits) / KIB_A_GIB
  const months = retainDays / DAYS_A_MONTH
  return { retainDays, mostGib, perMillion: byRegion(regions, ({ perGibMonth }) => mostGib * months * perGibMonth) }
}
