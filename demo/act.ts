import type { Books } from './books.ts'
import { Worker } from './fleet.ts'
import type { BooksSetup, DynamodbSetup, WorkerSetup } from './messages.ts'
import type { Script } from './script.ts'

/** What an act has in hand. */
export interface Stage {
  readonly setup: WorkerSetup & { readonly store: DynamodbSetup }
  /** DynamoDB Local itself. */
  readonly endpoint: string
  readonly books: Books
  readonly script: Script
  readonly say: (line: string) => void
  /** Past the end of any lease, so that another process takes over before the thaw. Milliseconds. */
  readonly freezeMs: number
  /** Workers that were started: whoever closes the play ends them. */
  readonly cast: Worker[]
}

/** Processes that run one function each. Short invocations, so that the leases of those that die end soon. */
const INVOCATION_MS = 2500

export async function startWorkers(stage: Stage, name: BooksSetup['function'], count: number): Promise<readonly Worker[]> {
  const { setup, books } = stage
  // Their own writes pass the proxy as well, where the script waits for its cues.
  const { endpoint } = setup.store
  const own = { ...setup, invocationMs: INVOCATION_MS, books: { function: name, endpoint, tableName: books.tableName } }
  const workers = Array.from({ length: count }, (_, index) => {
    return new Worker(`${name.slice(0, 1)}${index + 1}`, { setup: own, onEvent: () => undefined })
  })
  stage.cast.push(...workers)
  await Promise.all(workers.map((worker) => worker.ready))
  return workers
}

/** When nobody gets anywhere any more. */
export const ACT_LIMIT_MS = 40_000
