/**
 * `npm run test:mutants`: plants each mutant, runs the scenarios, and prints scenario × mutant. Status 1 when one survives.
 *
 *     npm run test:mutants -- --only fence     mutants with "fence" in their name
 *     npm run test:mutants -- --quick          stop each at the first scenario that catches it
 *     npm run test:mutants -- --shard 1/2      every second one, to share the work among machines or cores
 *     npm run test:mutants -- --json           for programs
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Mutant } from './mutant.ts'
import { mutants } from './mutants.ts'

interface Verdict {
  readonly mutant: string
  /** Scenarios and invariants with a failing test, by number; other failing tests by title. */
  readonly caughtBy: readonly string[]
}
interface Report {
  readonly testResults: readonly {
    readonly name: string
    readonly status: string
    readonly assertionResults: readonly { readonly status: string; readonly title: string }[]
  }[]
}

const SUITES = [
  'test/scenarios',
  'test/conformance',
  'test/lock',
  'test/idempotency',
  'test/stores',
  'test/store',
  'test/middleware',
  'test/adapters',
]
/** A few files take most of the time, and find few mutants that the others do not: with `--quick` they come last. */
const SLOW = ['test/conformance/**', '**/contention.test.ts', '**/fairness.test.ts', '**/*-properties.test.ts']

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    quick: { type: 'boolean', default: false },
    shard: { type: 'string', default: '1/1' },
    json: { type: 'boolean', default: false },
  },
})
const folder = mkdtempSync(join(tmpdir(), 'alonce-mutants-'))

const chosen = mutants.filter((mutant) => mutant.name.includes(options.only)).filter(ofShard(options.shard))
const verdicts: Verdict[] = []
await requireHealth()
for (const [index, mutant] of chosen.entries()) {
  verdicts.push({ mutant: mutant.name, caughtBy: await failuresWith(mutant) })
  process.stderr.write(`${index + 1}/${chosen.length} ${describe(verdicts.at(-1))}\n`)
}
rmSync(folder, { recursive: true, force: true })
console.log(options.json ? JSON.stringify(verdicts, null, 2) : table(verdicts))
const survivors = verdicts.filter((verdict) => verdict.caughtBy.length === 0)
console.log(`${verdicts.length - survivors.length} killed, ${survivors.length} survived`)
process.exitCode = survivors.length > 0 || verdicts.length === 0 ? 1 : 0

function ofShard(shard: string): (mutant: Mutant, index: number) => boolean {
  const [part, parts] = (/^(\d+)\/(\d+)$/.exec(shard) ?? []).slice(1).map(Number)
  if (!part || !parts || part > parts) throw new Error(`--shard takes "1/2", "2/2" and the like, not "${shard}".`)
  return (_mutant, index) => index % parts === part - 1
}

/** A suite that fails without any mutant would kill them all. */
async function requireHealth(): Promise<void> {
  const failures = await failuresWith(undefined)
  if (failures.length > 0)
    throw new Error(`The suites must pass before mutants are planted; now these fail: ${failures.join(', ')}`)
}

async function failuresWith(mutant: Mutant | undefined): Promise<string[]> {
  if (!options.quick) return failuresOf(mutant, [])
  const soon = await failuresOf(mutant, ['--bail=1', ...SLOW.map((files) => `--exclude=${files}`)])
  return soon.length > 0 ? soon : failuresOf(mutant, ['--bail=1'])
}

async function failuresOf(mutant: Mutant | undefined, flags: readonly string[]): Promise<string[]> {
  const report = join(folder, 'report.json')
  rmSync(report, { force: true })
  const cli = join(import.meta.dirname, '../../node_modules/vitest/vitest.mjs')
  const args = [cli, 'run', '--reporter=json', `--outputFile=${report}`, ...flags, ...SUITES]
  const env = { ...process.env, ALONCE_MUTANT: mutant?.name ?? '' }
  const child = spawn(process.execPath, args, { stdio: 'ignore', env })
  await once(child, 'exit')
  return failuresIn(JSON.parse(readFileSync(report, 'utf8')) as Report)
}

function failuresIn(report: Report): string[] {
  const failed = report.testResults.flatMap((file) => file.assertionResults.filter((result) => result.status === 'failed'))
  const numbers = failed.map((result) => numberOf(result.title))
  // Files that were left out after the first failure look as if they had not loaded: only without a failure have they not.
  const unloaded = report.testResults.filter((file) => file.status === 'failed').map((file) => `${file.name} did not load`)
  return [...new Set(numbers.length > 0 ? numbers : unloaded)].sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
}

function numberOf(title: string): string {
  return /^[ILV]\d+\b/.exec(title)?.[0] ?? `“${title.slice(0, 40)}”`
}

function table(all: readonly Verdict[]): string {
  const width = Math.max(...all.map((verdict) => verdict.mutant.length))
  return all.map((verdict) => `${verdict.mutant.padEnd(width)}  ${numbersFirst(verdict.caughtBy)}`).join('\n')
}

function numbersFirst(caughtBy: readonly string[]): string {
  if (caughtBy.length === 0) return 'SURVIVED'
  const numbers = caughtBy.filter((name) => /^[ILV]\d+$/.test(name))
  const others = caughtBy.length - numbers.length
  return [...numbers, ...(others > 0 ? [`and ${others} more`] : [])].join(' ')
}

function describe(verdict: Verdict | undefined): string {
  return `${verdict?.caughtBy.length ? 'killed  ' : 'SURVIVED'} ${verdict?.mutant} ${numbersFirst(verdict?.caughtBy ?? [])}`
}
