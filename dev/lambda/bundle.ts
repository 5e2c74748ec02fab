import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'
import { bundling, entryOf, type FunctionName } from '../../infra/stacks/bundling.ts'

export { entryOf }

export interface TaskRoot {
  readonly folder: string
  remove(): void
}

/** A function of ours as it would be uploaded. */
export const bundleFunction = (name: FunctionName): Promise<TaskRoot> => bundleEntry(entryOf(name), name)

/**
 * One bundle with all that it needs, in a folder with nothing else.
 *
 * @throws esbuild's BuildFailure, whose message says where
 */
export async function bundleEntry(entry: string, name: string, logLevel: 'error' | 'silent' = 'error'): Promise<TaskRoot> {
  const folder = mkdtempSync(join(tmpdir(), `alonce-${name}-`))
  const remove = (): void => rmSync(folder, { recursive: true, force: true })
  try {
    // Bundled as for Lambda, with the SDK that is Lambda's own there.
    await build({ ...bundling(entry, folder), external: [], logLevel })
  } catch (error) {
    remove()
    throw error
  }
  return { folder, remove }
}
