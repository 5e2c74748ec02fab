import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { acquireLock, isAlonceError, type OnEvent, type Store, withIdempotency } from '../../lib/index.ts'
import { dynamodbStore } from '../../lib/stores/dynamodb/dynamodb-store.ts'
import type { Execution } from '../support/history.ts'
import { LEASE_MS, type Line, type Orders, sharedNow } from './journal.ts'

/** One process of the integration tests: contends for a lock, or calls an operation, many times at once. */
const orders = JSON.parse(process.argv[2] ?? '') as Orders

const store = dynamodbStore({
  tableName: orders.tableName,
  clientConfig: {
    endpoint: orders.endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'fake', secretAccessKey: 'fake' },
  },
  // The machine may be busy with other tests: what is tested here is not how fast it is.
  requestTimeoutMs: 10_000,
  totalTimeoutMs: 50_000,
})

const say = (line: Line): unknown => process.stdout.write(`${JSON.stringify(line)}\n`)
const PATIENCE_MS = 120_000

async function contend(key: string, asked = sharedNow()): Promise<void> {
  const lock = await acquireLock({ store, key, leaseMs: LEASE_MS, waitMs: PATIENCE_MS })
  const grantedAt = sharedNow()
  await delay(3)
  lock.assertHeld()
  const hold = { what: 'hold', key, owner: lock.owner, fence: lock.fence, askedAt: asked, grantedAt } as const
  say({ entry: { ...hold, believedUntil: sharedNow(), process: orders.name } })
  await lock.release()
}

async function getStuck(key: string): Promise<void> {
  const askedAt = sharedNow()
  const lock = await acquireLock({ store, key, leaseMs: LEASE_MS })
  say({ stuck: { key, owner: lock.owner, fence: lock.fence, askedAt, from: sharedNow() } })
  await delay(PATIENCE_MS)
}

/** One call in four is not patient. On a key that "fails first", the first attempt throws. */
async function call(protectedBy: Store, key: string, index: number): Promise<void> {
  const owner = `${orders.name}-${index}`
  const askedAt = sharedNow()
  let ran: Execution['ran']
  let outcome: Execution['outcome']
  let result: string | undefined
  try {
    result = await withIdempotency(
      { store: protectedBy, operation: 'charge', key, leaseMs: LEASE_MS, waitMs: index % 4 === 0 ? 0 : PATIENCE_MS },
      async ({ fence, attempt }) => {
        const from = sharedNow()
        await delay(20)
        ran = { fence, from, until: sharedNow() }
        if (key.startsWith('fails-first') && attempt === 1) throw new Error('card declined')
        return `charged by ${owner}`
      },
    )
    if (ran) outcome = result === `charged by ${owner}` ? 'completed' : 'zombie'
    else outcome = 'replayed'
  } catch (error) {
    outcome = outcomeOf(error)
  }
  say({ entry: { what: 'call', key, owner, askedAt, returnedAt: sharedNow(), ran, outcome, result, process: orders.name } })
}

function outcomeOf(error: unknown): Execution['outcome'] {
  if (isAlonceError(error, 'IN_PROGRESS')) return 'refused'
  if (isAlonceError(error, 'OUTCOME_UNCERTAIN')) return 'zombie'
  if (error instanceof Error && error.message === 'card declined') return 'failed'
  throw error
}

async function callAndGetStuck(key: string): Promise<void> {
  const askedAt = sharedNow()
  const owner = orders.name
  let ran: Execution['ran']
  const onEvent: OnEvent = ({ event }) => event === 'lost' && say({ told: event })
  const result = await withIdempotency({ store, operation: 'charge', key, leaseMs: LEASE_MS, onEvent }, async ({ fence }) => {
    const from = sharedNow()
    say({ stuck: { key, owner, fence, askedAt, from } })
    // Long enough to be stopped or killed in; one that is thawed goes on and completes what is no longer its own.
    await delay(1000)
    ran = { fence, from, until: sharedNow() }
    return `charged by ${owner}`
  })
  const outcome = result === `charged by ${owner}` ? 'completed' : 'zombie'
  say({ entry: { what: 'call', key, owner, askedAt, returnedAt: sharedNow(), ran, outcome, result, process: orders.name } })
}

function work(): Promise<unknown> {
  const keyOf = (index: number): string => orders.keys[index % orders.keys.length] ?? ''
  const many = (act: (key: string, index: number) => Promise<void>): Promise<unknown> =>
    Promise.all(Array.from({ length: orders.count }, (_, index) => act(keyOf(index), index)))
  switch (orders.role) {
    case 'contender':
      return many((key) => contend(key))
    case 'caller':
      return many((key, index) => call(store, key, index))
    case 'stuck-contender':
      return getStuck(keyOf(0))
    case 'stuck-caller':
      return callAndGetStuck(keyOf(0))
  }
}

say({ ready: true })
await once(process.stdin, 'data')
await work().catch((error: unknown) => say({ unexpected: error instanceof Error ? `${error.message}` : String(error) }))
process.stdin.destroy()
