import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { bundling, entryOf, type FunctionName } from '../../infra/stacks/bundling.ts'
import { ROOT } from './synthesis.ts'

export const FUNCTIONS = ['payments', 'orders', 'settlement'] as const satisfies FunctionName[]

/** What a function reads, as its own source says. */
export interface ReadByFunction {
  /** Environment variables, in alphabetical order. */
  readonly variables: readonly string[]
  /** The kinds of event that its handler takes, under the names of `@types/aws-lambda`. */
  readonly events: readonly string[]
  readonly exports: readonly string[]
  /** The version of Node that it is bundled for. */
  readonly node: string
}

/** Found in the files of `functions/` that its bundle is made of. */
export async function readByFunction(name: (typeof FUNCTIONS)[number]): Promise<ReadByFunction> {
  const options = bundling(entryOf(name), join(ROOT, 'unwritten'))
  const { metafile } = await build({ ...options, metafile: true, write: false })
  const inputs = Object.keys(metafile?.inputs ?? {}).filter((path) => path.startsWith('functions/'))
  const sources = inputs.map((path) => readFileSync(join(ROOT, path), 'utf8'))
  const found = (pattern: RegExp): string[] => [
    ...new Set(sources.flatMap((source) => [...source.matchAll(pattern)].map((match) => match[1] ?? ''))),
  ]
  return {
    variables: found(/\bprocess\.env(?:\['|\.)(\w+)/g).sort(),
    events: found(/\bimport type \{([^}]*)\} from 'aws-lambda'/g)
      .flatMap((names) => names.split(','))
      .map((imported) => imported.trim())
      .filter((imported) => /Event(V\d)?$/.test(imported))
      .filter((event, index, all) => all.indexOf(event) === index),
    exports: Object.values(metafile?.outputs ?? {}).flatMap((output) => output.exports),
    node: String(options.target).replace(/^node/, ''),
  }
}
