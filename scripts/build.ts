/**
 * `npm run build`: what is published, into `dist/` (or the folder given). Declarations are tsc's, a file for each source. The
 * code is joined into a few files by esbuild, because each further file costs Node 0.6 ms: what `alonce` needs is one, and so
 * is what each other entry point needs besides. Nothing is minified: a stack trace reads as the source does.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, readFileSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { build, type Plugin } from 'esbuild'
import { bundleCommandLine } from './bundle-command-line.ts'

const ROOT = join(import.meta.dirname, '..')
const SWEEPER = 'infra/constructs/sweeper'
const outdir = resolve(process.argv[2] ?? join(ROOT, 'dist'))

interface Manifest {
  readonly exports: { readonly [subpath: string]: string | { readonly '@alonce/source': string } }
}

const { exports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Manifest
const entryPoints = Object.values(exports).flatMap((entry) =>
  typeof entry === 'string' ? [] : [join(ROOT, entry['@alonce/source'])],
)

/**
 * esbuild makes a file of all modules that the same entry points reach. So each is made to reach all of `alonce`, by an import
 * that counts although the package has no side effects: most of it is needed by each anyway, and whoever bundles gets rid of
 * the rest.
 */
const oneCore: Plugin = {
  name: 'one-core',
  setup({ onLoad, onResolve }) {
    const core = join(ROOT, 'lib/index.ts')
    const others = new Set(entryPoints.filter((path) => path !== core))
    onResolve({ filter: /\.ts$/ }, ({ path, resolveDir }) => ({ path: resolve(resolveDir, path), sideEffects: true }))
    onLoad({ filter: /\.ts$/ }, ({ path }) => {
      if (!others.has(path)) return undefined
      return { contents: `${readFileSync(path, 'utf8')}\nimport ${JSON.stringify(core)}\n`, loader: 'ts' }
    })
  },
}

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
  plugins: [oneCore],
})
await bundleCommandLine(outdir)
// A function's code, deployed as it is.
cpSync(join(ROOT, SWEEPER), join(outdir, SWEEPER), { recursive: true })
