import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import type { Command } from '../../lib/store/command.ts'
import type { AlonceRecord } from '../../lib/store/record.ts'
import type { SendOptions, Store } from '../../lib/store/store.ts'
import { memoryStore } from '../../lib/stores/memory/memory-store.ts'
import { type ConformanceOptions, type StoreUnderTest, storeConformance } from '../../lib/testing/index.ts'
import { World } from '../support/world.ts'

test('the suite runs under node:test as it does under vitest', async () => {
  const file = join(import.meta.dirname, 'under-node-test.process.ts')
  const { NODE_OPTIONS: _, NODE_TEST_CONTEXT: __, ...env } = process.env
  const { stdout } = await promisify(execFile)(process.execPath, ['--test', '--test-reporter=tap', file], { env })
  expect(stdout).toMatch(/^# fail 0$/m)
  expect(Number(/^# pass (\d+)$/m.exec(stdout)?.[1])).toBeGreaterThan(50)
  expect(Number(/^# skipped (\d+)$/m.exec(stdout)?.[1])).toBeGreaterThan(8)
})

describe('the suite itself', () => {
  const found = (options: Omit<ConformanceOptions, 'describe' | 'it'>, subject: StoreUnderTest) => {
    const titles: string[] = []
    const skipped: string[] = []
    const bodies: (() => Promise<void>)[] = []
    const define = Object.assign(
      (title: string, body: () => Promise<void>) => {
        titles.push(title)
        bodies.push(body)
      },
      { skip: (title: string) => skipped.push(title) },
    )
    storeConformance('any', async () => subject, { describe: (_title, body) => body(), it: define, ...options })
    return { titles, skipped, bodies }
  }
  const world = new World()
  const plain: StoreUnderTest = {
    connect: () => ({ store: memoryStore({ runtime: world.client() }) }),
    run: (work) => world.run(work),
  }

  test('a skip carries its reason', () => {
    const { titles, skipped } = found({ skip: { time: 'it keeps real time', counters: 'it keeps real time' } }, plain)
    expect(skipped.length).toBeGreaterThan(8)
    expect(skipped.every((title) => title.endsWith('(skipped: it keeps real time)'))).toBe(true)
    expect(titles.length).toBeGreaterThan(50)
  })

  test('a store that can’t move time and doesn’t say why is told so', async () => {
    const { bodies } = found({}, plain)
    const ends = await Promise.allSettled(bodies.map((body) => body()))
    const reasons = ends.filter((end) => end.status === 'rejected').map((end) => String(end.reason))
    expect(reasons).toContain('Error: Give the suite "advance", or say in skip.time why that can\'t be.')
  })
})

/** Stores with the bugs that published libraries have: a suite that passes them would be worth nothing. */
const broken: readonly { readonly bug: string; readonly breaks: (inner: Store) => Store }[] = [
  {
    bug: 'answers a re-sent acquire as if it were another’s',
    breaks: (inner) => ({ ...bare(inner), execute: (command, options) => inner.execute(renamed(command, options), options) }),
  },
  {
    bug: 'forgets when a command was first sent',
    breaks: (inner) => ({
      ...bare(inner),
      execute: (command, options) => inner.execute(command, { ...options, firstSentAtMs: undefined }),
    }),
  },
  {
    bug: 'forgets that a command was sent before',
    breaks: (inner) => ({ ...bare(inner), execute: (command, options) => inner.execute(command, { ...options, resent: false }) }),
  },
  {
    bug: 'lets anybody release and complete',
    breaks: (inner) => ({
      ...bare(inner),
      execute: async (command, options) => {
        const record = await inner.read(command.key)
        const owner = record?.kind === 'lock' ? record.holder?.owner : record?.owner
        const theirs = command.type === 'lock.release' || command.type === 'once.complete'
        return inner.execute(theirs && owner ? { ...command, owner } : command, options)
      },
    }),
  },
  {
    bug: 'reads what was, not what is',
    breaks: (inner) => {
      const seen = new Map<string, AlonceRecord | undefined>()
      return { ...bare(inner), read: async (key) => seen.get(key) ?? seen.set(key, await inner.read(key)).get(key) }
    },
  },
]

const bare = (inner: Store): Store => ({
  name: inner.name,
  capabilities: inner.capabilities,
  runtime: inner.runtime,
  execute: (command, options) => inner.execute(command, options),
  read: (key, options) => inner.read(key, options),
  now: () => inner.now(),
})

const renamed = <C extends Command>(command: C, options?: SendOptions): C =>
  command.type === 'lock.acquire' && options?.resent ? { ...command, owner: `${command.owner}-again` } : command

test.each(broken)('negative control: a store that $bug does not pass', async ({ breaks }) => {
  const failures: string[] = []
  const bodies: [string, () => Promise<void>][] = []
  const it = (title: string, body: () => Promise<void>): unknown => bodies.push([title, body])
  const opened = async (): Promise<StoreUnderTest> => {
    const world = new World()
    const inner = memoryStore({ runtime: world.client() })
    return {
      connect: () => ({ store: breaks(inner) }),
      advance: (ms) => world.advance(ms),
      remove: async (key) => inner.delete(key),
      run: (work) => world.run(work),
    }
  }
  storeConformance('broken', opened, {
    describe: (_title, body) => body(),
    it,
    skip: { counters: 'it has no transactions', together: 'it has none' },
  })
  for (const [title, body] of bodies) await body().catch(() => failures.push(title))
  expect(failures).not.toEqual([])
})
