import { describe, expect, test } from 'vitest'
import { acquireLock, makeIdempotent } from '../../../lib/index.ts'
import type { AcquiredAll, LockAcquire } from '../../../lib/store/command.ts'
import { lockKey } from '../../../lib/store/key.ts'
import type { LockRecord } from '../../../lib/store/record.ts'
import type { Store } from '../../../lib/store/store.ts'
import { type DynamoDBConnection, openDynamoDB } from '../../support/dynamodb-backend.ts'
import { dynamodbMissing } from '../../support/dynamodb-table.ts'
import { type ClientOptions, World } from '../../support/world.ts'

const LEASE = 10_000
const HOUR = 3_600_000
const [x, y] = [lockKey('x'), lockKey('y')]

async function stage() {
  const world = new World()
  const shared = await openDynamoDB(world)
  const process = (options?: ClientOptions): DynamoDBConnection => shared.connect(world.client(options))
  /** Its store knows the server's clock. */
  const started = async (options?: ClientOptions): Promise<DynamoDBConnection> => {
    const connection = process(options)
    await connection.store.read(lockKey('any'))
    connection.wire.sent.length = 0
    return connection
  }
  const record = async (key: typeof x): Promise<LockRecord | undefined> =>
    (await process().store.read(key)) as LockRecord | undefined
  return { world, shared, process, started, record }
}

const pair = (owner: string): readonly LockAcquire[] =>
  [x, y].map((key, index) => ({ type: 'lock.acquire', key, owner: `${owner}${index}`, leaseMs: LEASE }))

function acquireAll({ store }: DynamoDBConnection, owner: string): Promise<AcquiredAll> {
  if (!store.acquireAll) throw new Error('this store takes no locks together')
  return store.acquireAll(pair(owner))
}

async function release(store: Store, owner: string): Promise<void> {
  for (const { key, owner: part } of pair(owner)) await store.execute({ type: 'lock.release', key, owner: part })
}

const fencesOf = (answer: AcquiredAll): readonly number[] => ('grants' in answer ? answer.grants.map(({ fence }) => fence) : [])

/** A transaction that DynamoDB cancelled, with a reason for each item. */
const cancelled = (...codes: readonly string[]) => ({
  status: 400,
  body: {
    __type: 'com.amazonaws.dynamodb.v20120810#TransactionCanceledException',
    message: `Transaction cancelled, please refer cancellation reasons for specific reasons [${codes.join(', ')}]`,
    CancellationReasons: codes.map((Code) => ({ Code })),
  },
})

describe.skipIf(dynamodbMissing)(`several locks in one transaction of DynamoDB (${dynamodbMissing ?? 'running'})`, () => {
  test('one request, from the second command of a process on; its first one reads the time first', async () => {
    const { world, process, started } = await stage()
    const a = process()
    expect((await acquireAll(a, 'A')).outcome).toBe('acquired')
    expect(a.wire.sent).toEqual(['read', 'acquire-all'])
    await release(a.store, 'A')
    a.wire.sent.length = 0
    expect((await acquireAll(a, 'B')).outcome).toBe('acquired')
    expect(a.wire.sent).toEqual(['acquire-all'])
    await release(a.store, 'B')
    await world.advance(2000)
    const c = await started()
    expect((await acquireAll(c, 'C')).outcome).toBe('acquired')
    expect(c.wire.sent).toEqual(['acquire-all'])
  })

  test('a refusal is one request: it brings the holder along', async () => {
    const { started } = await stage()
    const [a, b] = [await started(), await started()]
    await acquireAll(b, 'B')
    const answer = await acquireAll(a, 'A')
    expect(answer).toMatchObject({ outcome: 'refused', index: 0, reply: { outcome: 'held', holder: { owner: 'B0' } } })
    expect(a.wire.sent).toEqual(['acquire-all'])
  })

  test('V2 the fence is named beforehand, and is larger than the last: where it would not be, it takes one request more', async () => {
    const { world, shared, started, record } = await stage()
    const a = await started()
    const future = world.now + HOUR
    await shared.plant(x, { sv: { N: '1' }, f: { N: String(future) }, v: { N: '7' }, ttl: { N: '9999999999' } })
    const answer = await acquireAll(a, 'A')
    const [fenceOfX, fenceOfY] = fencesOf(answer)
    expect(fenceOfX).toBe(future + 1)
    expect((await record(x))?.fence).toBe(fenceOfX)
    expect((await record(y))?.fence).toBe(fenceOfY)
    expect(Math.abs((fenceOfY ?? 0) - world.now)).toBeLessThan(2000)
    expect(a.wire.sent).toEqual(['acquire-all', 'acquire-all'])
  })

  test('V2 a share’s fence is larger than the last as well', async () => {
    const { world, shared, started, record } = await stage()
    const a = await started()
    const future = world.now + HOUR
    const pool = { h: { M: {} }, hf: { M: {} }, w: { N: '0' }, q: { L: [] }, qm: { M: {} } }
    await shared.plant(x, { sv: { N: '1' }, f: { N: String(future) }, v: { N: '7' }, ttl: { N: '9999999999' }, ...pool })
    const shares = pair('A').map((command) => ({ ...command, share: { weight: 1 } }))
    const answer = await a.store.acquireAll?.(shares)
    expect(answer).toMatchObject({ outcome: 'acquired', grants: [{ fence: future + 1 }, {}] })
    expect((await record(x))?.pool?.members).toMatchObject({ A0: { fence: future + 1 } })
  })

  test('V2 a process that is granted the same locks again and again needs no second request for it', async () => {
    const { world, started } = await stage()
    const a = await started()
    let last = 0
    for (const owner of ['A', 'B', 'C', 'D', 'E']) {
      const [fence = 0] = fencesOf(await acquireAll(a, owner))
      expect(fence).toBeGreaterThan(last)
      last = fence
      await release(a.store, owner)
      await world.advance(1)
    }
    expect(a.wire.sent.filter((type) => type === 'acquire-all')).toHaveLength(5)
  })

  test.each([-HOUR, HOUR])(
    'L3 a wall clock wrong by %i ms leaves no mark: expiries and fences are the server’s',
    async (wallOffsetMs) => {
      const { world, process, record } = await stage()
      const a = process({ wallOffsetMs })
      const answer = await acquireAll(a, 'A')
      for (const [index, key] of [x, y].entries()) {
        const { fence, holder } = (await record(key)) as LockRecord
        expect(fence).toBe(fencesOf(answer)[index])
        expect(Math.abs(fence - world.now)).toBeLessThan(2000)
        expect((holder?.expiresAtMs ?? 0) - world.now).toBeGreaterThanOrEqual(LEASE)
        expect((holder?.expiresAtMs ?? 0) - world.now).toBeLessThanOrEqual(LEASE + 1100)
      }
    },
  )

  test('V5 where replies carry no date all are read first; a dead holder’s lock is taken once it was seen unchanged for its lease', async () => {
    const { world, process } = await stage()
    const [a, b] = [process(), process()]
    a.server.stripDate = true
    await b.store.execute({ type: 'lock.acquire', key: x, owner: 'B', leaseMs: LEASE })
    expect(await acquireAll(a, 'A')).toMatchObject({ outcome: 'refused', index: 0 })
    expect(a.wire.sent).toEqual(['read', 'read'])
    await world.advance(LEASE - 1000)
    expect((await acquireAll(a, 'A')).outcome).toBe('refused')
    await world.advance(2000)
    const answer = await acquireAll(a, 'A')
    expect(answer).toMatchObject({ outcome: 'acquired', grants: [{ tookOver: true }, { tookOver: false }] })
    expect((await b.store.read(x))?.fence).toBe(fencesOf(answer)[0])
  })

  test('conflicts with other writes, and throttling, are tried again after a pause, as the same transaction', async () => {
    const { world, started, record } = await stage()
    const a = await started()
    const answers = [cancelled('TransactionConflict', 'None'), cancelled('None', 'ThrottlingError')]
    a.server.answer = () => answers.shift()
    const before = world.now
    const answer = await world.run(acquireAll(a, 'A'))
    expect(a.wire.sent).toEqual(['acquire-all', 'acquire-all', 'acquire-all'])
    expect(world.now).toBeGreaterThan(before)
    for (const [index, key] of [x, y].entries()) expect((await record(key))?.fence).toBe(fencesOf(answer)[index])
  })

  test('a refusal that brings no item is looked after; what met another write is tried again as it is', async () => {
    const { world, started } = await stage()
    const a = await started()
    const answers = [cancelled('TransactionConflict', 'ConditionalCheckFailed')]
    a.server.answer = () => answers.shift()
    expect((await world.run(acquireAll(a, 'A'))).outcome).toBe('acquired')
    expect(a.wire.sent).toEqual(['acquire-all', 'read', 'acquire-all'])
  })

  test('an item that can’t be written, and a record that is not ours, are told', async () => {
    const { world, shared, started } = await stage()
    const a = await started()
    a.server.answer = () => cancelled('None', 'ValidationError')
    await expect(world.run(acquireAll(a, 'A'))).rejects.toMatchObject({ code: 'RECORD_UNREADABLE', key: y })
    a.server.answer = undefined
    await shared.plant(y, { sv: { N: '99' }, f: { N: '1' }, v: { N: '1' } })
    await expect(world.run(acquireAll(a, 'A'))).rejects.toMatchObject({ code: 'STORE_SCHEMA', key: y })
  })

  test('somebody changes a record before each write: given up after ten rounds, and said so', async () => {
    const { world, shared, started } = await stage()
    const a = await started()
    const future = world.now + HOUR
    const put = (fence: number) =>
      shared.plant(x, { sv: { N: '1' }, f: { N: String(fence) }, v: { N: String(fence) }, ttl: { N: '9999999999' } })
    await put(future)
    const acquiring = acquireAll(a, 'A')
    acquiring.catch(() => undefined)
    for (let round = 1; round <= 10; round++) {
      const held = a.wire.hold('acquire-all')
      await world.run(held.arrived)
      await put(future + 10 * round)
      held.letGo()
    }
    await expect(world.run(acquiring)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', maybeApplied: false })
  })

  test('a release comes between the look and the write: taken in the next round', async () => {
    const { world, started, record } = await stage()
    const [a, b] = [await started(), await started()]
    await b.store.execute({ type: 'lock.acquire', key: x, owner: 'dead', leaseMs: LEASE })
    await world.advance(LEASE + 5000)
    await a.store.read(y)
    a.wire.hold('acquire-all').letGo()
    const second = a.wire.hold('acquire-all')
    const acquiring = acquireAll(a, 'A')
    await world.run(second.arrived)
    await b.store.execute({ type: 'lock.release', key: x, owner: 'dead' })
    second.letGo()
    const answer = await world.run(acquiring)
    expect(answer).toMatchObject({ outcome: 'acquired', grants: [{ tookOver: false }, { tookOver: false }] })
    expect((await record(x))?.fence).toBe(fencesOf(answer)[0])
  })

  test('a table without transactions says so: keys are taken in turn, and what needs a transaction is refused', async () => {
    const { world, shared } = await stage()
    const { store, wire } = shared.connect(world.client(), { transactions: false })
    expect([store.acquireAll, store.transactions]).toEqual([undefined, undefined])
    const lock = await world.run(acquireLock({ store, keys: ['x', 'y'], leaseMs: LEASE }))
    expect(wire.sent).toEqual(['lock.acquire', 'lock.acquire'])
    expect(() => lock.locks[0]?.guard()).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
    const order = makeIdempotent(async () => 1, { store, operation: 'order', key: () => 1 })
    expect(await world.run(order())).toBe(1)
  })
})
