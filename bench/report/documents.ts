import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { PARTS } from '../arguments.ts'
import { idealMs } from '../parts/contention.ts'
import { TITLE } from '../products/products.ts'
import type { Results } from '../results.ts'
import { figure } from '../statistics.ts'
import { type Bar, barChart, type Chart } from './chart.ts'
import { reportOf } from './tables.ts'

const DOCS = join(import.meta.dirname, '../../docs')
const BEGIN = '<!-- Made by `npm run bench -- --docs`; what stands between these two lines is written over. -->'
const END = '<!-- End of what is made. -->'

/** Puts this run's figures into `docs/`; what it has not measured stays as it was. */
export function writeDocuments(run: Results): void {
  const folder = join(DOCS, 'benchmarks')
  mkdirSync(folder, { recursive: true })
  const results = run.parts.length === PARTS.length ? run : completed(run, join(folder, 'results.json'))
  for (const [name, chart] of Object.entries(chartsOf(results))) writeFileSync(join(folder, `${name}.svg`), barChart(chart))
  writeFileSync(join(folder, 'results.json'), `${JSON.stringify(results, undefined, 2)}\n`)
  const page = join(DOCS, 'BENCHMARKS.md')
  writeFileSync(page, withReport(readFileSync(page, 'utf8'), reportOf(results)))
}

/** @throws Error when the earlier figures are another machine's, or other versions' */
function completed(run: Results, file: string): Results {
  const earlier = JSON.parse(readFileSync(file, 'utf8')) as Results
  for (const what of ['machine', 'versions'] as const) {
    if (isDeepStrictEqual(earlier[what], run[what])) continue
    throw new Error(`The figures in docs/ come from another ${what}: run all parts, without --only`)
  }
  return { ...earlier, ...run, parts: PARTS }
}

/** @throws Error when the page has no place for it */
export function withReport(page: string, report: string): string {
  const [before, rest] = page.split(BEGIN)
  const after = rest?.split(END)[1]
  if (before === undefined || after === undefined)
    throw new Error('BENCHMARKS.md has lost the lines between which the report goes')
  return `${before}${BEGIN}\n\n${report}\n\n${END}${after}`
}

export function chartsOf(results: Results): { readonly [name: string]: Chart } {
  return { ...cpuChart(results), ...importChart(results), ...replayChart(results), ...contentionChart(results) }
}

function cpuChart({ cpu }: Results): { readonly [name: string]: Chart } {
  if (!cpu) return {}
  const bars = cpu.map(
    ({ product, ratio }): Bar => ({
      label: TITLE[product],
      value: ratio.median,
      text: figure(ratio.median),
      ours: product === 'alonce',
    }),
  )
  const subtitle = 'a first call, or an acquisition and its release; two bare calls of the SDK = 1'
  return { cpu: { title: 'Processor time', subtitle, bars, goal: { value: 1.1, text: 'goal 1.10' } } }
}

function importChart({ imports }: Results): { readonly [name: string]: Chart } {
  if (!imports) return {}
  const bars = imports.slice(0, 2).map(
    ({ name, ms }, at): Bar => ({
      label: name.replace(' idempotency + middleware', ''),
      value: ms.median,
      text: `${figure(ms.median)} ms`,
      ours: at === 0,
    }),
  )
  return { import: { title: 'Import, without the AWS SDK', subtitle: 'a cold process, median; core and middy middleware', bars } }
}

function replayChart({ costs }: Results): { readonly [name: string]: Chart } {
  const replays = costs?.filter((cost) => cost.case === 'replay, 100 KB result') ?? []
  if (replays.length === 0) return {}
  const bars = replays.map(
    (cost): Bar => ({
      label: TITLE[cost.product],
      value: cost.readUnits + cost.writeUnits,
      text:
        cost.readUnits > 0
          ? `${figure(cost.writeUnits)} write + ${figure(cost.readUnits)} read units`
          : `${figure(cost.writeUnits)} write units`,
      ours: cost.product === 'alonce',
    }),
  )
  return { replay: { title: 'A replay of a 100 KB result', subtitle: 'DynamoDB capacity units', bars } }
}

function contentionChart({ contention }: Results): { readonly [name: string]: Chart } {
  const long = contention?.filter(({ holdMs }) => holdMs === 500) ?? []
  if (long.length === 0) return {}
  const bars = long.map(
    (report): Bar => ({
      label: TITLE[report.product],
      value: report.writesPerGrant,
      text: `${figure(report.writesPerGrant)} (${report.served} of ${report.contenders})`,
      ours: report.product === 'alonce',
    }),
  )
  const ideal = Math.max(...long.map(idealMs)) / 1000
  const subtitle = `writes a grant, and who was served; 500 ms holds, ideally ${figure(ideal)} s in all`
  return { contention: { title: '100 contenders for one lock', subtitle, bars, goal: { value: 5, text: 'goal 5' } } }
}
