import type { RecordKey } from '../../lib/store/record.ts'
import type { Store } from '../../lib/store/store.ts'
import { memoryStore } from '../../lib/stores/memory/memory-store.ts'
import { faultyStore } from '../../lib/testing/faulty-store.ts'
import type { Wire } from '../../lib/testing/wire.ts'
import { dynamodb } from './dynamodb-backend.ts'
import { dynamodbMissing } from './dynamodb-table.ts'
import type { SimulatedClient, World } from './world.ts'

/** A store that scenarios run on, shared by the clients of one world. */
export interface Backend {
  readonly name: string
  open(world: World): Promise<Shared>
}

export interface Shared {
  /** The store as one client sees it: the client's own clocks and timers, and a wire in the test's hands. */
  connect(client: SimulatedClient): Connection
  /** Deletes a record, as TTL or a hand would. */
  remove(key: RecordKey): Promise<void>
}

export interface Connection {
  readonly store: Store
  readonly wire: Wire
}

const memory: Backend = {
  name: 'memory',
  open: async (world) => {
    const store = memoryStore({ runtime: world.client() })
    return {
      connect: (client) => {
        const faulty = faultyStore(store, { runtime: client })
        return { store: faulty, wire: faulty.wire }
      },
      remove: async (key) => store.delete(key),
    }
  },
}

/** DynamoDB Local is left out where there is no Java; `test/stores/dynamodb` then says so by a skipped test. */
export const backends: readonly Backend[] = dynamodbMissing === undefined ? [memory, dynamodb] : [memory]
