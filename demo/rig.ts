import { memoryStore } from '../lib/stores/memory/memory-store.ts'
import type { WorkerSetup } from './messages.ts'
import type { Range } from './plan.ts'
import { startStoreServer } from './store-server.ts'
import type { Transit } from './transit.ts'

/** A store that worker processes can reach, and how long things take on it. */
export interface Rig {
  readonly setup: WorkerSetup['store']
  readonly pace: Pace
  /** DynamoDB Local itself, past whatever strikes at its requests. */
  readonly endpoint?: string
  close(): Promise<void>
}

export interface Pace {
  readonly leaseMs: number
  /** Past the end of any lease, so that another process takes over before the thaw. */
  readonly freezeMs: Range
  readonly patienceMs: number
  readonly limitMs: number
}

/** The memory store knows its time exactly: a lease that has ended can be taken over at once. */
export const MEMORY_PACE: Pace = { leaseMs: 1000, freezeMs: { low: 1300, high: 2300 }, patienceMs: 1500, limitMs: 90_000 }

/** A dead holder's record is taken over 1 to 4 s after the end of its lease: the clock is known to whole seconds, and guarded. */
export const DYNAMODB_PACE: Pace = { leaseMs: 3000, freezeMs: { low: 6000, high: 8000 }, patienceMs: 4000, limitMs: 150_000 }

export async function openMemoryRig(transit: Transit): Promise<Rig> {
  const server = await startStoreServer(memoryStore(), transit)
  return { setup: { kind: 'memory', port: server.port }, pace: MEMORY_PACE, close: () => server.close() }
}
