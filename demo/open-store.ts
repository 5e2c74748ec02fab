import type { Store } from '../lib/store/store.ts'
import type { WorkerSetup } from './messages.ts'
import { socketStore } from './socket-store.ts'

/** The store of a worker process; each of its requests says which delivery it is for. */
export async function openStore(setup: WorkerSetup['store'], delivery: () => string | undefined): Promise<Store> {
  if (setup.kind === 'memory') return socketStore({ port: setup.port, delivery })
  const { dynamodbLocalStore } = await import('./dynamodb-local-store.ts')
  return dynamodbLocalStore(setup, delivery)
}
