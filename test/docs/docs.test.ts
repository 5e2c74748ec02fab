import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { promisify } from 'node:util'
import { transform } from 'esbuild'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'

/**
 * The documents' examples are code: every `ts` block compiles on its own, as does a `diff ts` before and after; and one that is
 * marked `ts run` runs as well.
 */
const root = join(import.meta.dirname, '../..')
const pages = [
  'README.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' }).map((path) => join('docs', path)),
].filter((path) => path.endsWith('.md'))
const blocks = pages.flatMap((page) => blocksOf(page, readFileSync(join(root, page), 'utf8')))
// Inside the package, so that `import … from 'alonce'` means this one.
const folder = mkdtempSync(join(root, 'test/docs/.examples-'))

/** DynamoDB Local's usual address, in the examples; in the tests it listens elsewhere. */
const DOCUMENTED_ENDPOINT = 'http://127.0.0.1:8000'
const dynamodb = inject('dynamodb')
const endpoint = 'endpoint' in dynamodb ? dynamodb.endpoint : DOCUMENTED_ENDPOINT
const TABLES = { ALONCE_TABLE: 'alonce', IDEMPOTENCY_TABLE: 'powertools' }

interface Block {
  readonly page: string
  readonly line: number
  readonly runs: boolean
  readonly text: string
  readonly file: string
}

beforeAll(async () => {
  for (const block of blocks) {
    mkdirSync(dirname(join(folder, block.file)), { recursive: true })
    writeFileSync(join(folder, block.file), `${block.text.replaceAll(DOCUMENTED_ENDPOINT, endpoint)}\nexport {}\n`)
    if (isDecorated(block)) writeFileSync(join(folder, program(block)), await lowered(block))
  }
  const compilerOptions = { noUnusedLocals: false, noUnusedParameters: false }
  // By name: a pattern leaves out folders that begin with a dot.
  const config = { extends: '../../../tsconfig.json', compilerOptions, files: blocks.map((block) => block.file), include: [] }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('the documents', () => {
  test('every example compiles', async () => {
    expect(blocks.length).toBeGreaterThan(0)
    expect(await run(join(root, 'node_modules/.bin/tsc'), ['-p', folder])).toEqual({ code: 0, output: '' })
  }, 60_000)

  test('from `cdk deploy` to a protected function of one’s own it is ten lines', () => {
    const deploy = /^## Deploy$[\s\S]*?(?=^## )/m.exec(readFileSync(join(root, 'README.md'), 'utf8'))?.[0] ?? ''
    const diffs = [...deploy.matchAll(/^```diff ts\n([\s\S]*?)^```$/gm)].map((match) => match[1] ?? '')
    expect(diffs).toHaveLength(2)
    expect(diffs.join('').match(/^[-+]/gm)?.length).toBeLessThanOrEqual(10)
  })

  // Without Java there is no DynamoDB Local for the examples that need one: the runner says so.
  const running = blocks.filter((block) => block.runs && ('endpoint' in dynamodb || !block.text.includes(DOCUMENTED_ENDPOINT)))
  test.each(running)(
    'the example in $page at line $line runs',
    async (block) => {
      const { code, output } = await run(process.execPath, ['--conditions=@alonce/source', join(folder, program(block))])
      expect({ code, output }).toMatchObject({ code: 0 })
    },
    60_000,
  )

  test('every link to a file of ours leads somewhere', () => {
    const broken = pages.flatMap((page) =>
      [...readFileSync(join(root, page), 'utf8').matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)]
        .map((match) => join(root, dirname(page), match[1] ?? ''))
        .filter((target) => !existsSync(target))
        .map((target) => `${page} -> ${relative(root, target)}`),
    )
    expect(broken).toEqual([])
  })

  test('none claims what no lock and no table can give', () => {
    const claims = /guarantees? that only one runs|exactly[- ]once/i
    const found = pages.filter((page) => claims.test(readFileSync(join(root, page), 'utf8').replace(/"exactly once"/g, '')))
    expect(found).toEqual([])
  })
})

/** Node strips types, and does not know decorators: a compiler takes them, as in a user's build. */
const isDecorated = ({ text }: Block): boolean => /^\s*@[A-Z]/m.test(text)
const program = (block: Block): string => (isDecorated(block) ? block.file.replace(/\.ts$/, '.mjs') : block.file)
const lowered = async ({ text }: Block): Promise<string> => (await transform(text, { loader: 'ts', target: 'node22' })).code

function blocksOf(page: string, text: string): Block[] {
  return [...text.matchAll(/^```(ts|diff ts)( run)?\n([\s\S]*?)^```$/gm)].flatMap((match) => {
    const [, language, run, body = ''] = match
    const line = text.slice(0, match.index).split('\n').length
    const file = `${page.replace(/\.md$/, '').replaceAll('/', '-')}-${line}`
    const block = { page, line, runs: run !== undefined }
    if (language === 'ts') return [{ ...block, text: body, file: `${file}.ts` }]
    // What is there before a change, and after it.
    return [
      { ...block, text: side(body, '-'), file: `${file}-before.ts` },
      { ...block, text: side(body, '+'), file: `${file}-after.ts` },
    ]
  })
}

function side(diff: string, sign: '-' | '+'): string {
  return diff.replace(sign === '-' ? /^\+.*\n/gm : /^-.*\n/gm, '').replace(/^[-+ ]/gm, '')
}

async function run(command: string, args: string[]): Promise<{ code: number; output: string }> {
  try {
    const { stdout, stderr } = await promisify(execFile)(command, args, {
      cwd: root,
      env: { ...process.env, ...TABLES, NO_COLOR: '1', NODE_OPTIONS: '' },
    })
    return { code: 0, output: stdout + stderr }
  } catch (error) {
    const { code, stdout, stderr } = error as { code?: number; stdout?: string; stderr?: string }
    return { code: code ?? 1, output: `${stdout ?? ''}${stderr ?? ''}` }
  }
}
