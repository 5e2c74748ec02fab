import { describe, it } from 'node:test'
import { memoryStore } from '../../lib/stores/memory/memory-store.ts'
import { storeConformance } from '../../lib/testing/index.ts'

/** Run by suite.test.ts as `node --test`: the suite with another runner, on a store with real time. */
const store = memoryStore()

storeConformance('memory', async () => ({ connect: () => ({ store }), remove: async (key) => store.delete(key) }), {
  describe,
  it,
  skip: { time: 'this store keeps real time' },
})
