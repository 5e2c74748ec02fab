/**
 * `npm run build`: what is published, into `dist/` (or the folder given). Declarations are tsc's, a file for each source. The
 * code is joined into a few files by esbuild: to import 60 small modules takes Node twice as long as what is in them.
 * What two entry points share stays one module, and nothing is minified: a stack trace reads as the source does.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { build } from 'esbuild'

const ROOT = join(import.meta.dirname, '..')
const outdir = resolve(process.argv[2] ?? join(ROOT, 'dist'))

interface Manifest {
  readonly exports: { readonly [subpath: string]: string | { readonly '@alonce/source': string } }
}

const { exports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Manifest
const entryPoints = Object.values(exports).flatMap((entry) =>
  typeof entry === 'string' ? [] : [join(ROOT, entry['@alonce/source'])],
)

rmSync(outdir, { recursive: true, force: true })
const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
const options = ['-p', join(ROOT, 'tsconfig.build.json'), '--emitDeclarationOnly', '--outDir', outdir]
const { status } = spawnSync(process.execPath, [tsc, ...options], { cwd: ROOT, stdio: 'inherit' })
if (status !== 0) process.exit(status ?? 1)
await build({
  entryPoints,
  outdir,
  outbase: ROOT,
  bundle: true,
  splitting: true,
  chunkNames: 'lib/shared/[hash]',
  packages: 'external',
  format: 'esm',
  platform: 'node',
  target: 'node22',
  sourcemap: true,
  sourcesContent: false,
})
