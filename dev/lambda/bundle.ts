import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'

const FUNCTIONS = join(import.meta.dirname, '../../functions')
/** What is not ESM in the AWS SDK asks for it. */
const REQUIRE = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);"

export interface TaskRoot {
  readonly folder: string
  remove(): void
}

export type FunctionName = 'payments' | 'orders' | 'settlement'

/** A function of ours as it would be uploaded. */
export const bundleFunction = (name: FunctionName): Promise<TaskRoot> => bundleEntry(entryOf(name), name)

export const entryOf = (name: FunctionName): string => join(FUNCTIONS, name, 'index.ts')

/**
 * One bundle with all that it needs, in a folder with nothing else.
 *
 * @throws esbuild's BuildFailure, whose message says where
 */
export async function bundleEntry(entry: string, name: string, logLevel: 'error' | 'silent' = 'error'): Promise<TaskRoot> {
  const folder = mkdtempSync(join(tmpdir(), `alonce-${name}-`))
  const remove = (): void => rmSync(folder, { recursive: true, force: true })
  try {
    await build({
      entryPoints: [entry],
      outfile: join(folder, 'index.mjs'),
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node24',
      conditions: ['@alonce/source'],
      banner: { js: REQUIRE },
      logLevel,
    })
  } catch (error) {
    remove()
    throw error
  }
  return { folder, remove }
}
