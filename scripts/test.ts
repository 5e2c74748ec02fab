/**
 * `npm test`: everything that holds this repository to account, and a last line `N passed, N failed`.
 *
 * Arguments go on to vitest (`npm test -- test/lock`); `--long` (`npm run test:long`) multiplies storms and random runs.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { javaVersion } from './dynamodb-local.ts'

interface Report {
  readonly testResults: readonly FileReport[]
}
interface FileReport {
  readonly name: string
  readonly status: string
  readonly assertionResults: readonly { readonly status: string }[]
}

const args = process.argv.slice(2)
const long = args.includes('--long')
const folder = mkdtempSync(join(tmpdir(), 'alonce-test-'))
const reportFile = join(folder, 'report.json')

const status = await vitest(args.filter((argument) => argument !== '--long'))
const counts = count(readReport(), status)
rmSync(folder, { recursive: true, force: true })

const java = javaVersion()
if (java === undefined) {
  console.log(
    'DynamoDB Local needs Java 17 or later, and there is none: its tests did not run. Install one, e.g. apt-get install openjdk-17-jre-headless',
  )
}
console.log(`${counts.passed} passed, ${counts.failed} failed${counts.skipped > 0 ? `, ${counts.skipped} skipped` : ''}`)
process.exitCode = counts.failed > 0 || counts.passed === 0 || java === undefined ? 1 : 0

async function vitest(rest: readonly string[]): Promise<number> {
  const cli = join(import.meta.dirname, '../node_modules/vitest/vitest.mjs')
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${reportFile}`]
  const env = { ...process.env, ...(long ? { ALONCE_LONG: '1' } : {}) }
  const child = spawn(process.execPath, [cli, 'run', ...reporters, ...rest], { stdio: 'inherit', env })
  const [code] = (await once(child, 'exit')) as [number | null]
  return code ?? 1
}

function readReport(): Report | undefined {
  try {
    return JSON.parse(readFileSync(reportFile, 'utf8')) as Report
  } catch {
    return undefined
  }
}

/** A file that fails to load has no tests to count: it is one failure. So is whatever else made vitest fail. */
function count(report: Report | undefined, exitCode: number): { passed: number; failed: number; skipped: number } {
  const files = report?.testResults ?? []
  const results = files.flatMap((file) => file.assertionResults)
  const of = (wanted: (status: string) => boolean): number => results.filter((result) => wanted(result.status)).length
  const broken = files.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((result) => result.status === 'failed'),
  )
  const failed = of((s) => s === 'failed') + broken.length
  return {
    passed: of((s) => s === 'passed'),
    failed: failed === 0 && exitCode !== 0 ? 1 : failed,
    skipped: of((s) => s !== 'passed' && s !== 'failed'),
  }
}
