/**
 * `npm run bench`: installs the peers if need be, measures, and prints tables. `--help` says what else it can do.
 */
import { JAVA_MISSING, javaVersion } from '../scripts/dynamodb-local.ts'
import { ArgumentError, type Arguments, parseArguments, USAGE } from './arguments.ts'
import { installAlonce, installPeers } from './installation.ts'
import { Progress } from './progress.ts'

process.exitCode = await main(process.argv.slice(2))

async function main(argv: readonly string[]): Promise<number> {
  const wanted = argumentsOf(argv)
  if (wanted === undefined) return 2
  if (wanted.help) {
    console.log(USAGE)
    return 0
  }
  if (javaVersion() === undefined) {
    console.error(JAVA_MISSING)
    return 1
  }
  installPeers()
  installAlonce()
  await run(wanted)
  return 0
}

function argumentsOf(argv: readonly string[]): Arguments | undefined {
  try {
    return parseArguments(argv)
  } catch (error) {
    if (!(error instanceof ArgumentError)) throw error
    console.error(`${error.message}\n\n${USAGE}`)
    return undefined
  }
}

async function run(wanted: Arguments): Promise<void> {
  for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name]
  process.env['AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE'] = '1'
  // Only now: they import what has just been installed.
  const { measure } = await import('./measure.ts')
  const { reportOf } = await import('./report/tables.ts')
  const results = await measure(wanted, new Progress())
  console.log(wanted.json ? JSON.stringify(results, undefined, 2) : reportOf(results))
  if (wanted.docs) (await import('./report/documents.ts')).writeDocuments(results)
}
