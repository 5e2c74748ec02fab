import { mutants } from '../../test/simulation/mutants.ts'
import { work } from './crew.ts'
import type { Chunk, SeedDone } from './worker.ts'

export interface MutantsOptions {
  readonly first: number
  readonly count: number
  readonly workers: number
  readonly json: boolean
  /** All of them if there are none. */
  readonly names: readonly string[]
}

interface MutantResult {
  readonly name: string
  readonly file: string
  readonly seed: number | undefined
  /** What the check that found it said. */
  readonly problem: string | undefined
}

/** Plants each bug and looks for the first seed that shows it, several at a time. Returns the exit code. */
export async function runMutants({ first, count, workers, json, names }: MutantsOptions): Promise<number> {
  const chosen = mutants.filter(({ name }) => names.length === 0 || names.includes(name))
  const results = new Map<string, MutantResult>()
  let at = 0
  let shown = 0
  const show = (): void => {
    for (let result = results.get(chosen[shown]?.name ?? ''); result; result = results.get(chosen[++shown]?.name ?? ''))
      if (!json) console.log(row(result, count))
  }
  const lane = async (): Promise<void> => {
    for (let mutant = chosen[at++]; mutant; mutant = chosen[at++]) {
      const { name, file } = mutant
      const result = { name, file, ...(await hunt(name, { first, count })) }
      results.set(name, result)
      process.stderr.write(`${results.size}/${chosen.length} ${name}: ${result.seed ?? 'LIVES'}\n`)
      show()
    }
  }
  if (!json) console.log('| mutant | file | found by seed | what was seen |\n|---|---|---|---|')
  await Promise.all(Array.from({ length: Math.min(workers, chosen.length) }, lane))
  const killed = [...results.values()].filter(({ problem }) => problem !== undefined).length
  if (json)
    console.log(
      JSON.stringify(
        chosen.map(({ name }) => results.get(name)),
        undefined,
        2,
      ),
    )
  else console.log(`\n${killed} of ${chosen.length} mutants found within ${count} seeds.`)
  return killed === chosen.length && chosen.length > 0 ? 0 : 1
}

async function hunt(planted: string, range: Chunk): Promise<Pick<MutantResult, 'seed' | 'problem'>> {
  let found: SeedDone | undefined
  let isBegun = false
  const next = (): Chunk | undefined => {
    if (isBegun) return undefined
    isBegun = true
    return range
  }
  const done = (seed: SeedDone): void => {
    if (seed.problem !== undefined) found ??= seed
  }
  await work({ size: 1, task: { planted, shrinks: false }, next, done })
  return { seed: found?.seed, problem: found?.problem?.split('\n')[0]?.slice(0, 140) }
}

function row({ name, file, seed, problem }: MutantResult, count: number): string {
  return `| ${name} | \`${file}\` | ${seed ?? `**lives after ${count}**`} | ${(problem ?? '').replaceAll('|', '\\|')} |`
}
