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

/** A function as it would be uploaded: one bundle with all that it needs, in a folder with nothing else. */
export async function bundleFunction(name: 'payments' | 'orders' | 'settlement'): Promise<TaskRoot> {
  const folder = mkdtempSync(join(tmpdir(), `alonce-${name}-`))
  await build({
    entryPoints: [join(FUNCTIONS, name, 'index.ts')],
    outfile: join(folder, 'index.mjs'),
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    conditions: ['@alonce/source'],
    banner: { js: REQUIRE },
    logLevel: 'error',
  })
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) }
}
