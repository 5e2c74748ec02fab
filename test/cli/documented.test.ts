import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { onceKey } from '../../lib/idempotency/key.ts'
import { acquireLock } from '../../lib/index.ts'
import { lockKey } from '../../lib/store/key.ts'
import { dynamodbMissing, testTable } from '../support/dynamodb-table.ts'
import { completedFor, Desk, heldFor, program, runningFor } from './command-line.ts'

/**
 * Each `console` block of the page is run, in order, by a shell, and what it says compared. After a change that is meant:
 * `ALONCE_UPDATE_DOCS=1 npx vitest run test/cli/documented.test.ts` writes down what was said.
 */
const PAGE = join(import.meta.dirname, '../../docs/cli.md')
const TABLE = 'shop-locks'
const MINUTE = 60_000

interface Step {
  readonly command: string
  readonly output: string
}

const page = readFileSync(PAGE, 'utf8')
const steps: readonly Step[] = [...page.matchAll(/^```console\n([\s\S]*?)^```$/gm)].flatMap(([, block = '']) =>
  [...block.matchAll(/^\$ (.*)\n((?:(?!\$ ).*\n)*)/gm)].map(([, command = '', output = '']) => ({ command, output })),
)

/** What differs from run to run. */
const normalized = (text: string): string =>
  text
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>')
    .replace(/\d\d:\d\d:\d\d/g, '<clock>')
    .replace(/\d{13}/g, '<fence>')
    .replace(/\b[0-9a-f]{8}\b/g, '<owner>')
    .replace(/\b(\d+|less than 1) (ms|s|min|h|d)\b/g, '<span>')
    .replace(/[\d.]+ read units?/g, '<units>')
    .replace(/--from [\w-]+/g, '--from <position>')
    .replace(/Node [\d.]+/g, 'Node <version>')
    .replace(/ {2,}/g, '  ')

describe.skipIf(dynamodbMissing)('docs/cli.md', { timeout: 120_000 }, () => {
  const bin = mkdtempSync(join(tmpdir(), 'alonce-bin-'))
  afterAll(() => rmSync(bin, { recursive: true, force: true }))
  let at: Desk
  beforeAll(async () => {
    // As npm installs it: a link to the file, which says itself what runs it.
    symlinkSync(await program(), join(bin, 'alonce'))
    await testTable() // it is up now
    at = new Desk(await program(), TABLE, 'default')
  })

  test('every output is what the command says', async () => {
    expect(steps.length).toBeGreaterThan(10)
    const said: Step[] = []
    for (const { command } of steps) {
      said.push({ command, output: await (command.startsWith('alonce watch') ? watched(command) : spoken(command)) })
      if (command === 'alonce table create') await furnish()
    }
    if (process.env['ALONCE_UPDATE_DOCS']) return writeFileSync(PAGE, updated(said))
    const shown = (all: readonly Step[]): object => all.map(({ command, output }) => ({ command, output: normalized(output) }))
    expect(shown(steps)).toEqual(shown(said))
  })

  async function furnish(): Promise<void> {
    await at.plant(lockKey(['account', 7]), heldFor(9.5 * MINUTE, 'settlement-7f', 'a'))
    await at.plant(lockKey(['account', 8]), heldFor(4.5 * MINUTE, 'settlement-2c', 'b'))
    await at.plant(lockKey('report'), heldFor(-3.5 * MINUTE, 'batch-3', 'c'))
    await at.plant(onceKey('charge', { key: 'pay-1' }), completedFor(1410 * MINUTE, '{"chargeId":"ch_1"}'))
    await at.plant(onceKey('charge', { key: 'pay-2' }), runningFor(5.5 * MINUTE, { owner: 'd', label: 'req-81', attempt: 2 }))
    await at.plant(onceKey('refund', { key: 'pay-3' }), runningFor(-90 * MINUTE, { owner: 'e', label: 'req-79', hold: true }))
  }

  const start = (command: string) => {
    const env = { ...at.env, PATH: `${bin}:${at.env['PATH']}` }
    return spawn('/bin/sh', ['-c', command], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  }

  /** Both streams, as a terminal shows them. */
  async function spoken(command: string): Promise<string> {
    const child = start(`exec 2>&1; ${command}`)
    let output = ''
    child.stdout.on('data', (data: Buffer) => {
      output += String(data)
    })
    await once(child, 'close')
    return output
  }

  async function watched(command: string): Promise<string> {
    const child = start(`exec ${command}`)
    let output = ''
    const next = async (word: string): Promise<void> => {
      while (!output.includes(word)) output += String((await once(child.stdout, 'data'))[0])
    }
    await next('absent')
    const lock = await acquireLock({ store: at.store, key: 'nightly', label: 'batch-7' })
    await next('held')
    await lock.release()
    await next('free')
    child.kill('SIGINT')
    await once(child, 'close')
    return output
  }

  function updated(said: readonly Step[]): string {
    let index = 0
    return page.replace(/^```console\n([\s\S]*?)^```$/gm, (_, block: string) => {
      const count = [...block.matchAll(/^\$ /gm)].length
      const lines = said.slice(index, index + count).map(({ command, output }) => `$ ${command}\n${output}`)
      index += count
      return `\`\`\`console\n${lines.join('')}\`\`\``
    })
  }
})
