import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Command, ReplyTo } from '../../lib/store/command.ts'
import type { SendOptions, Store } from '../../lib/store/store.ts'
import { memoryStore } from '../../lib/stores/memory/memory-store.ts'
import { faultyStore } from '../../lib/testing/faulty-store.ts'
import { type Backend, backends } from '../support/backends.ts'
import { World } from '../support/world.ts'
import { type Kind, modelScripts } from './model-script.ts'
import { ModelStage } from './model-stage.ts'
import { effort, seeds } from './seeds.ts'

/** Random commands with faults, against a real store and the pure functions side by side. */
const RUNS: { readonly [backend: string]: number } = { memory: 150, dynamodb: 30 }

async function compare(backend: Backend, kind: Kind, { seed, numRuns }: { seed: number; numRuns: number }): Promise<ModelStage> {
  const world = new World()
  const stage = new ModelStage(world, await backend.open(world))
  // Shrinking on a store with real I/O takes minutes: a seed and a path say where to look.
  const parameters = { seed, numRuns, endOnFailure: true }
  await fc.assert(
    fc.asyncProperty(modelScripts(kind), (script) => stage.play(kind, script)),
    parameters,
  )
  return stage
}

describe.each(backends)('$name does what the pure functions permit', (backend) => {
  describe.each(seeds(73))('$title', ({ seed }) => {
    test.each(['lock', 'more locks', 'once'] as const)(
      'V1-V7 random %s commands, lost and repeated, over leases that end',
      async (kind) => {
        const { counts } = await compare(backend, kind, { seed, numRuns: effort(RUNS[backend.name] ?? 20) })
        // Not vacuous: it was granted and refused, ghosts arrived, every mishap happened.
        const seen = [...counts.keys()]
        const grants = (counts.get('lock.acquire acquired') ?? 0) + (counts.get('once.begin started') ?? 0)
        expect(grants).toBeGreaterThan(20)
        expect(seen.filter((what) => what.startsWith('mishap'))).toHaveLength(7)
        expect(seen.some((what) => what.startsWith('ghost'))).toBe(true)
        expect(seen.length).toBeGreaterThan(kind === 'once' ? 25 : 18)
        if (kind === 'lock') {
          expect(counts.get('together acquired')).toBeGreaterThan(5)
          expect(counts.get('together held')).toBeGreaterThan(2)
        }
        if (kind === 'more locks') expect(counts.get('lock.acquire queued')).toBeGreaterThan(5)
      },
      600_000,
    )
  })
})

/** Stores with one bug each. A comparison that misses them would be worth nothing. */
type Execute = <C extends Command>(inner: Store, command: C, options: SendOptions) => Promise<ReplyTo<C>>

const planted: readonly { readonly bug: string; readonly kind: Kind; readonly execute: Execute }[] = [
  {
    bug: 'completes for whoever asks',
    kind: 'once',
    execute: async (inner, command, options) => {
      const record = await inner.read(command.key)
      const owner = record?.kind === 'once' && command.type === 'once.complete' ? record.owner : undefined
      return inner.execute(owner ? { ...command, owner } : command, options)
    },
  },
  {
    bug: 'tells a re-sent renewal that it lost',
    kind: 'lock',
    execute: async (inner, command, options) => {
      const reply = await inner.execute(command, options)
      return reply.outcome === 'uncertain' ? ({ outcome: 'lost' } as typeof reply) : reply
    },
  },
  {
    bug: 'does not know when a command was first sent',
    kind: 'lock',
    execute: (inner, command, options) => inner.execute(command, { ...options, firstSentAtMs: undefined }),
  },
  {
    bug: 'takes over four seconds early',
    kind: 'lock',
    execute: async (inner, command, options) => {
      const record = await inner.read(command.key)
      const holder = record?.kind === 'lock' && command.type === 'lock.acquire' ? record.holder : undefined
      if (holder && holder.owner !== command.owner && holder.expiresAtMs - inner.now().latest < 4000) {
        await inner.execute({ type: 'lock.release', key: command.key, owner: holder.owner })
      }
      return inner.execute(command, options)
    },
  },
  {
    bug: 'forgets the hold',
    kind: 'once',
    execute: (inner, command, options) =>
      inner.execute(command.type === 'once.begin' ? { ...command, hold: undefined } : command, options),
  },
  {
    bug: 'answers before it has written',
    kind: 'once',
    execute: async (inner, command, options) => {
      if (command.type === 'once.abandon')
        return { outcome: 'abandoned' } as Awaited<ReturnType<typeof inner.execute<typeof command>>>
      return inner.execute(command, options)
    },
  },
]

test.each(planted)('negative control: a store that $bug is found out', async ({ kind, execute }) => {
  const backend: Backend = {
    name: 'buggy',
    open: async (world) => {
      const inner = memoryStore({ runtime: world.client() })
      const buggy: Store = {
        name: 'buggy',
        capabilities: inner.capabilities,
        runtime: inner.runtime,
        now: () => inner.now(),
        read: (key) => inner.read(key),
        execute: (command, options = {}) => execute(inner, command, options),
      }
      return {
        connect: (client) => {
          const faulty = faultyStore(buggy, { runtime: client })
          return { store: faulty, wire: faulty.wire }
        },
        remove: async (key) => inner.delete(key),
      }
    },
  }
  await expect(compare(backend, kind, { seed: 73, numRuns: 300 })).rejects.toThrow(/Property failed/)
})
