import { table } from '../../bench/report/markdown.ts'
import { figure } from '../../bench/statistics.ts'
import { type CaseCost, type CaseRate, costsOf, ratesOf, type Storage, storageOf } from './figures.ts'
import type { Measured, PriceList } from './inputs.ts'
import { type Throttled, throttled } from './throttling.ts'

export interface Scale {
  readonly measuredOn: string
  readonly prices: PriceList
  readonly costs: readonly CaseCost[]
  readonly rates: readonly CaseRate[]
  readonly storage: Storage
  readonly throttled: Throttled
}

export async function scaleOf(measured: Measured, prices: PriceList): Promise<Scale> {
  const costs = costsOf(measured, prices)
  return {
    measuredOn: measured.measuredOn,
    prices,
    costs,
    rates: ratesOf(costs, prices),
    storage: storageOf(costs, prices),
    throttled: await throttled(),
  }
}

/** All of it as Markdown. */
export const reportOf = (scale: Scale): string =>
  [costSection(scale), storageSection(scale), rateSection(scale), throttlingSection(scale)].join('\n\n')

function costSection({ measuredOn, prices, costs }: Scale): string {
  const regions = Object.keys(prices.regions)
  const rows = costs.map((cost) => [
    cost.case,
    cost.requests === undefined ? '' : figure(cost.requests),
    figure(cost.writeUnits) + (cost.refusedUnits ? ` (${figure(cost.refusedUnits)} refused)` : ''),
    figure(cost.readUnits),
    ...regions.map((region) => money(cost.perMillion[region])),
  ])
  const head = ['', 'requests', 'write units', 'read units', ...regions.map((region) => `a million, ${region}`)]
  const unit = regions.map((region) => {
    const { perMillionWriteUnits, perMillionReadUnits } = prices.regions[region] ?? {
      perMillionWriteUnits: 0,
      perMillionReadUnits: 0,
    }
    return `${region} ${perMillionWriteUnits} a million write units, ${perMillionReadUnits} a million read units`
  })
  return `## What a million costs

Units as measured on ${measuredOn}; ${prices.currency}, prices as of ${prices.asOf}: ${unit.join('; ')}.

${table(head, rows)}`
}

function storageSection({ prices, storage }: Scale): string {
  const each = Object.entries(storage.perMillion).map(([region, cost]) => `${money(cost)} in ${region}`)
  const days = storage.retainDays === 1 ? 'a day' : `${figure(storage.retainDays)} days`
  return `A million first calls that are kept for ${days} take ${figure(storage.mostGib)} GiB of storage at most: ${each.join(', ')} (${prices.currency}). Deleting by TTL costs nothing.`
}

function rateSection({ prices, rates }: Scale): string {
  const { onePartition, newTable, tableByDefaultQuota } = prices.limits
  const units = ({ writeUnitsPerSecond, readUnitsPerSecond }: typeof onePartition): string =>
    `${count(writeUnitsPerSecond)} write and ${count(readUnitsPerSecond)} read units`
  const rows = rates.map((rate) => [
    rate.case,
    rate.oneKey === undefined ? '' : rate.oneKey < 10 ? figure(rate.oneKey) : count(Math.floor(rate.oneKey)),
    count(rate.newTable),
    count(rate.tableByDefaultQuota),
  ])
  return `## How often a second

At most, as DynamoDB's limits have it: ${units(onePartition)} a second for one item or partition, ${units(newTable)} for a new table on demand, ${units(tableByDefaultQuota)} for a table by default quota.

${table(['', 'one key', 'new table', 'by default quota'], rows)}`
}

function throttlingSection({ throttled: { quickest, slowest, requestTimeoutMs, totalTimeoutMs, maxAttempts } }: Scale): string {
  return `## When every request is throttled

With the defaults (\`requestTimeoutMs\` ${requestTimeoutMs}, \`totalTimeoutMs\` ${totalTimeoutMs}, \`maxAttempts\` ${maxAttempts}), found out by the store itself in virtual time:

${table(
  ['', 'requests', 'gives up after', 'with', '`maybeApplied`'],
  [
    ['shortest pauses', ...gave(quickest)],
    ['longest pauses', ...gave(slowest)],
  ],
)}`
}

const gave = ({ requests, afterMs, code, maybeApplied }: Throttled['quickest']): string[] => [
  String(requests),
  `${count(afterMs)} ms`,
  `\`${code}\``,
  `\`${maybeApplied}\``,
]

const money = (value: number | undefined): string => (value ?? Number.NaN).toFixed(2)
const count = (value: number): string => value.toLocaleString('en-US')
