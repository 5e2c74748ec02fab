import { randomUUID } from 'node:crypto'
import { afterEach, describe, expect, test } from 'vitest'
import { dynamodbMissing, localConfig, testTable } from '../support/dynamodb-table.ts'
import { type Execution, type Hold, problems } from '../support/history.ts'
import { LEASE_MS, type Orders, sharedNow } from './journal.ts'
import { Client } from './processes.ts'

/**
 * Real processes, real time, a real DynamoDB (Local): what clients saw is recorded and checked for V1-V4. One process is
 * killed while it holds, another is frozen past its lease and thawed.
 */
const PROCESSES = 4

const started: Client[] = []
afterEach(() => {
  for (const client of started.splice(0)) client.signal('SIGKILL')
})

async function start(orders: Omit<Orders, 'endpoint' | 'tableName'>): Promise<Client> {
  const { tableName } = await testTable()
  const client = new Client({ ...orders, endpoint: String(localConfig().endpoint), tableName })
  started.push(client)
  return client
}

const startAll = (role: 'contender' | 'caller', { keys, each }: { keys: readonly string[]; each: number }): Promise<Client[]> =>
  Promise.all(Array.from({ length: PROCESSES }, (_, index) => start({ name: `p${index}`, role, keys, count: each })))

/** All at once, when all of them are up. */
async function run(clients: readonly Client[]): Promise<void> {
  await Promise.all(clients.map((client) => client.ready))
  for (const client of clients) client.go()
}

async function finish(clients: readonly Client[]): Promise<void> {
  for (const client of clients) await client.ended()
  expect(clients.flatMap((client) => client.unexpected)).toEqual([])
}

describe.skipIf(dynamodbMissing)('real processes on DynamoDB Local', () => {
  test('V1 V2 V3 L12 200 contenders for one lock from 4 processes, and a holder that was killed: all of them hold it, one by one', async () => {
    const key = `contended-${randomUUID()}`
    const victim = await start({ name: 'victim', role: 'stuck-contender', keys: [key], count: 1 })
    const clients = await startAll('contender', { keys: [key], each: 200 / PROCESSES })
    await run([victim])
    const stuck = await victim.stuck
    await run(clients)
    victim.signal('SIGKILL')
    await victim.ended()
    const killedAt = sharedNow()
    await finish(clients)

    const { from: grantedAt, ...rest } = stuck
    // It may have renewed while it lived, and believed until it was killed.
    const killed: Hold = { what: 'hold', ...rest, grantedAt, believedUntil: Math.min(killedAt, grantedAt + LEASE_MS) }
    const holds = clients.flatMap((client) => client.entries)
    expect(holds).toHaveLength(200)
    expect(problems([killed, ...holds])).toEqual([])
  }, 170_000)

  test('V1-V4 500 duplicates of five operations from 4 processes, an owner killed and another frozen: each is completed once', async () => {
    const id = randomUUID()
    const [plain, again, failing, killed, frozen] = ['plain', 'again', 'fails-first', 'killed', 'frozen'].map(
      (name) => `${name}-${id}`,
    ) as [string, string, string, string, string]
    const dying = await start({ name: 'dying', role: 'stuck-caller', keys: [killed], count: 1 })
    const freezing = await start({ name: 'freezing', role: 'stuck-caller', keys: [frozen], count: 1 })
    const clients = await startAll('caller', { keys: [plain, again, failing, killed, frozen], each: 500 / PROCESSES })
    await run([dying, freezing])
    const [death] = await Promise.all([dying.stuck, freezing.stuck])
    dying.signal('SIGKILL')
    freezing.signal('SIGSTOP')
    await run(clients)
    await finish(clients)
    freezing.signal('SIGCONT')
    await finish([freezing])

    const dead: Execution = {
      what: 'call',
      ...death,
      returnedAt: death.from,
      ran: { fence: death.fence, from: death.from, until: death.from },
      outcome: 'zombie',
    }
    const calls = clients.flatMap((client) => client.entries) as Execution[]
    const all = [dead, ...(freezing.entries as Execution[]), ...calls]
    expect(calls).toHaveLength(500)
    expect(problems(all)).toEqual([])
    for (const key of [plain, again, failing, killed, frozen]) {
      const outcomes = all.filter((call) => call.key === key).map((call) => call.outcome)
      expect([key, outcomes.filter((outcome) => outcome === 'completed').length]).toEqual([key, 1])
      // Three in four are patient, and get the one result.
      expect(outcomes.filter((outcome) => outcome === 'replayed').length).toBeGreaterThan(70)
    }
    expect(calls.filter((call) => call.outcome === 'failed').map((call) => call.key)).toEqual([failing])
    // Once or twice: that its lease has ended, if the timer comes first, and that its completion was refused.
    expect(new Set(freezing.told)).toEqual(new Set(['lost']))
    expect(freezing.entries.map((entry) => entry.what === 'call' && entry.outcome)).toEqual(['zombie'])
  }, 170_000)
})
