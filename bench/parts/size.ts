import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { type BuildOptions, build } from 'esbuild'
import { type Spread, spreadOf } from '../statistics.ts'
import { childEnvironment } from './child.ts'

const BENCH = join(import.meta.dirname, '..')

export const EVERYTHING = `export * from 'alonce'; export * from 'alonce/middy'; export { dynamodbStore } from 'alonce/dynamodb'`

/** What somebody imports who uses it with DynamoDB. */
const ENTRIES = {
  'Alonce: everything (locks, idempotency, middy)': [EVERYTHING],
  'Alonce: idempotency': [
    `export { makeIdempotent } from 'alonce'; export { idempotent } from 'alonce/middy'; export { dynamodbStore } from 'alonce/dynamodb'`,
  ],
  'Alonce: locks': [`export { makeLocked } from 'alonce'; export { dynamodbStore } from 'alonce/dynamodb'`],
  'Powertools: idempotency': [
    `export { makeIdempotent, IdempotencyConfig } from '@aws-lambda-powertools/idempotency'; export { makeHandlerIdempotent } from '@aws-lambda-powertools/idempotency/middleware'; export { DynamoDBPersistenceLayer } from '@aws-lambda-powertools/idempotency/dynamodb'`,
  ],
  'dynamodb-lock-client (locks)': [`export { FailOpen } from 'dynamodb-lock-client'`],
  '@deliveryhero/dynamodb-lock (locks)': [`export { dynamoDBLockClientFactory } from '@deliveryhero/dynamodb-lock'`],
  '@verrou/core (locks)': [
    `export { Verrou } from '@verrou/core'; export { dynamodbStore } from '@verrou/core/drivers/dynamodb'`,
  ],
} as const
export type BundleName = keyof typeof ENTRIES

export interface BundleSize {
  readonly name: BundleName
  readonly bytes: number
  readonly gzipped: number
}

/** As a function is deployed: bundled and minified by esbuild; the AWS SDK is left out, because the runtime has it. */
export const AS_DEPLOYED = {
  bundle: true,
  minify: true,
  write: false,
  format: 'esm',
  platform: 'node',
  target: 'node22',
  external: ['@aws-sdk/*', 'aws-sdk', 'ioredis'],
} as const satisfies BuildOptions

export async function measureBundles(): Promise<BundleSize[]> {
  const sizes: BundleSize[] = []
  for (const [name, [contents]] of Object.entries(ENTRIES)) {
    const { outputFiles } = await build({ ...AS_DEPLOYED, stdin: { contents, resolveDir: BENCH, loader: 'js' } })
    const code = outputFiles[0]?.contents ?? new Uint8Array()
    sizes.push({ name: name as BundleName, bytes: code.byteLength, gzipped: gzipSync(code, { level: 9 }).byteLength })
  }
  return sizes
}

/** What is imported; without the AWS SDK where the product can be imported so. */
const IMPORTS = {
  'alonce + alonce/middy': ['alonce', 'alonce/middy'],
  'Powertools idempotency + middleware': ['@aws-lambda-powertools/idempotency', '@aws-lambda-powertools/idempotency/middleware'],
  // What the first call loads without the SDK, which brings it along: so that nothing is hidden there.
  'alonce + alonce/middy + node:crypto': ['alonce', 'alonce/middy', 'node:crypto'],
  'alonce + alonce/middy + alonce/dynamodb, with the SDK': ['alonce', 'alonce/middy', 'alonce/dynamodb'],
  'Powertools with its DynamoDB layer, with the SDK': [
    '@aws-lambda-powertools/idempotency',
    '@aws-lambda-powertools/idempotency/middleware',
    '@aws-lambda-powertools/idempotency/dynamodb',
  ],
  'dynamodb-lock-client + aws-sdk 2': ['dynamodb-lock-client', 'aws-sdk'],
  '@deliveryhero/dynamodb-lock, with the SDK': ['@deliveryhero/dynamodb-lock'],
  '@verrou/core with its DynamoDB driver, with the SDK': ['@verrou/core', '@verrou/core/drivers/dynamodb'],
} as const
export type ImportName = keyof typeof IMPORTS
export const IMPORT_COUNT: number = Object.keys(IMPORTS).length

export interface ImportTime {
  readonly name: ImportName
  readonly ms: Spread
}

/** Each in a fresh process, in turns. The first turn fills the disk's cache, and does not count. */
export function measureImports(rounds: number, onStep: (what: string) => void): ImportTime[] {
  const measured = new Map<ImportName, number[]>()
  for (let round = -1; round < rounds; round++) {
    for (const [name, modules] of Object.entries(IMPORTS)) {
      onStep(`import ${name}`)
      const ms = timeOf(modules)
      if (round >= 0) measured.set(name as ImportName, [...(measured.get(name as ImportName) ?? []), ms])
    }
  }
  return [...measured].map(([name, times]) => ({ name, ms: spreadOf(times) }))
}

function timeOf(modules: readonly string[]): number {
  const imports = modules.map((name) => `await import(${JSON.stringify(name)})`).join(';')
  const code = `const t = performance.now(); ${imports}; console.log(performance.now() - t); process.exit()`
  const options = { cwd: BENCH, encoding: 'utf8', env: childEnvironment(process.env) } as const
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', code], options)
  const ms = Number(stdout)
  if (!(ms > 0)) throw new Error(`${modules[0]} could not be imported: ${stderr}`)
  return ms
}
