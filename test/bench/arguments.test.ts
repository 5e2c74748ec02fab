import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ArgumentError, PARTS, parseArguments } from '../../bench/arguments.ts'

test('without arguments everything is measured, and nothing but the terminal is written to', () => {
  expect(parseArguments([])).toEqual({ quick: false, json: false, docs: false, help: false, parts: PARTS })
})

test('parts come in their own order, however they are asked for', () => {
  expect(parseArguments(['--quick', '--only', 'faults,cpu']).parts).toEqual(['cpu', 'faults'])
  expect(parseArguments(['--only=size']).parts).toEqual(['size'])
})

test.each([
  [['--fast'], /no option "--fast"/],
  [['--only', 'speed'], /no part "speed".*costs, latency, cpu/],
  [['--only'], /wants parts/],
  [['--docs', '--quick'], /do not go together/],
])('%j is refused with a sentence that says why', (argv, sentence) => {
  expect(() => parseArguments(argv)).toThrow(ArgumentError)
  expect(() => parseArguments(argv)).toThrow(sentence)
})

const bench = (...argv: string[]) =>
  spawnSync(process.execPath, [join(import.meta.dirname, '../../bench/bench.ts'), ...argv], { encoding: 'utf8' })

test('the command explains itself, and a wrong option ends it with status 2, before anything is installed', () => {
  const helped = bench('--help')
  expect([helped.status, helped.stdout]).toEqual([0, expect.stringContaining('npm run bench -- [options]')])
  const refused = bench('--nonsense')
  expect([refused.status, refused.stdout, refused.stderr]).toEqual([2, '', expect.stringContaining('no option "--nonsense"')])
})
