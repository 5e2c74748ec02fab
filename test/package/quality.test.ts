import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '../..')

test.each([
  ['the compiler', 'tsc', ['--noEmit']],
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
  const floating = 'export async function f(): Promise<void> {}\nexport function g(): void {\n  f()\n}\n'
  const found = await complaints('biome', ['lint', '--stdin-file-path=lib/planted.ts'], floating)
  expect(found).toContain('noFloatingPromises')
})

async function complaints(tool: string, args: readonly string[], input?: string): Promise<string> {
  const child = promisify(execFile)(join(root, 'node_modules/.bin', tool), [...args], {
    cwd: root,
    env: { ...process.env, NO_COLOR: '1' },
  })
  child.child.stdin?.end(input)
  try {
    await child
    return ''
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string }
    return `${stdout ?? ''}${stderr ?? ''}`
  }
}
