/**
 * `npm run simulate -- --seed N --seeds M`: the whole cluster in simulated worlds, one for each seed from N on.
 *
 * | option | what |
 * |---|---|
 * | `--seed N`, `--seeds M` | the first seed (1) and how many (100) |
 * | `--keep 1,4`, `--until MS` | only these faults of the seed, and until then: a run that was shrunk |
 * | `--trace` | print what happens, line by line |
 * | `--mutants [NAME]` | plant each known bug (or one), and print how many seeds it took to find it |
 * | `--json` | print one object for each seed, or for each mutant |
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { mutants } from '../test/simulation/mutants.ts'
import { plant } from '../test/simulation/plant.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string' },
    keep: { type: 'string' },
    until: { type: 'string' },
    trace: { type: 'boolean', default: false },
    mutants: { type: 'boolean', default: false },
    planted: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})
const first = Number(values.seed)
const count = Number(values.seeds ?? (values.mutants ? 2000 : values.keep !== undefined || values.trace ? 1 : 100))
const keep = values.keep === undefined ? undefined : values.keep === 'none' ? [] : values.keep.split(',').map(Number)
const horizonMs = values.until === undefined ? undefined : Number(values.until)

process.exitCode = values.mutants ? await runMutants(positionals) : await runSeeds()

async function runSeeds(): Promise<number> {
  if (values.planted !== undefined) plant(values.planted)
  // Not before a bug is planted, or it would be too late.
  const { runWorld } = await import('../test/simulation/world.ts')
  const { replayCommand, shrink } = await import('../test/simulation/shrink.ts')
  const began = performance.now()
  let events = 0
  for (let seed = first; seed < first + count; seed++) {
    const report = await runWorld({ seed, keep, horizonMs, trace: values.trace })
    events += report.events
    if (values.trace) console.log(report.lines.join('\n'))
    if (values.json) console.log(JSON.stringify({ ...report, lines: undefined, faults: undefined }))
    if (report.problem !== undefined) {
      if (!values.json) console.log(`\nSeed ${seed}: ${report.problem}`)
      if (values.json || keep !== undefined) return 1
      const shrunk = await shrink(report)
      const { problem, horizonMs: until } = shrunk.report
      console.log(
        `Shrunk in ${shrunk.runs} runs to ${shrunk.keep.length} faults: ${problem}\n${replayCommand(seed, shrunk.keep, until)}`,
      )
      return 1
    }
    if (!values.json && values.planted === undefined) progress(seed - first + 1, events, began)
  }
  if (!values.json && values.planted === undefined) {
    const perSecond = Math.round((events / (performance.now() - began)) * 1000)
    console.log(`\n${count} seeds from ${first} on, ${events} events (${perSecond} a second): no violation.`)
  }
  return 0
}

function progress(done: number, events: number, began: number): void {
  if (!process.stderr.isTTY && done !== count) return
  const bar = '#'.repeat(Math.floor((30 * done) / count)).padEnd(30, '.')
  const seconds = (performance.now() - began) / 1000
  const left = Math.round((seconds / done) * (count - done))
  process.stderr.write(`\r[${bar}] ${done}/${count} seeds, ${Math.round(events / seconds)} events/s, ${left} s left `)
}

/** Each in a process of its own: what is loaded once can't be planted again. */
async function runMutants(names: readonly string[]): Promise<number> {
  const chosen = mutants.filter(({ name }) => names.length === 0 || names.includes(name))
  let killed = 0
  if (!values.json) console.log('| mutant | file | found by seed | what was seen |\n|---|---|---|---|')
  for (const { name, file } of chosen) {
    const result = await runMutant(name)
    if (result.problem !== undefined) killed++
    if (values.json) console.log(JSON.stringify({ name, file, ...result }))
    else console.log(`| ${name} | ${file} | ${result.seed ?? `lives after ${count}`} | ${result.problem ?? ''} |`)
  }
  if (!values.json) console.log(`\n${killed} of ${chosen.length} mutants found within ${count} seeds.`)
  return killed === chosen.length ? 0 : 1
}

interface MutantResult {
  readonly seed: number | undefined
  readonly problem: string | undefined
}

async function runMutant(name: string): Promise<MutantResult> {
  const args = [import.meta.filename, '--planted', name, '--seed', String(first), '--seeds', String(count), '--json']
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let last = ''
  let errors = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    last = (last + text).slice(-20_000)
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-2000)
  })
  const [code] = (await once(child, 'close')) as [number | null]
  const line = last.trim().split('\n').at(-1) ?? ''
  if (code === 0) return { seed: undefined, problem: undefined }
  if (!line.startsWith('{')) return { seed: undefined, problem: `IT DOES NOT RUN: ${errors.slice(0, 300)}` }
  const { seed, problem } = JSON.parse(line) as { seed: number; problem?: string }
  return { seed, problem: problem?.split('\n')[0]?.slice(0, 110) }
}
