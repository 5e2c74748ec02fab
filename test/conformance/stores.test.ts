import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, test } from 'vitest'
import { memoryStore } from '../../lib/stores/memory/memory-store.ts'
import { type StoreUnderTest, storeConformance } from '../../lib/testing/index.ts'
import { type Backend, backends } from '../support/backends.ts'
import { dynamodbMissing } from '../support/dynamodb-table.ts'
import { World } from '../support/world.ts'

/** The suite on every store of ours, each behind a wire that can fail, with a clock in the test's hands. */
for (const backend of backends) storeConformance(backend.name, () => open(backend), { describe, it })

/** And on the memory store as it is: the suite then brings its own wire. */
storeConformance('memory, bare', openBare, { describe, it })

async function open(backend: Backend): Promise<StoreUnderTest> {
  const world = new World()
  const shared = await backend.open(world)
  return {
    connect: () => shared.connect(world.client()),
    advance: (ms) => world.advance(ms),
    remove: (key) => shared.remove(key),
    run: (promise) => world.run(promise),
  }
}

async function openBare(): Promise<StoreUnderTest> {
  const world = new World()
  const store = memoryStore({ runtime: world.client() })
  return {
    connect: () => ({ store }),
    advance: (ms) => world.advance(ms),
    remove: async (key) => store.delete(key),
    run: (promise) => world.run(promise),
  }
}

if (dynamodbMissing) test.skip(`the suite on DynamoDB Local (${dynamodbMissing})`, () => undefined)

test('every store in lib/stores is enrolled here', () => {
  const folder = join(import.meta.dirname, '../../lib/stores')
  const stores = readdirSync(folder).filter((name) => existsSync(join(folder, name, `${name}-store.ts`)))
  expect(stores).toContain('memory')
  // A backend is named after its store, and perhaps its kind: "dynamodb-local".
  const enrolled = backends.map((backend) => backend.name.replace(/[ -].*$/, ''))
  if (dynamodbMissing) enrolled.push('dynamodb')
  expect(stores.filter((store) => !enrolled.includes(store))).toEqual([])
})
