import { expect, test } from 'vitest'
import { withIdempotency } from '../../lib/idempotency/with-idempotency.ts'
import { systemRuntime } from '../../lib/runtime/runtime.ts'
import type { Command } from '../../lib/store/command.ts'
import type { Store } from '../../lib/store/store.ts'
import { memoryStore } from '../../lib/stores/memory/memory-store.ts'

test('a lease that comes of an invocation’s remaining time is in whole milliseconds: records know no others', async () => {
  let ticks = 0
  // As real clocks do, this one shows fractions, and moves between any two looks.
  const clock = { wall: () => 1_800_000_000_000, monotonic: () => 1000.25 + 0.125 * ticks++ }
  const memory = memoryStore({ runtime: { ...systemRuntime, clock } })
  const sent: Command[] = []
  const store: Store = {
    ...memory,
    name: memory.name,
    capabilities: memory.capabilities,
    runtime: memory.runtime,
    now: () => memory.now(),
    read: (key) => memory.read(key),
    execute: (command, options) => {
      sent.push(command)
      return memory.execute(command, options)
    },
  }
  const context = { getRemainingTimeInMillis: () => 60_000 }
  await withIdempotency({ store, operation: 'charge', key: 'p-1', context }, () => 'done')
  const [begin] = sent
  expect(begin).toMatchObject({ type: 'once.begin', leaseMs: 61_000 })
})
