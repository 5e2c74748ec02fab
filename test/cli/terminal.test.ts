import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { alonce } from '../../lib/cli/program.ts'
import type { Surroundings } from '../../lib/cli/surroundings.ts'
import { acquireLock, type Lock } from '../../lib/index.ts'
import { lockKey } from '../../lib/store/key.ts'
import { dynamodbMissing } from '../support/dynamodb-table.ts'
import { type Desk, desk, heldFor, program, Running } from './command-line.ts'

const HOUR = 3_600_000

/** Somebody at a terminal, who answers so. */
function terminal(at: Desk, answer: string | (() => Promise<string>), env: NodeJS.ProcessEnv = {}) {
  const said = { out: '', err: '', asked: [] as string[] }
  const output = (stream: 'out' | 'err'): Surroundings['out'] => ({
    isTTY: true,
    write: (text) => {
      said[stream] += text
    },
  })
  const surroundings: Surroundings = {
    env: { ...at.env, ...env },
    out: output('out'),
    err: output('err'),
    ask: async (question) => {
      said.asked.push(question)
      return typeof answer === 'string' ? answer : answer()
    },
    user: 'ann@desk',
    label: 'desk pid 1',
    versions: { alonce: '0.0.0', node: process.versions.node },
    onSignals: () => () => undefined,
  }
  for (const [name, value] of Object.entries(at.env)) if (name.startsWith('AWS_')) vi.stubEnv(name, value)
  const type = (...args: string[]): Promise<number> => alonce([...args, '--namespace', at.namespace], surroundings)
  return { said, type }
}

afterEach(() => {
  vi.unstubAllEnvs()
})

describe.skipIf(dynamodbMissing)('at a terminal', { timeout: 60_000 }, () => {
  test('who breaks a lock is shown what is there, and asked', async () => {
    const at = await desk()
    await at.plant('lock/job', heldFor(HOUR, 'batch-3'))
    const careful = terminal(at, 'n')
    expect(await careful.type('break', 'job', '--reason', 'hung')).toBe(1)
    expect(careful.said.err).toContain('batch-3')
    expect(careful.said.asked).toEqual([expect.stringMatching(/^Break it\? .*not stopped.*\[y\/N\] $/)])
    expect(await at.store.read(lockKey('job'))).toMatchObject({ holder: { label: 'batch-3' } })
    const sure = terminal(at, ' Yes ')
    expect(await sure.type('break', 'job', '--reason', 'hung')).toBe(0)
    expect(await at.store.read(lockKey('job'))).toMatchObject({ intervention: { by: 'ann@desk', reason: 'hung' } })
  })

  test('what was decided while the question stood open does not hit a later holder', async () => {
    const at = await desk()
    const first = await acquireLock({ store: at.store, key: 'job' })
    let second: Lock | undefined
    const { type } = terminal(at, async () => {
      await first.release()
      second = await acquireLock({ store: at.store, key: 'job' })
      return 'y'
    })
    expect(await type('break', 'job', '--reason', 'hung')).toBe(4)
    expect(await at.store.read(lockKey('job'))).toMatchObject({ holder: { owner: second?.owner }, intervention: undefined })
    await second?.release()
  })

  test('states have colors, unless NO_COLOR or --no-color is set', async () => {
    const at = await desk()
    await at.plant('lock/job', heldFor(HOUR))
    const [plain, asked, colored] = [terminal(at, '', { NO_COLOR: '1' }), terminal(at, ''), terminal(at, '')]
    await plain.type('ls')
    await asked.type('ls', '--no-color')
    await colored.type('ls')
    expect(colored.said.out).toContain('\u001b[32mheld\u001b[0m')
    expect([plain.said.out, asked.said.out].join()).not.toContain('\u001b')
  })
})

describe('without what it needs', () => {
  const folders: string[] = []
  afterEach(() => {
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
  })

  test('the AWS SDK is missing: a sentence says what to install, and help works all the same', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'alonce-bare-'))
    folders.push(folder)
    cpSync(dirname(await program()), folder, { recursive: true })
    writeFileSync(
      join(folder, 'package.json'),
      '{"name":"alonce","version":"1.2.3","type":"module","exports":{"./package.json":"./package.json"}}',
    )
    const run = (...args: string[]) => new Running(join(folder, 'alonce.js'), args, { PATH: process.env['PATH'] }).ended()
    expect(await run('ls', '--table', 'records')).toEqual({
      status: 2,
      out: '',
      err: 'alonce: Option "--table" is a DynamoDB table, and the AWS SDK is not installed here. Run: npm install @aws-sdk/client-dynamodb (CONFIG_INVALID)\n',
    })
    expect(await run('--version')).toEqual({ status: 0, out: '1.2.3\n', err: '' })
  })

  test.each([
    ['no table is named', ['ls'], 2, /ALONCE_TABLE/],
    ['there is no such command', ['lsd'], 2, /unknown command 'lsd'/],
    ['there is no such option', ['ls', '--tabel', 'x'], 2, /Did you mean --table/],
    ['a number is out of bounds', ['ls', '--limit', '1001'], 2, /whole number from 1 to 1000/],
    ['a duration has no unit', ['run', 'x', '--wait', '30', '--', 'true'], 2, /with its unit/],
    ['a lease is too short for DynamoDB', ['run', 'x', '--lease', '1s', '--', 'true'], 2, /from 3000 ms/],
    ['there is nothing to run', ['run', 'x'], 2, /missing required argument 'command'/],
  ])('%s: it says what to do, and ends with 2', async (_what, args, expected, message) => {
    const { status, err } = await new Running(await program(), args, { PATH: process.env['PATH'] }).ended()
    expect({ status, err }).toEqual({ status: expected, err: expect.stringMatching(message) })
    expect(err).not.toMatch(/^\s+at /m)
  })

  test('a program gets its errors as JSON, and a developer gets the stack', async () => {
    const run = (env: NodeJS.ProcessEnv, ...args: string[]) => program().then((file) => new Running(file, args, env).ended())
    const nowhere = { PATH: process.env['PATH'], AWS_REGION: 'us-east-1', AWS_ACCESS_KEY_ID: 'x', AWS_SECRET_ACCESS_KEY: 'y' }
    const address = ['--table', 'records', '--endpoint', 'http://127.0.0.1:9']
    const { status, err } = await run({ ...nowhere, ALONCE_DEBUG: '1' }, 'get', 'lock/x', ...address)
    expect(status).toBe(1)
    expect(err).toMatch(
      /^alonce: DynamoDB's table "records" did not answer in time.*\(STORE_UNAVAILABLE\)\nAlonceError: .*\n {4}at /,
    )
    expect(err).toContain('ECONNREFUSED')
    const json = await run({}, 'get', 'lock/x', '--json')
    expect(JSON.parse(json.err)).toEqual({ error: { code: 'CONFIG_INVALID', message: expect.stringContaining('ALONCE_TABLE') } })
  })
})
