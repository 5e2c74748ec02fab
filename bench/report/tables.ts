import type { ContentionReport } from '../parts/contention.process.ts'
import { idealMs } from '../parts/contention.ts'
import { COST_CASES, type Tally } from '../parts/costs.ts'
import type { FaultCell } from '../parts/faults.ts'
import { LATENCY_CASES } from '../parts/latency.ts'
import { ALL_PRODUCTS, LOCK_PRODUCTS, ONCE_PRODUCTS, type ProductId, TITLE } from '../products/products.ts'
import type { Results } from '../results.ts'
import { figure, type Spread, spreadText } from '../statistics.ts'
import { goalsOf } from './goals.ts'
import { table } from './markdown.ts'

/** The whole report as Markdown, a section for each part that was measured. */
export function reportOf(results: Results): string {
  const sections = [conditions, goals, costs, latency, cpu, sizes, contention, effects, idempotencyFaults, lockFaults, raft]
  return sections
    .map((section) => section(results))
    .filter((text) => text !== '')
    .join('\n\n')
}

function conditions({ measuredOn, quick, machine, versions }: Results): string {
  const { processor, cores, memoryGiB, node, java, platform } = machine
  const machineText = `${processor}, ${cores} cores, ${memoryGiB} GiB, ${platform}, Node ${node}, Java ${java} (DynamoDB Local)`
  const versionText = Object.entries(versions).map(([name, version]) => `\`${name}\` ${version}`)
  return `Measured on ${measuredOn}${quick ? ', quickly: few rounds' : ''}: ${machineText}. ${versionText.join(', ')}.`
}

function goals(results: Results): string {
  const found = goalsOf(results)
  if (found.length === 0) return ''
  const rows = found.map(({ what, goal, measured, met }) => [what, goal, measured, met ? 'yes' : 'no'])
  return `## Goals\n\n${table(['', 'goal', 'this run', 'met'], rows)}`
}

const SCORE = (cost: Tally | undefined): string => {
  if (!cost) return '–'
  const refused = cost.refusedUnits > 0 ? ` (${figure(cost.refusedUnits)} refused)` : ''
  const reads = cost.readUnits > 0 ? ` + ${figure(cost.readUnits)} RU` : ''
  return `${figure(cost.requests)} req, ${figure(cost.writeUnits)} WU${refused}${reads}`
}

function costs({ costs: found }: Results): string {
  if (!found) return ''
  const of = (product: ProductId, name: string): string =>
    SCORE(found.find((cost) => cost.product === product && cost.case === name))
  const rows = COST_CASES.map((name) => [name, ...ALL_PRODUCTS.map((product) => of(product, name))])
  return `## Requests and capacity\n\n${table(['', ...ALL_PRODUCTS.map((id) => TITLE[id])], rows)}`
}

function latency({ latency: found }: Results): string {
  if (!found) return ''
  const columns = ['bare', ...ALL_PRODUCTS] as const
  const of = (product: string, name: string): string => {
    const one = found.find((candidate) => candidate.product === product && candidate.case === name)
    return one ? spreadText(one.ms) : '–'
  }
  const rows = LATENCY_CASES.map((name) => [name, ...columns.map((product) => of(product, name))])
  const head = ['ms', 'bare SDK 3', ...ALL_PRODUCTS.map((id) => TITLE[id])]
  return `## Latency\n\n${table(head, rows)}`
}

function cpu({ cpu: found }: Results): string {
  if (!found) return ''
  const rows = found.map(({ product, ratio, micros, bareMicros }) => [
    TITLE[product],
    (ONCE_PRODUCTS as readonly string[]).includes(product) ? 'first call' : 'acquire + release',
    spreadText(ratio),
    `${figure(micros)} µs`,
    `${figure(bareMicros)} µs`,
  ])
  return `## Processor time\n\n${table(['', 'what', '÷ two bare calls', 'median', 'two bare calls'], rows)}`
}

function sizes({ imports, bundles, bundleParts = [] }: Results): string {
  if (!imports || !bundles) return ''
  const imported = imports.map(({ name, ms }) => [name, `${spreadText(ms)} ms`])
  const bundled = bundles.map(({ name, bytes, gzipped }) => [name, `${figure(bytes / 1000)} KB`, `${figure(gzipped / 1000)} KB`])
  const parts = bundleParts
    .toSorted((a, b) => b.gzipped - a.gzipped)
    .map(({ part, bytes, gzipped }) => [part, `${figure(bytes / 1000)} KB`, `${figure(gzipped / 1000)} KB`])
  const tables = [
    table(['import', 'time'], imported),
    table(['bundle, without the SDK', 'minified', 'gzipped'], bundled),
    ...(parts.length > 0 ? [table(['of it, in the bundle of everything', 'minified', 'gzipped: less without it'], parts)] : []),
  ]
  return ['## Import and bundle', ...tables].join('\n\n')
}

function contention({ contention: found }: Results): string {
  if (!found) return ''
  return `## Contention\n\n${table(CONTENTION_HEAD, found.map(contentionRow))}`
}

const CONTENTION_HEAD = [
  '',
  'product',
  'served',
  'time',
  '÷ ideal',
  'hand-over alone',
  'writes a grant',
  'reads a grant',
  'overlaps',
]

const contentionRow = (report: ContentionReport): string[] => [
  `${report.contenders} × ${report.holdMs} ms`,
  TITLE[report.product],
  `${report.served} of ${report.contenders}${errorsText(report.errors)}`,
  `${figure(report.drainMs / 1000)} s`,
  report.served === report.contenders ? figure(report.drainMs / idealMs(report)) : '–',
  `${figure(report.handOverMs)} ms`,
  figure(report.writesPerGrant),
  figure(report.readsPerGrant),
  String(report.overlaps),
]

/** What no peer has: so it stands beside nobody. */
function effects({ effects: found, fair }: Results): string {
  if (!found || !fair) return ''
  const costs = table(
    ['Alonce', 'asks of the table'],
    found.map((cost) => [cost.case, SCORE(cost)]),
  )
  return `## Permits, shared locks, transactions, a queue\n\n${costs}\n\n${table(['`fair: true`', ...CONTENTION_HEAD.slice(1)], [contentionRow(fair)])}`
}

function raft({ raft: found }: Results): string {
  if (!found) return ''
  const { coreSteps, coreStepsOfCpu, simulatedEvents, stall } = found
  const rows = [
    ['protocol, 5 members: messages a second', thousands(coreSteps)],
    ['protocol: messages per second of processor time', thousands(coreStepsOfCpu)],
    ['simulation, all cores: events a second', thousands(simulatedEvents)],
    [`snapshot of ${stall.records} records beside writes: longest turn`, `${spreadText(stall.during)} ms`],
    ['the longest garbage collection meanwhile', `${spreadText(stall.longestCollection)} ms`],
    ['the same load without a snapshot: longest turn', `${spreadText(stall.without)} ms`],
    ['the snapshot takes', `${spreadText(stall.snapshotSeconds)} s`],
  ]
  return `## Raft\n\n${table(['', 'median (quartiles)'], rows)}`
}

const thousands = ({ median, low, high, rounds }: Spread): string =>
  `${spreadText({ median: median / 1000, low: low / 1000, high: high / 1000, rounds })} thousand`

const errorsText = (errors: { readonly [name: string]: number } = {}): string =>
  Object.entries(errors)
    .map(([name, count]) => `, ${count} ${name}`)
    .join('')

const idempotencyFaults = ({ faults: found }: Results): string =>
  faultTable('Faults: idempotency', found, ['idempotency', ONCE_PRODUCTS])
const lockFaults = ({ faults: found }: Results): string => faultTable('Faults: locks', found, ['locks', LOCK_PRODUCTS])

function faultTable(
  title: string,
  cells: Results['faults'],
  [kind, products]: readonly [FaultCell['kind'], readonly ProductId[]],
): string {
  const ofKind = cells?.filter((cell) => cell.kind === kind) ?? []
  if (ofKind.length === 0) return ''
  const names = [...new Set(ofKind.map(({ fault }) => fault))]
  const rows = names.map((name) => {
    const of = (product: ProductId): FaultCell | undefined =>
      ofKind.find((cell) => cell.fault === name && cell.product === product)
    const expected = ofKind.find(({ fault }) => fault === name)?.expected ?? ''
    return [`**${name}** — ${expected}`, ...products.map((product) => cellText(of(product)))]
  })
  return `## ${title}\n\n${table(['fault — what may be expected', ...products.map((id) => TITLE[id])], rows)}`
}

const cellText = (cell: FaultCell | undefined): string =>
  cell ? `${cell.verdict === 'right' ? '✓' : '✗'} ${cell.effects}: ${cell.happened}` : '–'
