import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { mutants } from './mutants.ts'

/** A bug planted on purpose: what a careless change could do, and a scenario must notice. */
export interface Mutant {
  readonly name: string
  /** In `lib/`. */
  readonly file: string
  /** Occurs once in the file. */
  readonly find: string
  readonly replace: string
}

const lib = join(import.meta.dirname, '../../lib')

export function findMutant(name: string): Mutant {
  const mutant = mutants.find((candidate) => candidate.name === name)
  if (!mutant) throw new Error(`There is no mutant "${name}".`)
  return mutant
}

/** The source with the bug in it. */
export function mutate(mutant: Mutant, source: string): string {
  const parts = source.split(mutant.find)
  if (parts.length !== 2)
    throw new Error(`Mutant "${mutant.name}": its text occurs ${parts.length - 1} times in lib/${mutant.file}, not once.`)
  return parts.join(mutant.replace)
}

export const sourceOf = (mutant: Mutant): string => readFileSync(join(lib, mutant.file), 'utf8')

interface TransformPlugin {
  readonly name: string
  readonly enforce: 'pre'
  transform(code: string, id: string): string | undefined
}

/** Plants the mutant named by the environment as vitest loads its file: the work tree stays as it is. */
export function plantMutant(name: string | undefined): TransformPlugin[] {
  if (!name) return []
  const mutant = findMutant(name)
  const file = join(lib, mutant.file)
  return [
    { name: 'mutant', enforce: 'pre', transform: (code, id) => (id.split('?')[0] === file ? mutate(mutant, code) : undefined) },
  ]
}
