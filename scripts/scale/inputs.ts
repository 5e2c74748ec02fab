import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** What the user pays and may use: a file that is read, never a number in the code. */
export interface PriceList {
  /** The day from which these prices are. */
  readonly asOf: string
  readonly source: string
  readonly note: string
  readonly currency: string
  readonly regions: { readonly [region: string]: Prices }
  readonly limits: {
    readonly source: string
    readonly onePartition: Rate
    readonly newTable: Rate
    readonly tableByDefaultQuota: Rate
  }
  /** How long a completed operation is kept. */
  readonly retainDays: number
}
export interface Prices {
  readonly perMillionWriteUnits: number
  readonly perMillionReadUnits: number
  readonly perGibMonth: number
}
export interface Rate {
  readonly writeUnitsPerSecond: number
  readonly readUnitsPerSecond: number
}

/** As much of what `npm run bench` has measured as this needs. */
export interface Measured {
  readonly measuredOn: string
  readonly costs: readonly MeasuredCost[]
  readonly contention: readonly MeasuredCrowd[]
}
interface MeasuredCost extends Units {
  readonly case: string
  readonly product: string
  readonly requests: number
  /** Of the write units, those of refused writes. */
  readonly refusedUnits: number
}
export interface Units {
  readonly readUnits: number
  readonly writeUnits: number
}
interface MeasuredCrowd {
  readonly product: string
  readonly contenders: number
  readonly holdMs: number
  /** From a release to the next grant. */
  readonly handOverMs: number
  readonly writesPerGrant: number
  readonly readsPerGrant: number
}

/** A file that has not what is needed: a sentence, and status 2. */
export class WrongInput extends Error {
  override readonly name = 'WrongInput'
}

const DOCS = join(import.meta.dirname, '../../docs')
export const PRICES_FILE = join(DOCS, 'scale/prices.json')
export const RESULTS_FILE = join(DOCS, 'benchmarks/results.json')

/** @throws WrongInput */
export function readPrices(file: string): PriceList {
  const list = readJson(file) as Partial<PriceList>
  const { regions = {}, limits, retainDays = Number.NaN } = list
  if (Object.keys(regions).length === 0) throw new WrongInput(`${file}: "regions" must name at least one region with its prices.`)
  for (const [region, { perMillionWriteUnits, perMillionReadUnits, perGibMonth }] of Object.entries(regions)) {
    requireNumbers(`${file}: ${region}`, { perMillionWriteUnits, perMillionReadUnits, perGibMonth })
  }
  for (const name of ['onePartition', 'newTable', 'tableByDefaultQuota'] as const) {
    const { writeUnitsPerSecond = Number.NaN, readUnitsPerSecond = Number.NaN } = limits?.[name] ?? {}
    requireNumbers(`${file}: limits.${name}`, { writeUnitsPerSecond, readUnitsPerSecond })
  }
  requireNumbers(file, { retainDays })
  return list as PriceList
}

/** @throws WrongInput */
export function readMeasured(file: string): Measured {
  const { measuredOn, costs, contention } = readJson(file) as Partial<Measured>
  if (!measuredOn || !costs || !contention) throw new WrongInput(`${file}: not the results of all parts of \`npm run bench\`.`)
  return { measuredOn, costs, contention }
}

function readJson(file: string): object {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as object
  } catch (cause) {
    throw new WrongInput(`${file} can't be read: ${cause instanceof Error ? cause.message : 'unreadable'}`, { cause })
  }
}

function requireNumbers(where: string, numbers: { readonly [name: string]: number }): void {
  for (const [name, value] of Object.entries(numbers)) {
    if (!Number.isFinite(value) || value < 0) throw new WrongInput(`${where}: "${name}" must be a number, 0 or more.`)
  }
}
