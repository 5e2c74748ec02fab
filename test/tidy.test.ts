import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parseAst } from 'vitest/node'

/**
 * The house's style, as far as a machine can see it. The numbers may only get stricter.
 */
const FILE_LINES = { median: 120, most: 300, max: 400 }
const FUNCTION_LINES = { median: 10, most: 45, max: 70 }
const MAX_PARAMETERS = 3

/** Who may import whom in lib/: a folder sees itself and what stands behind it. One way only. */
const MAY_IMPORT: { readonly [folder: string]: readonly string[] } = {
  runtime: [],
  store: ['runtime'],
  events: ['store'],
  lock: ['store', 'runtime', 'events'],
  idempotency: ['store', 'runtime', 'events'],
  stores: ['store', 'runtime', 'lock', 'idempotency'],
  middleware: ['store', 'runtime', 'events', 'lock', 'idempotency'],
  adapters: ['store', 'runtime', 'events', 'idempotency', 'stores'],
  testing: ['store', 'runtime'],
  cli: ['store', 'runtime', 'events', 'lock', 'idempotency', 'stores'],
  // The engine knows no locks; of the runtime it sees the ports.
  raft: ['runtime'],
}
/** `stores` sees only the transitions of `lock` and `idempotency`: what is above the store is none of its business. */
const STORES_SEE = /^(lock|idempotency)\/transitions\.ts$/

/** Decided without I/O, clock or chance: the same on every machine and on replay. */
const PURE = [
  /^store\//,
  /^lock\/(transitions|pool|queue)\.ts$/,
  /^idempotency\/transitions\.ts$/,
  /^stores\/transition\.ts$/,
  /^raft\/core\//,
]
const IMPURE =
  /\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\bperformance\.|\bset(Timeout|Interval|Immediate)\b|\bprocess\.|\bconsole\./
const TIME_AND_CHANCE = /\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\bperformance\.|\bset(Timeout|Interval|Immediate)\b/
const BAD_NAMES = /(^|\/)(utils?|helpers?|types|managers?|common|misc|base-[^/]*|i-[^/]*)(\/|\.ts$)/

interface Source {
  readonly path: string
  readonly text: string
  readonly lines: number
  readonly functions: readonly FunctionShape[]
  readonly imports: readonly string[]
}
interface FunctionShape {
  readonly name: string
  readonly lines: number
  readonly parameters: number
}
interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [member: string]: unknown
}

const lib = join(import.meta.dirname, '../lib')
const sources = sourcesIn(lib)

describe.each(['lib', 'infra'])('house numbers of %s/', (folder) => {
  const sources = sourcesIn(join(lib, '..', folder))
  const functions = sources.flatMap((source) => source.functions.map((shape) => ({ ...shape, path: source.path })))

  test('files: half have at most 120 lines, 95 % at most 300, none more than 400', () => {
    const lines = sources.map((source) => source.lines)
    expect(lines.length).toBeGreaterThan(10)
    expect(quantile(lines, 0.5)).toBeLessThanOrEqual(FILE_LINES.median)
    expect(quantile(lines, 0.95)).toBeLessThanOrEqual(FILE_LINES.most)
    expect(sources.filter((source) => source.lines > FILE_LINES.max).map((source) => source.path)).toEqual([])
  })

  test('functions: half have at most 10 lines, 95 % at most 45, none more than 70', () => {
    const lines = functions.map((shape) => shape.lines)
    expect(lines.length).toBeGreaterThan(50)
    expect(quantile(lines, 0.5)).toBeLessThanOrEqual(FUNCTION_LINES.median)
    expect(quantile(lines, 0.95)).toBeLessThanOrEqual(FUNCTION_LINES.most)
    expect(functions.filter((shape) => shape.lines > FUNCTION_LINES.max)).toEqual([])
  })

  test('no function takes more than three parameters', () => {
    expect(functions.filter((shape) => shape.parameters > MAX_PARAMETERS)).toEqual([])
  })

  test('no file is named after nothing', () => {
    expect(sources.map((source) => source.path).filter((path) => BAD_NAMES.test(path))).toEqual([])
  })
})

test('store.ts, the one idea, stays within sight', () => {
  const code = sources.find((source) => source.path === 'store/store.ts')?.text.split('\n') ?? []
  expect(code.filter((line) => line.trim() !== '' && !/^\s*(\/?\*|\/\/)/.test(line)).length).toBeLessThan(80)
})

describe('imports go one way', () => {
  test('each folder sees only what stands behind it', () => {
    expect(sources.flatMap((source) => forbiddenImports(source.path, source.imports))).toEqual([])
  })

  test('the rule catches an import that goes the other way', () => {
    expect(forbiddenImports('store/store.ts', ['lock/acquire.ts'])).toEqual(['store/store.ts -> lock/acquire.ts'])
    expect(forbiddenImports('stores/memory/memory-store.ts', ['lock/acquire.ts'])).toHaveLength(1)
    expect(forbiddenImports('stores/memory/memory-store.ts', ['lock/transitions.ts'])).toEqual([])
  })

  test('every folder of lib/ has its rule', () => {
    const folders = new Set(sources.filter((source) => source.path.includes('/')).map((source) => source.path.split('/')[0]))
    expect([...folders].sort()).toEqual(Object.keys(MAY_IMPORT).sort())
  })
})

describe('purity', () => {
  const pure = sources.filter((source) => PURE.some((rule) => rule.test(source.path)))

  test('pure files import no host and read no clock', () => {
    expect(pure.length).toBeGreaterThan(7)
    expect(
      pure.filter((source) => /from 'node:|import\(/.test(source.text) || IMPURE.test(code(source))).map((s) => s.path),
    ).toEqual([])
  })

  test('time and chance are ports: only lib/runtime touches the real ones', () => {
    const others = sources.filter((source) => !source.path.startsWith('runtime/'))
    expect(others.filter((source) => TIME_AND_CHANCE.test(code(source))).map((source) => source.path)).toEqual([])
  })

  test('nothing in lib/ reads the environment, but the command line’s entry point', () => {
    expect(sources.filter((source) => /process\.env/.test(code(source))).map((source) => source.path)).toEqual(['cli/alonce.ts'])
  })
})

describe('the package', () => {
  const manifest = JSON.parse(readFileSync(join(lib, '../package.json'), 'utf8')) as Record<
    string,
    Record<string, string> | undefined
  >

  test('has no run-time dependency', () => {
    expect(manifest['dependencies'] ?? {}).toEqual({})
  })

  test('pins every development dependency exactly, and gives each its reason', () => {
    const reasons = readFileSync(join(lib, '../docs/DEPENDENCIES.md'), 'utf8')
    const names = Object.entries(manifest['devDependencies'] ?? {})
    expect(names.filter(([, version]) => !/^(npm:.+@)?\d+\.\d+\.\d+$/.test(version))).toEqual([])
    expect(names.filter(([name]) => !reasons.includes(`\`${name}\``)).map(([name]) => name)).toEqual([])
  })
})

function forbiddenImports(path: string, imports: readonly string[]): string[] {
  const folder = path.split('/')[0] ?? ''
  if (!path.includes('/')) return []
  const allowed = imports.filter((target) => {
    const other = target.split('/')[0] ?? ''
    if (other === folder) return true
    if (folder === 'stores' && (other === 'lock' || other === 'idempotency')) return STORES_SEE.test(target)
    return MAY_IMPORT[folder]?.includes(other)
  })
  return imports.filter((target) => !allowed.includes(target)).map((target) => `${path} -> ${target}`)
}

/** The text without its comments: a comment may speak of `Date.now`. */
function code(source: Source): string {
  return source.text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')
}

function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)] ?? 0
}

function sourcesIn(folder: string): readonly Source[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => read(join(folder, path), folder))
}

function read(file: string, folder: string): Source {
  const text = readFileSync(file, 'utf8')
  const found: FunctionShape[] = []
  visit(parseAst(text, { lang: 'ts' }, file) as unknown as Node, (node) => {
    if (!/^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(node.type) || !node['body']) return
    found.push({
      name: nameOf(node, text),
      lines: text.slice(node.start, node.end).split('\n').length,
      parameters: parametersOf(node),
    })
  })
  const imports = [...text.matchAll(/(?:from|import\() ?'(\.[^']+)'/g)].map((match) =>
    relative(folder, join(file, '..', match[1] ?? '')),
  )
  return { path: relative(folder, file), text, lines: text.trimEnd().split('\n').length, functions: found, imports }
}

function parametersOf(node: Node): number {
  const parameters = Array.isArray(node['params']) ? node['params'] : ((node['params'] as { items?: unknown[] })?.items ?? [])
  return parameters.filter((parameter) => (parameter as { name?: string }).name !== 'this').length
}

function nameOf(node: Node, text: string): string {
  return (node['id'] as { name?: string } | null)?.name ?? text.slice(node.start, node.start + 40).split('\n')[0] ?? ''
}

function visit(node: Node, act: (node: Node) => void): void {
  act(node)
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (child && typeof child === 'object' && 'type' in child) visit(child as Node, act)
    }
  }
}
