import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Idempotent, Locked } from 'alonce/decorators'
import { memoryStore } from 'alonce/memory'
import { build } from 'esbuild'
import { afterAll, describe, expect, test } from 'vitest'

const root = join(import.meta.dirname, '../..')
const subject = join(import.meta.dirname, 'decorated.process.ts')
// Inside the package, so that `import … from 'alonce'` means this one.
const folder = mkdtempSync(join(root, 'test/middleware/.decorated-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** What the subject must print, whoever compiled it. */
const printed = {
  first: 'till 1 charged o1 5, attempt 1',
  again: 'till 1 charged o1 5, attempt 1',
  byAnother: 'self-service: till 1 charged o1 5, attempt 1',
  charges: [1, 0],
  settled: [
    ['a1', 'till 1', 'account/a1'],
    ['a1', 'till 1', 'account/a1'],
  ],
  skipped: 'undefined',
  opened: [1, 2],
  enumerable: [],
  length: 2,
}

const standards = [
  { standard: 'TC39', experimentalDecorators: false },
  { standard: 'legacy', experimentalDecorators: true },
]

describe.each(standards)('decorators of the $standard standard', ({ standard, experimentalDecorators }) => {
  test('compiled by tsc', async () => {
    const outDir = join(folder, `tsc-${standard}`)
    const compilerOptions = { experimentalDecorators, noEmit: false, outDir, rootDir: root }
    const project = join(folder, `tsconfig.${standard}.json`)
    const files = [subject, join(root, 'test/types/decorators.types.ts')]
    writeFileSync(project, JSON.stringify({ extends: '../../../tsconfig.json', compilerOptions, files, include: [] }))
    await run(join(root, 'node_modules/.bin/tsc'), ['-p', project])
    const compiled = join(outDir, 'test/middleware/decorated.process.js')
    expect(readFileSync(compiled, 'utf8')).not.toMatch(/^\s*@(Locked|Idempotent)/m)
    expect(await printedBy(compiled)).toEqual(printed)
  }, 60_000)

  test.each([
    ['as it is', false],
    ['minified, with other names', true],
  ])(
    'bundled by esbuild, %s',
    async (_how, minify) => {
      const outfile = join(folder, `esbuild-${standard}-${minify}.mjs`)
      const options = { bundle: true, platform: 'node', format: 'esm', target: 'node22', logLevel: 'error' } as const
      const tsconfigRaw = { compilerOptions: { experimentalDecorators } }
      await build({ ...options, entryPoints: [subject], conditions: ['@alonce/source'], minify, outfile, tsconfigRaw })
      if (minify) expect(readFileSync(outfile, 'utf8')).not.toMatch(/class (Till|SelfCheckout)/)
      expect(await printedBy(outfile)).toEqual(printed)
    },
    60_000,
  )
})

test('without a bundler, vitest’s own run of the subject prints the same', async () => {
  const lines: string[] = []
  const log = console.log
  console.log = (line: string) => void lines.push(line)
  try {
    await import('./decorated.process.ts')
  } finally {
    console.log = log
  }
  expect(JSON.parse(lines[0] ?? '')).toEqual(printed)
})

describe('options and places are checked when the class is defined', () => {
  const store = memoryStore()
  const context = (kind: string) => ({ kind, name: 'charge' }) as never
  const method = async (): Promise<void> => undefined
  const field = undefined as never
  const key = 'k'

  test.each([
    ['key', () => Locked({ store } as never)(method, context('method'))],
    ['onHeld', () => Locked({ store, key, onHeld: 'ignore' as never })(method, context('method'))],
    ['context', () => Locked({ store, key, context: {} } as never)(method, context('method'))],
    ['operation', () => Idempotent({ store, key } as never)(method, context('method'))],
    ['fingerprnt', () => Idempotent({ store, key, operation: 'charge', fingerprnt: 1 } as never)(method, context('method'))],
    ['options', () => Idempotent(method as never)(method, context('method'))],
    ['options', () => Locked(undefined as never)({}, 'charge', { value: method })],
    ['Locked', () => Locked({ store, key })(method, context('getter'))],
    ['Locked', () => Locked({ store, key })(method, context('field'))],
    ['Idempotent', () => Idempotent({ store, key, operation: 'charge' })({}, 'charge', field)],
    ['Idempotent', () => Idempotent({ store, key, operation: 'charge' })({}, 'charge', { get: () => method })],
  ])('%s', (option, define) => {
    expect(define).toThrowError(expect.objectContaining({ code: 'CONFIG_INVALID', option }))
  })
})

async function run(command: string, args: readonly string[]): Promise<string> {
  const env = { ...process.env, NO_COLOR: '1', NODE_OPTIONS: '' }
  const child = promisify(execFile)(command, [...args], { cwd: root, env })
  return child.then(
    ({ stdout }) => stdout,
    (error: { stdout: string; stderr: string }) => {
      throw new Error(`${command} failed:\n${error.stdout}${error.stderr}`)
    },
  )
}

const printedBy = async (file: string): Promise<unknown> =>
  JSON.parse(await run(process.execPath, ['--conditions=@alonce/source', file]))
