import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const HERE = import.meta.dirname
const ROOT = join(HERE, '..')
const INSTALLED = join(HERE, 'node_modules/.package-lock.json')
const ALONCE = join(HERE, 'node_modules/alonce')

/** The peers, as the lock file pins them. Says so when it has to install them: it takes a while, and 180 MB. */
export function installPeers(): void {
  if (isInstalled()) return
  process.stderr.write('Installing the peers that Alonce is measured with (npm ci in bench/) …\n')
  run(process.platform === 'win32' ? 'npm.cmd' : 'npm', ['ci', '--no-audit', '--no-fund'], HERE)
}

/** npm leaves what it has installed in a lock file of its own: equal entries, nothing to do. */
function isInstalled(): boolean {
  if (!existsSync(INSTALLED)) return false
  const wanted = packagesOf(join(HERE, 'package-lock.json'))
  const found = packagesOf(INSTALLED)
  return Object.entries(wanted).every(
    ([path, { version, optional }]) => path === '' || optional === true || found[path]?.version === version,
  )
}

interface Locked {
  readonly version?: string
  readonly optional?: boolean
}

const packagesOf = (file: string): { readonly [path: string]: Locked } =>
  (JSON.parse(readFileSync(file, 'utf8')) as { packages: { readonly [path: string]: Locked } }).packages

/**
 * Alonce as npm would publish it, compiled and installed beside the peers: it is measured as they are, with the same copy of
 * the AWS SDK.
 */
export function installAlonce(): void {
  rmSync(ALONCE, { recursive: true, force: true })
  run(process.execPath, [join(ROOT, 'scripts/build.ts'), join(ALONCE, 'dist')], ROOT)
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { readonly [field: string]: unknown }
  const { name, version, type, exports, sideEffects } = manifest
  writeFileSync(join(ALONCE, 'package.json'), JSON.stringify({ name, version, type, exports, sideEffects }))
  cpSync(join(ROOT, 'LICENSE'), join(ALONCE, 'LICENSE'))
}

function run(command: string, args: readonly string[], cwd: string): void {
  const { status } = spawnSync(command, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] })
  if (status !== 0) throw new Error(`${command} ${args[0]} failed with status ${status}`)
}

/** The version of a package as it is installed here. */
export function versionOf(name: string): string {
  const manifest = JSON.parse(readFileSync(join(HERE, 'node_modules', name, 'package.json'), 'utf8')) as { version: string }
  return manifest.version
}
