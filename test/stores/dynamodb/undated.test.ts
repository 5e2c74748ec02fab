import { describe, expect, test } from 'vitest'
import type { LockAcquire } from '../../../lib/store/command.ts'
import { lockKey } from '../../../lib/store/key.ts'
import { openDynamoDB } from '../../support/dynamodb-backend.ts'
import { dynamodbMissing } from '../../support/dynamodb-table.ts'
import { World } from '../../support/world.ts'

const LEASE = 10_000
const key = lockKey('a')

/** Two clients whose replies carry no `Date`: what they see unchanged for the length of its lease has ended. */
async function stage() {
  const world = new World()
  const shared = await openDynamoDB(world)
  const connect = (wallOffsetMs: number) => {
    const connection = shared.connect(world.client({ wallOffsetMs }))
    connection.server.stripDate = true
    return connection.store
  }
  return { world, a: connect(0), b: connect(3_600_000) }
}

const acquire = (owner: string, more: Partial<LockAcquire> = {}): LockAcquire => ({
  type: 'lock.acquire',
  key,
  owner,
  leaseMs: LEASE,
  ...more,
})

describe.skipIf(dynamodbMissing)('where replies carry no Date', () => {
  test('V5 a dead member’s permit is taken when it was seen unchanged for its lease, and a live one’s is not', async () => {
    const { world, a, b } = await stage()
    const permit = { share: { limit: 2, weight: 1 } }
    await a.execute(acquire('dead', permit))
    const live = await a.execute(acquire('live', permit))
    const fence = live.outcome === 'acquired' ? live.fence : expect.unreachable()
    let takenAfterMs = 0
    for (let ms = 0; ms < 3 * LEASE && takenAfterMs === 0; ms += 2000) {
      await a.execute({ type: 'lock.renew', key, owner: 'live', fence, leaseMs: LEASE, hint: 'shared' })
      const reply = await b.execute(acquire(`new-${ms}`, permit))
      if (reply.outcome === 'acquired') takenAfterMs = ms
      await world.advance(2000)
    }
    expect(takenAfterMs).toBeGreaterThan(LEASE)
    expect(await b.read(key)).toMatchObject({ pool: { weight: 2, members: { live: { fence } } } })
  })

  test('L13 a dead waiter is passed by when its sign of life was seen unchanged for as long as it counts', async () => {
    const { world, a, b } = await stage()
    const held = await a.execute(acquire('A'))
    await a.execute(acquire('dead', { queueMs: LEASE }))
    await a.execute({ type: 'lock.break', key, owner: 'operator', fence: 'fence' in held ? held.fence : expect.unreachable() })
    expect(await b.execute(acquire('B'))).toMatchObject({ outcome: 'held', because: 'queue' })
    await world.advance(LEASE - 1000)
    expect(await b.execute(acquire('C'))).toMatchObject({ outcome: 'held', because: 'queue' })
    await world.advance(2000)
    expect(await b.execute(acquire('D'))).toMatchObject({ outcome: 'acquired' })
  })

  test('a place in the queue behind a holder whose end is its own clock’s is taken all the same', async () => {
    const { a, b } = await stage()
    await a.execute(acquire('A'))
    await a.execute(acquire('B', { queueMs: LEASE }))
    expect(await b.execute(acquire('C', { queueMs: LEASE }))).toMatchObject({ outcome: 'queued', place: 1 })
    await a.execute({ type: 'lock.release', key, owner: 'A', hint: 'queue' })
    expect(await b.read(key)).toMatchObject({ holder: { owner: 'B' }, queue: [{ owner: 'C' }] })
  })
})
