import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '../..')

test.each([
  ['the compiler', 'tsc', ['--noEmit']],
  ['the compiler, of infra/', 'tsc', ['--noEmit', '-p', 'infra']],
  ['the linter and formatter', 'biome', ['check', '--error-on-warnings', '.']],
  ['the search for what nobody uses', 'knip', []],
] as const)(
  '%s has nothing to say',
  async (_what, tool, args) => {
    expect(await complaints(tool, args)).toBe('')
  },
  120_000,
)

test('the linter catches a promise that nobody waits for', async () => {
  const folder = mkdtempSync(join(root, 'test/package/planted-'))
  try {
    const file = join(folder, 'floating.ts')
    writeFileSync(file, 'export async function f(): Promise<void> {}\n\nexport function g(): void {\n  f()\n}\n')
    expect(await complaints('biome', ['lint', file])).toContain('noFloatingPromises')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}, 60_000)

async function complaints(tool: string, args: readonly string[]): Promise<string> {
  const run = promisify(execFile)(join(root, 'node_modules/.bin', tool), [...args], {
    cwd: root,
    env: { ...process.env, NO_COLOR: '1' },
  })
  try {
    await run
    return ''
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string }
    return `${stdout ?? ''}${stderr ?? ''}`
  }
}
