import { describe, expect, test } from 'vitest'
import { lockKey } from '../../../lib/store/key.ts'
import type { Fence, RecordKey } from '../../../lib/store/record.ts'
import { openDynamoDB } from '../../support/dynamodb-backend.ts'
import { dynamodbMissing } from '../../support/dynamodb-table.ts'
import { World } from '../../support/world.ts'

const LEASE = 10_000
const lock = lockKey('a')
const once = 'once/charge/1' as RecordKey

async function stage() {
  const world = new World()
  const shared = await openDynamoDB(world)
  const connect = () => shared.connect(world.client())
  const [a, b] = [connect(), connect()]
  // Both know the server's clock.
  await a.store.read(lock)
  await b.store.read(lock)
  return { world, shared, a, b }
}

describe.skipIf(dynamodbMissing)('the slow way writes only what it has read', () => {
  test('a checkpoint comes between the read and the write of a retirement: both are kept', async () => {
    const { world, a, b } = await stage()
    await a.store.execute({ type: 'once.begin', key: once, owner: 'A', leaseMs: LEASE, retainMs: 60_000 })
    const held = a.wire.hold('once.retire')
    const retired = a.store.execute({ type: 'once.retire', key: once, owner: 'A', name: 'pay', generation: 1 })
    await world.run(held.arrived)
    await b.store.execute({ type: 'once.checkpoint', key: once, owner: 'A', name: 'c', value: 'v' })
    held.letGo()
    expect(await world.run(retired)).toEqual({ outcome: 'retired', generation: 1 })
    expect(await b.store.read(once)).toMatchObject({ checkpoints: { c: 'v' }, retired: { pay: 1 } })
  })

  test('L8 V4 a release comes between the read and the write of a break: nobody’s lease is ended', async () => {
    const { world, a, b } = await stage()
    const acquired = await b.store.execute({ type: 'lock.acquire', key: lock, owner: 'B', leaseMs: LEASE })
    const fence = ('fence' in acquired ? acquired.fence : 0) as Fence
    const held = a.wire.hold('lock.break')
    const broken = a.store.execute({ type: 'lock.break', key: lock, owner: 'operator', fence })
    await world.run(held.arrived)
    await b.store.execute({ type: 'lock.release', key: lock, owner: 'B' })
    await b.store.execute({ type: 'lock.acquire', key: lock, owner: 'C', leaseMs: LEASE })
    held.letGo()
    expect(await world.run(broken)).toEqual({ outcome: 'unchanged' })
    expect(await b.store.read(lock)).toMatchObject({ holder: { owner: 'C' } })
  })

  test('L11 V2 V4 the record is deleted and begun anew between the read and the write: the write finds another version', async () => {
    const { world, shared, a, b } = await stage()
    await a.store.execute({ type: 'once.begin', key: once, owner: 'A', leaseMs: LEASE, retainMs: 60_000 })
    const held = a.wire.hold('once.retire')
    const retired = a.store.execute({ type: 'once.retire', key: once, owner: 'A', name: 'pay', generation: 1 })
    await world.run(held.arrived)
    await shared.remove(once)
    await world.advance(50)
    await b.store.execute({ type: 'once.begin', key: once, owner: 'B', leaseMs: LEASE, retainMs: 60_000 })
    held.letGo()
    expect(await world.run(retired)).toEqual({ outcome: 'lost' })
    expect(await b.store.read(once)).toMatchObject({ owner: 'B', retired: {} })
  })

  test('somebody changes the record before each write: given up after ten rounds, and said so', async () => {
    const world = new World()
    const shared = await openDynamoDB(world)
    const [a, b] = [shared.connect(world.client()), shared.connect(world.client())]
    await a.store.execute({ type: 'once.begin', key: once, owner: 'A', leaseMs: LEASE, retainMs: 60_000 })
    const retired = a.store.execute({ type: 'once.retire', key: once, owner: 'A', name: 'pay', generation: 1 })
    for (let round = 0; round < 10; round++) {
      const held = a.wire.hold('once.retire')
      await world.run(held.arrived)
      await b.store.execute({ type: 'once.checkpoint', key: once, owner: 'A', name: `c${round}`, value: 'v' })
      held.letGo()
    }
    await expect(world.run(retired)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', maybeApplied: false, key: once })
  })
})
