import { registerHooks } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Mutant, mutate } from '../mutants/mutant.ts'
import { mutants } from './mutants.ts'

const lib = join(import.meta.dirname, '../../lib')

/** Plants a bug as its file is loaded. Call it before anything of `lib/raft` is imported. */
export function plant(name: string): Mutant {
  const mutant = mutants.find((candidate) => candidate.name === name)
  if (!mutant) throw new Error(`There is no mutant "${name}".`)
  const url = pathToFileURL(join(lib, mutant.file)).href
  registerHooks({
    load(loaded, context, next) {
      const result = next(loaded, context)
      if (loaded !== url) return result
      return { ...result, source: mutate(mutant, String(Buffer.from(result.source as Uint8Array))) }
    },
  })
  return mutant
}
