import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, describe, expect, test } from 'vitest'
import { costsOf, ratesOf, storageOf } from '../../scripts/scale/figures.ts'
import { PRICES_FILE, type PriceList, RESULTS_FILE, readMeasured, readPrices, WrongInput } from '../../scripts/scale/inputs.ts'
import { throttled } from '../../scripts/scale/throttling.ts'

const ROOT = join(import.meta.dirname, '../..')
const folder = mkdtempSync(join(tmpdir(), 'alonce-scale-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const measured = readMeasured(RESULTS_FILE)
const prices = readPrices(PRICES_FILE)
const EAST = 'us-east-1'

/** The price list with every price, or every limit, so many times as large. */
function scaled({ price = 1, limit = 1 }: { readonly price?: number; readonly limit?: number }): PriceList {
  const times = (factor: number) => (_name: string, value: unknown) => (typeof value === 'number' ? value * factor : value)
  const through = <T>(value: T, factor: number): T => JSON.parse(JSON.stringify(value), times(factor)) as T
  return { ...prices, regions: through(prices.regions, price), limits: through(prices.limits, limit) }
}

const npmRunScale = (...args: string[]): Promise<string> =>
  promisify(execFile)('npm', ['run', '--silent', 'scale', '--', ...args], { cwd: ROOT }).then(({ stdout }) => stdout.trim())

describe('docs/SCALE.md', () => {
  test('is what npm run scale prints from the committed results and prices', async () => {
    const page = readFileSync(join(ROOT, 'docs/SCALE.md'), 'utf8')
    const [, between = ''] = /<!-- Made by .+ -->\n\n([\s\S]+)\n\n<!-- End of what is made. -->/.exec(page) ?? []
    expect(between).toBe(await npmRunScale())
  })

  test('says of its prices from when they are, and that they are inputs', async () => {
    const printed = await npmRunScale()
    expect(printed).toContain(`prices as of ${prices.asOf}`)
    expect(prices.note).toMatch(/^Inputs, not claims/)
  })
})

describe('costs', () => {
  test('a first call is two write units, by hand: 2 × 0.625', () => {
    const [first] = costsOf(measured, prices)
    expect(first).toMatchObject({ case: 'first call', requests: 2, writeUnits: 2, readUnits: 0, refusedUnits: 0 })
    expect(first?.perMillion[EAST]).toBeCloseTo(1.25)
  })

  test('a replay of a large result pays for its write and its reads: 1 × 0.625 + 4 × 0.125', () => {
    const replay = costsOf(measured, prices).find((cost) => cost.case === 'replay, 100 KB result')
    expect(replay?.perMillion[EAST]).toBeCloseTo(1.125)
  })

  test('a call inside a lock is what its parts are together', () => {
    const costs = costsOf(measured, prices)
    const of = (name: string): number => costs.find((cost) => cost.case.startsWith(name))?.perMillion[EAST] ?? Number.NaN
    expect(of('a first call inside a lock')).toBeCloseTo(of('first call') + of('acquire') + of('release'))
    expect(of('the same, delivered twice')).toBeCloseTo(of('a first call inside a lock') + of('replay'))
  })

  test('only ours are counted, all of them, and crowds too', () => {
    const ours = measured.costs.filter(({ product }) => product === 'alonce').map((cost) => cost.case)
    const names = costsOf(measured, prices).map((cost) => cost.case)
    expect(names.slice(0, ours.length)).toEqual(ours)
    expect(names.filter((name) => name.startsWith('a grant among'))).toHaveLength(2)
  })

  test('doubled prices double every cost, in every region, and the storage', () => {
    const [once, twice] = [costsOf(measured, prices), costsOf(measured, scaled({ price: 2 }))]
    const money = (costs: typeof once): number[] => costs.flatMap(({ perMillion }) => Object.values(perMillion))
    expect(money(once)).toHaveLength(once.length * 2)
    expect(money(twice)).toEqual(money(once).map((cost) => cost * 2))
    const [small, large] = [storageOf(once, prices), storageOf(once, scaled({ price: 2 }))]
    expect(large.perMillion[EAST]).toBeCloseTo(2 * (small.perMillion[EAST] ?? Number.NaN))
    expect(small.perMillion[EAST]).toBeGreaterThan(0)
  })

  test('other results make other costs: nothing is known beforehand', () => {
    const dearer = { ...measured, costs: measured.costs.map((cost) => ({ ...cost, writeUnits: cost.writeUnits + 1 })) }
    expect(costsOf(dearer, prices)[0]?.perMillion[EAST]).toBeCloseTo(1.875)
  })
})

describe('rates', () => {
  const rates = ratesOf(costsOf(measured, prices), prices)
  const of = (name: string) => rates.find((rate) => rate.case === name)

  test('one key takes 1,000 write units a second: 1,000 replays, 500 pairs of a lock', () => {
    expect(of('replay')?.oneKey).toBe(1000)
    expect(of('a lock taken and given back')?.oneKey).toBe(500)
  })

  test('where reads run out first, they are what counts: 3,000 ÷ 4', () => {
    expect(of('replay, 100 KB result')?.oneKey).toBe(750)
  })

  test('a lock that is held for half a second can be granted less than twice a second, whatever the limits are', () => {
    const crowd = ratesOf(costsOf(measured, prices), scaled({ limit: 1000 })).find((rate) => rate.case.endsWith('held 500 ms'))
    expect(crowd?.oneKey).toBeGreaterThan(1.9)
    expect(crowd?.oneKey).toBeLessThan(2)
  })

  test('what happens once to a key has no rate on one key', () => {
    expect(of('first call')?.oneKey).toBeUndefined()
  })

  test('doubled limits double what a table takes', () => {
    const twice = ratesOf(costsOf(measured, prices), scaled({ limit: 2 }))
    expect(twice.find((rate) => rate.case === 'first call')?.newTable).toBe(2 * (of('first call')?.newTable ?? Number.NaN))
  })
})

test('throttled for good, a command gives up by itself, inside its time, and knows that nothing was applied', async () => {
  const { quickest, slowest, totalTimeoutMs, maxAttempts } = await throttled()
  for (const gave of [quickest, slowest]) {
    expect(gave).toMatchObject({ code: 'STORE_UNAVAILABLE', maybeApplied: false })
    expect(gave.requests).toBeLessThanOrEqual(maxAttempts)
    expect(gave.afterMs).toBeLessThanOrEqual(totalTimeoutMs)
  }
  // The pauses that the page names, added up, and half of them.
  expect([quickest.afterMs, slowest.afterMs]).toEqual([775, 1550])
})

describe('inputs', () => {
  const file = (name: string, value: object): string => {
    writeFileSync(join(folder, name), JSON.stringify(value))
    return join(folder, name)
  }

  test('a price list of the user’s own is used', async () => {
    const mine = file('mine.json', {
      ...prices,
      asOf: '2030-01-01',
      regions: { mars: { perMillionWriteUnits: 5, perMillionReadUnits: 1, perGibMonth: 9 } },
    })
    const printed = await npmRunScale('--prices', mine)
    expect(printed).toContain('prices as of 2030-01-01: mars 5 a million write units')
    expect(printed).toContain('| first call | 2 | 2 | 0 | 10.00 |')
    expect(JSON.parse(await npmRunScale('--json', '--prices', mine))).toHaveProperty('costs.0.perMillion', { mars: 10 })
  })

  test.each([
    ['no regions', { ...prices, regions: {} }, /at least one region/],
    [
      'a price in words',
      { ...prices, regions: { mars: { perMillionWriteUnits: 'much' } } },
      /mars: "perMillionWriteUnits" must be a number/,
    ],
    ['no limits', { ...prices, limits: {} }, /limits.onePartition: "writeUnitsPerSecond" must be a number/],
  ])('a price list with %s is refused with a sentence', (name, list, sentence) => {
    expect(() => readPrices(file(`${name}.json`, list))).toThrow(sentence)
  })

  test('results of a part of the bench are refused, and so is a file that is not there', () => {
    expect(() => readMeasured(file('part.json', { measuredOn: '2026-01-01', costs: [] }))).toThrow(WrongInput)
    expect(() => readPrices(join(folder, 'none.json'))).toThrow(WrongInput)
  })
})
