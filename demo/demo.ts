import { randomInt } from 'node:crypto'
import { writeSync } from 'node:fs'
import { JAVA_MISSING, javaVersion } from '../scripts/dynamodb-local.ts'
import { type DemoArguments, HELP, parseArguments, WrongArguments } from './arguments.ts'
import { clearAws } from './environment.ts'
import { Play } from './play.ts'
import { isClean } from './summary.ts'

/** `npm run demo`: see `--help`. */
async function main(argv: readonly string[]): Promise<number> {
  let given: DemoArguments | undefined
  try {
    given = parseArguments(argv, () => randomInt(1_000_000))
  } catch (error) {
    if (!(error instanceof WrongArguments)) throw error
    console.error(`${error.message}\n\nnpm run demo -- --help says what there is.`)
    return 2
  }
  if (!given) {
    console.log(HELP)
    return 0
  }
  return perform(given)
}

async function perform(given: DemoArguments): Promise<number> {
  if (given.store === 'dynamodb-local' && javaVersion() === undefined) {
    console.error(JAVA_MISSING)
    return 1
  }
  clearAws(process.env)
  const play = new Play(given)
  process.on('exit', () => {
    play.stop()
    // The live list hides the cursor and holds back what others write; interrupted, it does not get to undo either.
    if (process.stdout.isTTY) writeSync(process.stdout.fd, '\u001B[?25h')
  })
  // Nobody reads on, as after `| head`: there is nothing left to show.
  process.stdout.on('error', () => process.exit(1))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(signal === 'SIGINT' ? 130 : 143))
  try {
    const { summary, text } = await play.run(given.json ? 'silent' : process.stdout.isTTY ? 'live' : 'lines')
    console.log(given.json ? JSON.stringify(summary, null, 2) : text)
    return isClean(summary) ? 0 : 1
  } finally {
    await play.close()
  }
}

process.exitCode = await main(process.argv.slice(2))
