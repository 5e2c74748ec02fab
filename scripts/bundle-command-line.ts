import { chmodSync, copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'

const ROOT = join(import.meta.dirname, '..')
const ENTRY = 'lib/cli/alonce'

/**
 * The command `alonce`, into `<outdir>/lib/cli/`, apart from the library: what it needs is joined in, so that nothing is
 * installed with it. The AWS SDK stays outside, and its users' modules in files of their own, loaded when a table is opened:
 * where the SDK is missing, that is said then, in a sentence.
 */
export async function bundleCommandLine(outdir: string): Promise<string> {
  await build({
    entryPoints: [join(ROOT, `${ENTRY}.ts`)],
    outdir,
    outbase: ROOT,
    bundle: true,
    splitting: true,
    chunkNames: 'lib/cli/[name]-[hash]',
    external: ['@aws-sdk/*'],
    format: 'esm',
    platform: 'node',
    target: 'node22',
    logLevel: 'error',
  })
  const file = join(outdir, `${ENTRY}.js`)
  chmodSync(file, 0o755)
  copyFileSync(join(ROOT, 'node_modules/commander/LICENSE'), join(outdir, 'lib/cli/commander.LICENSE'))
  return file
}
