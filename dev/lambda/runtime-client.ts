import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'

const PACKAGE = join(import.meta.dirname, 'runtime-client')
const FOLDER = 'dev/lambda/runtime-client'
const INSTALLED = join(PACKAGE, 'node_modules')
const FILES = ['package.json', 'package-lock.json', '.npmrc']

/**
 * AWS's own runtime client, as `npm ci` installs it: in a folder of its own, so that the root has no part of it, and at the
 * first use, so that the root's `npm ci` is all there is to do. Without its native build, which takes cmake and a minute:
 * `rapid-client.process.ts` stands in for it.
 *
 * @returns the program
 */
export function runtimeClient(say: Say = console.log): string {
  if (installedVersion() !== wantedVersion()) install(say)
  return join(INSTALLED, 'aws-lambda-ric/index.mjs')
}

/** Where it is told what takes so long. */
export type Say = (text: string) => void

interface Manifest {
  readonly version?: string
  readonly dependencies?: { readonly [name: string]: string }
}

const manifest = (file: string): Manifest => JSON.parse(readFileSync(file, 'utf8')) as Manifest

const wantedVersion = (): string | undefined => manifest(join(PACKAGE, 'package.json')).dependencies?.['aws-lambda-ric']

function installedVersion(): string | undefined {
  const file = join(INSTALLED, 'aws-lambda-ric/package.json')
  return existsSync(file) ? manifest(file).version : undefined
}

/** In a folder beside it first: whoever is interrupted, or does the same at the same moment, leaves nothing half-done. */
function install(say: Say): void {
  const folder = mkdtempSync(join(PACKAGE, 'node_modules-'))
  try {
    for (const file of FILES) copyFileSync(join(PACKAGE, file), join(folder, file))
    say(`Installing AWS's runtime client (aws-lambda-ric ${wantedVersion()}) from npm's registry into ${FOLDER}, once …`)
    const from = performance.now()
    const npm = spawnSync('npm', ['ci'], { cwd: folder, encoding: 'utf8', env: ownNpm(process.env) })
    if (npm.status !== 0) throw new Error(sayWhy(npm.error?.message ?? npm.stderr))
    say(`… installed in ${((performance.now() - from) / 1000).toFixed(1)} s`)
    if (installedVersion() === wantedVersion()) return
    rmSync(INSTALLED, { recursive: true, force: true })
    renameSync(join(folder, 'node_modules'), INSTALLED)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const sayWhy = (details: string): string =>
  `AWS's runtime client (aws-lambda-ric ${wantedVersion()}) could not be installed, so functions/ can't run under it. ` +
  `Is npm's registry within reach? \`npm ci\` in ${FOLDER} does the same.\n${details.trim()}`

/** Without the settings that `npm test` hands to what it runs: they are the root package's. */
const ownNpm = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(env).filter(([name]) => !/^npm_(package|lifecycle|config_local_prefix)/.test(name)))
