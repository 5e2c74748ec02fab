import { SourceMap, type SourceMapPayload } from 'node:module'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { AS_DEPLOYED, EVERYTHING } from './size.ts'

const ROOT = join(import.meta.dirname, '../..')

/** What the files of lib/ are there for; the first that fits counts. */
const PARTS: readonly (readonly [name: string, files: RegExp])[] = [
  ['options, checked', /\/options?\.ts$/],
  ['the rules: the transitions of both kinds of records', /transitions?\.ts$/],
  [
    'checkpoints, transactions, reconciliation, predecessors',
    /^idempotency\/(checkpoints|reconcile|transacting|predecessor)|dynamodb\/(transact|large-checkpoints)|^store\/transaction/,
  ],
  ['an operation: key, begin, wait, lease, completion, replay', /^idempotency\/|^middleware\/make-idempotent/],
  [
    'shared locks, permits, queues, several keys, re-entrance, fenced writes, leaders',
    /^lock\/(several|together|reentrance|fenced|campaign|place|pool|queue)|dynamodb\/(acquire-all|last-fences|pool-|queue-)|^stores\/joint/,
  ],
  ['a lock: acquire, wait, lease, renew, release', /^lock\/|^middleware\/make-locked/],
  ['middy', /^middleware\//],
  ['DynamoDB: requests, time-outs, what errors mean', /dynamodb\/(send|errors|attempts)/],
  ['DynamoDB: its clock, and takeover without one', /dynamodb\/(table-clock|sightings|grant)|^store\/(server-clock|time)/],
  ['DynamoDB: results larger than an item', /dynamodb\/results/],
  ['DynamoDB: items, checked as they are read; conditional writes', /dynamodb\//],
  ['keys, errors, events, clocks, timers', /^(store|events|runtime)\//],
]

export interface BundlePart {
  readonly part: string
  readonly bytes: number
  /** By how much the whole bundle, gzipped, is smaller without it. */
  readonly gzipped: number
}

/** What the largest bundle's bytes are, from the sources: the published files no longer tell. */
export async function measureParts(): Promise<BundlePart[]> {
  const { outputFiles } = await build({
    ...AS_DEPLOYED,
    stdin: { contents: EVERYTHING, resolveDir: ROOT, loader: 'js' },
    conditions: ['@alonce/source'],
    sourcemap: 'external',
    outfile: 'bundle.js',
  })
  const textOf = (end: string): string => outputFiles.find(({ path }) => path.endsWith(end))?.text ?? ''
  const code = textOf('.js')
  const partAt = partsOf(code, new SourceMap(JSON.parse(textOf('.map')) as SourceMapPayload))
  const whole = compressed(code)
  return [...new Set(partAt)].map((part) => {
    const without = [...code].filter((_, at) => partAt[at] !== part).join('')
    return { part, bytes: code.length - without.length, gzipped: whole - compressed(without) }
  })
}

/** The part that each character belongs to. */
function partsOf(code: string, map: SourceMap): readonly string[] {
  return code.split('\n').flatMap((line, row) =>
    [...`${line}\n`].map((_, column) => {
      const entry = map.findEntry(row, column)
      return 'originalSource' in entry ? partOf(entry.originalSource) : 'imports and exports'
    }),
  )
}

function partOf(source: string): string {
  const file = source.replace(/^.*\blib\//, '')
  return PARTS.find(([, files]) => files.test(file))?.[0] ?? file
}

const compressed = (code: string): number => gzipSync(code, { level: 9 }).byteLength
