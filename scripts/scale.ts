/** `npm run scale`: what Alonce costs on DynamoDB and how far one key carries, from what was measured and a price list. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { reportOf, scaleOf } from './scale/document.ts'
import { PRICES_FILE, RESULTS_FILE, readMeasured, readPrices, WrongInput } from './scale/inputs.ts'

const HELP = `What a million calls cost and how many a second one key takes, from docs/benchmarks/results.json and a price list.

  npm run scale                        tables
  npm run scale -- --prices FILE       with prices and limits of your own (default: docs/scale/prices.json)

  --results FILE  what \`npm run bench -- --json\` has printed
  --json          the figures
  --docs          write the tables into docs/SCALE.md
  --help          this

Status: 0; 2 for wrong arguments or files.`

const PAGE = join(import.meta.dirname, '../docs/SCALE.md')
const BEGIN = '<!-- Made by `npm run scale -- --docs`; what stands between these two lines is written over. -->'
const END = '<!-- End of what is made. -->'

process.exitCode = await main(process.argv.slice(2)).catch((error: unknown) => {
  if (!(error instanceof WrongInput)) throw error
  console.error(error.message)
  return 2
})

async function main(argv: readonly string[]): Promise<number> {
  const { help, json, docs, prices, results } = optionsOf(argv)
  if (help) {
    console.log(HELP)
    return 0
  }
  const scale = await scaleOf(readMeasured(results ?? RESULTS_FILE), readPrices(prices ?? PRICES_FILE))
  if (docs) writeFileSync(PAGE, withReport(readFileSync(PAGE, 'utf8'), reportOf(scale)))
  else console.log(json ? JSON.stringify(scale, undefined, 2) : reportOf(scale))
  return 0
}

function optionsOf(argv: readonly string[]) {
  try {
    const flag = { type: 'boolean' } as const
    const file = { type: 'string' } as const
    return parseArgs({ args: [...argv], options: { help: flag, json: flag, docs: flag, prices: file, results: file } }).values
  } catch (cause) {
    throw new WrongInput(cause instanceof Error ? cause.message : 'unreadable', { cause })
  }
}

function withReport(page: string, report: string): string {
  const [before, rest] = page.split(BEGIN)
  const after = rest?.split(END)[1]
  if (before === undefined || after === undefined)
    throw new WrongInput('docs/SCALE.md has lost the lines between which the tables go.')
  return `${before}${BEGIN}\n\n${report}\n\n${END}${after}`
}
