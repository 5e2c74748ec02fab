import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { type BuildOptions, build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

/** The package as a user gets it: built, packed, unpacked in an empty project. */
const root = join(import.meta.dirname, '../..')
const bin = (name: string): string => join(root, 'node_modules/.bin', name)
const folder = mkdtempSync(join(tmpdir(), 'alonce-package-'))
const installed = join(folder, 'node_modules/alonce')
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { exports: Record<string, unknown> }
const subpaths = Object.keys(manifest.exports).filter((subpath) => subpath !== './package.json')
let tarball = ''

interface Problem {
  readonly kind: string
  readonly resolutionKind?: string
}

beforeAll(async () => {
  await run('npm', ['run', 'build', '--silent'], root)
  const packed = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], root)
  tarball = join(folder, fileNameIn(packed))
  mkdirSync(installed, { recursive: true })
  await run('tar', ['-xzf', tarball, '-C', installed, '--strip-components=1'], folder)
  for (const peer of [
    '@types',
    '@aws-lambda-powertools',
    '@aws-sdk',
    '@opentelemetry',
    '@smithy',
    '@middy',
    'aws-cdk-lib',
    'constructs',
    'undici-types',
    'tslib',
  ]) {
    symlinkSync(join(root, 'node_modules', peer), join(folder, 'node_modules', peer))
  }
}, 120_000)

afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('the published package', () => {
  test('holds no test, no script and no secret place', async () => {
    const listed = await run('tar', ['-tzf', tarball], folder)
    const tops = new Set(
      listed
        .split('\n')
        .filter(Boolean)
        .map((path) => path.split('/')[1]),
    )
    expect([...tops].sort()).toEqual(['CHANGELOG.md', 'LICENSE', 'README.md', 'dist', 'infra', 'lib', 'package.json'])
  })

  test('publint finds nothing', async () => {
    expect(await run(bin('publint'), ['--strict', installed], folder)).toContain('All good!')
  })

  test('the types of every subpath resolve', async () => {
    const report = await run(bin('attw'), [tarball, '--profile', 'esm-only', '--format', 'json'], folder)
    const { analysis } = JSON.parse(report) as { analysis: { entrypoints: object; problems: Problem[] } }
    expect(Object.keys(analysis.entrypoints)).toEqual(expect.arrayContaining(subpaths))
    // ESM only: that `require` meets ESM is no news to anybody.
    expect(analysis.problems.filter((problem) => !/^node1[06]-?(cjs)?$/.test(problem.resolutionKind ?? ''))).toEqual([])
  }, 60_000)

  test('every subpath loads under Node, from the packed files', async () => {
    const names = subpaths.map((subpath) => join('alonce', subpath))
    const script = `for (const name of ${JSON.stringify(names)}) { const loaded = await import(name); console.log(name, Object.keys(loaded).length) }`
    const lines = (await run(process.execPath, ['--input-type=module', '-e', script], folder)).trim().split('\n')
    expect(lines).toHaveLength(subpaths.length)
    for (const line of lines) expect(Number(line.split(' ')[1])).toBeGreaterThan(0)
  })

  test('to import alonce and alonce/middy takes three files, and nothing of Node that is slow to load', async () => {
    const script = `import { registerHooks } from 'node:module'
      const urls = []
      registerHooks({ load: (url, context, next) => (urls.push(url), next(url, context)) })
      await import('alonce')
      await import('alonce/middy')
      console.log(JSON.stringify(urls))`
    const urls = JSON.parse(await run(process.execPath, ['--input-type=module', '-e', script], folder)) as string[]
    const files = urls.filter((url) => url.startsWith('file:')).map((url) => url.split('/dist/lib/')[1])
    expect(files).toEqual(expect.arrayContaining(['index.js', 'middleware/middy.js']))
    expect(files).toHaveLength(3)
    expect(urls.filter((url) => url.startsWith('node:')).sort()).toEqual(['node:async_hooks', 'node:diagnostics_channel'])
  })

  test('the command runs from the packed files, without what it was built with, and finds the AWS SDK of its user', async () => {
    const { bin: commands, version } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as {
      bin: { alonce: string }
      version: string
    }
    const file = join(installed, commands.alonce)
    expect(await run(process.execPath, [file, '--version'], folder)).toBe(`${version}\n`)
    // Refused by what is loaded after the SDK: a table's name has three characters or more.
    await expect(run(process.execPath, [file, 'ls', '--table', 'x'], folder)).rejects.toThrow('"tableName" must be the name')
    expect(readFileSync(join(dirname(file), 'commander.LICENSE'), 'utf8')).toContain('MIT')
  })

  test('a protected handler can be tested under Jest', async () => {
    for (const file of ['payments.jest.js', 'package.json']) cpSync(join(root, 'test/consumer', file), join(folder, file))
    const jest = join(
      dirname(createRequire(join(root, 'test/consumer/package.json')).resolve('jest/package.json')),
      'bin/jest.js',
    )
    const args = ['--experimental-vm-modules', jest, '--rootDir', folder, '--testMatch', '**/*.jest.js', '--json']
    expect(JSON.parse(await run(process.execPath, args, folder))).toMatchObject({ numPassedTests: 1, numFailedTests: 0 })
  }, 60_000)

  test('a bundle of a protected handler runs, and leaves the SDK to Lambda', async () => {
    const entry = "export { makeIdempotent, makeLocked } from 'alonce'; export { dynamodbStore } from 'alonce/dynamodb'"
    const outfile = join(folder, 'bundle.mjs')
    const options = {
      bundle: true,
      minify: true,
      platform: 'node',
      format: 'esm',
      external: ['@aws-sdk/*'],
    } satisfies BuildOptions
    await build({ ...options, stdin: { contents: entry, resolveDir: folder }, outfile, logLevel: 'error' })
    const loaded = (await import(outfile)) as Record<string, unknown>
    expect(Object.keys(loaded).sort()).toEqual(['dynamodbStore', 'makeIdempotent', 'makeLocked'])
    expect(readFileSync(outfile, 'utf8')).toMatch(/from"@aws-sdk\/client-dynamodb"/)
  })

  test('a bundle has nothing of what it does not use', async () => {
    const contents = "export { isAlonceError } from 'alonce'; export { aloncePlugin } from 'alonce/middy'"
    const options = { bundle: true, minify: true, platform: 'node', format: 'esm', write: false } satisfies BuildOptions
    const { outputFiles } = await build({ ...options, stdin: { contents, resolveDir: folder } })
    expect(outputFiles[0]?.text).not.toMatch(/reentrant|AsyncLocalStorage|retainMs/)
  })

  test('a strongly consistent table, synthesized from the packed files, brings its sweeper along', async () => {
    const app = `
      import { App, Stack } from 'aws-cdk-lib/core'
      import { AlonceTable } from 'alonce/cdk'
      const app = new App({ outdir: 'cdk.out' })
      const stack = new Stack(app, 'Stack', { env: { region: 'eu-west-1' } })
      new AlonceTable(stack, 'Alonce', { regions: { consistency: 'strong', replicas: ['eu-west-2', 'eu-west-3'] } })
      app.synth()`
    await run(process.execPath, ['--input-type=module', '-e', app], folder)
    const assets = readdirSync(join(folder, 'cdk.out')).filter((name) => name.startsWith('asset.'))
    expect(assets.map((asset) => readdirSync(join(folder, 'cdk.out', asset)))).toEqual([['index.mjs']])
  }, 60_000)

  test('its types compile under TypeScript 5.4', async () => {
    for (const file of ['tsconfig.json', 'handler.ts', 'package.json'])
      cpSync(join(root, 'test/consumer', file), join(folder, file))
    await expect(run(join(root, 'test/consumer/node_modules/.bin/tsc'), ['-p', folder], folder)).resolves.toBe('')
  }, 60_000)
})

function fileNameIn(packed: string): string {
  const report = JSON.parse(packed) as { filename: string }[] | Record<string, { filename: string }>
  return Object.values(report)[0]?.filename ?? ''
}

async function run(command: string, args: string[], cwd: string): Promise<string> {
  const env = { ...process.env, NO_COLOR: '1', NODE_OPTIONS: '' }
  try {
    return (await promisify(execFile)(command, args, { cwd, env, maxBuffer: 64 * 1024 * 1024 })).stdout
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string }
    throw new Error(`${command} ${args.join(' ')} failed:\n${stdout ?? ''}${stderr ?? ''}`, { cause: error })
  }
}
