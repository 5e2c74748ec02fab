export const PARTS = ['costs', 'latency', 'cpu', 'size', 'contention', 'effects', 'faults', 'raft'] as const
export type Part = (typeof PARTS)[number]

export interface Arguments {
  readonly quick: boolean
  /** Print the results as JSON on standard output; everything else goes to standard error. */
  readonly json: boolean
  /** Write tables, charts and JSON into `docs/`. */
  readonly docs: boolean
  readonly help: boolean
  readonly parts: readonly Part[]
}

export const USAGE = `Measures Alonce beside its peers on DynamoDB Local, on this machine.

  npm run bench -- [options]

  --quick        fewer rounds, fewer contenders, the fast faults only: about a minute
  --only a,b     some of the parts: ${PARTS.join(', ')}
  --json         the results as JSON on standard output
  --docs         write docs/BENCHMARKS.md's tables, docs/benchmarks/*.svg and results.json; with --only the
                 other parts stay as they were measured before, if machine and versions are the same
  --help`

/** What is wrong with the command line, in a sentence for the one who typed it. */
export class ArgumentError extends Error {
  override readonly name = 'ArgumentError'
}

/** @throws ArgumentError */
export function parseArguments(argv: readonly string[]): Arguments {
  let parts: readonly Part[] = PARTS
  const flags = new Set<string>()
  for (let at = 0; at < argv.length; at++) {
    const argument = argv[at] ?? ''
    if (['--quick', '--json', '--docs', '--help'].includes(argument)) flags.add(argument)
    else if (argument === '--only') parts = partsOf(argv[++at])
    else if (argument.startsWith('--only=')) parts = partsOf(argument.slice('--only='.length))
    else throw new ArgumentError(`There is no option "${argument}".`)
  }
  if (flags.has('--docs') && flags.has('--quick')) {
    throw new ArgumentError('"--docs" and "--quick" do not go together: the documents show no quick figures.')
  }
  const has = (flag: string): boolean => flags.has(flag)
  return { quick: has('--quick'), json: has('--json'), docs: has('--docs'), help: has('--help'), parts }
}

function partsOf(list: string | undefined): readonly Part[] {
  if (list === undefined || list === '') throw new ArgumentError(`"--only" wants parts: ${PARTS.join(', ')}.`)
  const names = list.split(',')
  const unknown = names.find((name) => !(PARTS as readonly string[]).includes(name))
  if (unknown !== undefined) throw new ArgumentError(`There is no part "${unknown}". There are ${PARTS.join(', ')}.`)
  return PARTS.filter((part) => names.includes(part))
}
