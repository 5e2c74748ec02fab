import { describe, expect, test } from 'vitest'
import type { LockAcquire, OnceBegin, Replies } from '../../../lib/store/command.ts'
import { lockKey } from '../../../lib/store/key.ts'
import type { Fence, RecordKey } from '../../../lib/store/record.ts'
import { type DynamoDBConnection, openDynamoDB } from '../../support/dynamodb-backend.ts'
import { dynamodbMissing } from '../../support/dynamodb-table.ts'
import { type ClientOptions, World } from '../../support/world.ts'

const LEASE = 10_000
const GUARD = 1000
const HOUR = 3_600_000
const lock = lockKey('a')
const once = 'once/charge/1' as RecordKey

async function stage() {
  const world = new World()
  const shared = await openDynamoDB(world)
  const process = (options?: ClientOptions) => {
    const client = world.client(options)
    return { client, ...shared.connect(client) }
  }
  return { world, shared, process }
}

type Granted = Extract<Replies['lock.acquire'], { outcome: 'acquired' }>

const acquire = ({ store }: DynamoDBConnection, owner: string, more: Partial<LockAcquire> = {}) =>
  store.execute({ type: 'lock.acquire', key: lock, owner, leaseMs: LEASE, ...more })
const begin = ({ store }: DynamoDBConnection, owner: string, more: Partial<OnceBegin> = {}) =>
  store.execute({ type: 'once.begin', key: once, owner, leaseMs: LEASE, retainMs: 60_000, ...more })

async function granted(connection: DynamoDBConnection, owner: string): Promise<Granted> {
  const reply = await acquire(connection, owner)
  if (reply.outcome !== 'acquired') throw new Error(`${owner} was told ${reply.outcome}`)
  return reply
}

describe.skipIf(dynamodbMissing)('the first command, sent before the server’s clock is known', () => {
  test('with a right clock it is one request', async () => {
    const { world, process } = await stage()
    const a = process()
    const reply = await granted(a, 'A')
    expect(a.wire.sent).toEqual(['lock.acquire'])
    expect(reply.expiresAtMs).toBeGreaterThanOrEqual(world.now + LEASE)
    expect(reply.expiresAtMs).toBeLessThanOrEqual(world.now + LEASE + 1000)
  })

  test.each([-HOUR, -30_000, -5000, -300, 5000, HOUR, 30 * 24 * HOUR])(
    'L3 a clock wrong by %i ms costs one request more; expiry, fence and TTL then are the server’s',
    async (wallOffsetMs) => {
      const { world, shared, process } = await stage()
      const a = process({ wallOffsetMs })
      const reply = await granted(a, 'A')
      expect(a.wire.sent).toEqual(['lock.acquire', 'lock.acquire'])
      expect(reply.expiresAtMs - world.now).toBeGreaterThanOrEqual(LEASE)
      expect(reply.expiresAtMs - world.now).toBeLessThanOrEqual(LEASE + 1100)
      expect(Math.abs(reply.fence - world.now)).toBeLessThan(2000)
      const head = (await shared.items(lock)).get('head')
      expect(head?.['x']?.N).toBe(String(reply.expiresAtMs))
      expect(head?.['f']?.N).toBe(String(reply.fence))
      expect(Number(head?.['ttl']?.N) * 1000).toBeGreaterThanOrEqual(reply.expiresAtMs + 24 * HOUR)
      expect(
        await a.store.execute({ type: 'lock.renew', key: lock, owner: 'A', leaseMs: LEASE * 2, fence: reply.fence }),
      ).toMatchObject({ outcome: 'renewed' })
    },
  )

  test.each([-HOUR, HOUR])('I16 a begin by a clock wrong by %i ms is put right as well', async (wallOffsetMs) => {
    const { world, shared, process } = await stage()
    const a = process({ wallOffsetMs })
    const reply = await begin(a, 'A')
    expect(a.wire.sent).toEqual(['once.begin', 'once.begin'])
    expect(reply).toMatchObject({ outcome: 'started', attempt: 1, tookOver: false, checkpoints: {} })
    expect('fence' in reply && Math.abs(reply.fence - world.now)).toBeLessThan(2000)
    const head = (await shared.items(once)).get('head')
    expect(Number(head?.['x']?.N) - world.now).toBeGreaterThanOrEqual(LEASE)
    expect(Number(head?.['x']?.N) - world.now).toBeLessThanOrEqual(LEASE + 1100)
    expect(Number(head?.['ttl']?.N) * 1000 - world.now).toBeGreaterThanOrEqual(60_000 + 24 * HOUR)
  })

  test('V2 the grant of an existing record keeps its rising fence when only the expiry is put right', async () => {
    const { process } = await stage()
    const [a, b] = [process(), process({ wallOffsetMs: HOUR })]
    const first = await granted(a, 'A')
    await a.store.execute({ type: 'lock.release', key: lock, owner: 'A' })
    const second = await granted(b, 'B')
    expect(second.fence).toBe(first.fence + 1)
  })

  test('L3 a contender whose clock is an hour ahead does not take a live lock', async () => {
    const { process } = await stage()
    await granted(process(), 'A')
    const b = process({ wallOffsetMs: HOUR })
    expect(await acquire(b, 'B')).toMatchObject({ outcome: 'held' })
    expect(b.wire.sent).toEqual(['lock.acquire'])
  })

  test('L12 a takeover by a process that has just started costs one request more', async () => {
    const { world, process } = await stage()
    const first = await granted(process(), 'A')
    await world.advance(LEASE + 1000 + GUARD + 1000)
    const b = process()
    expect(await acquire(b, 'B')).toMatchObject({ outcome: 'acquired', tookOver: true, fence: first.fence + 1 })
    expect(b.wire.sent).toEqual(['lock.acquire', 'lock.acquire'])
  })

  test('L6 its answer is lost and its clock is an hour behind: held, and put right', async () => {
    const { world, process } = await stage()
    const a = process({ wallOffsetMs: -HOUR })
    a.wire.inject('drop-answer', 'lock.acquire')
    const reply = await world.run(acquire(a, 'A'))
    expect(reply).toMatchObject({ outcome: 'acquired' })
    expect('expiresAtMs' in reply && reply.expiresAtMs - world.now).toBeGreaterThanOrEqual(LEASE)
    expect('fence' in reply && Math.abs(reply.fence - world.now)).toBeLessThan(2000)
  })

  test('the correction’s answer is lost too: it is recognised, and the fence is the one in the table', async () => {
    const { world, shared, process } = await stage()
    const a = process({ wallOffsetMs: HOUR })
    const arrived = a.wire.hold('lock.acquire')
    const reply = acquire(a, 'A')
    await world.run(arrived.arrived)
    a.wire.inject('drop-answer', 'lock.acquire')
    arrived.letGo()
    const final = await world.run(reply)
    expect(final).toMatchObject({ outcome: 'acquired' })
    const head = (await shared.items(lock)).get('head')
    expect(head?.['f']?.N).toBe(String('fence' in final && final.fence))
    expect(a.wire.sent).toHaveLength(3)
  })

  test('while it is put right, others have broken it: the answer tells what the record then says', async () => {
    const { world, shared, process } = await stage()
    const [a, b] = [process({ wallOffsetMs: -HOUR }), process()]
    await b.store.read(lock)
    const first = a.wire.hold('lock.acquire')
    const reply = acquire(a, 'A')
    await world.run(first.arrived)
    const correction = a.wire.hold('lock.acquire')
    first.letGo()
    await world.run(correction.arrived)
    // The guess was an hour behind, so its lease has ended by the server's clock.
    expect(await acquire(b, 'B')).toMatchObject({ outcome: 'acquired', tookOver: true })
    correction.letGo()
    expect(await world.run(reply)).toMatchObject({ outcome: 'held', holder: { owner: 'B' } })
    expect((await shared.items(lock)).get('head')?.['o']?.S).toBe('B')
  })

  test('a renewal by a guess that was too early is sent again', async () => {
    const { world, process } = await stage()
    const [a, late] = [process(), process({ wallOffsetMs: -5000 })]
    const { fence } = await granted(a, 'A')
    const renew = { type: 'lock.renew', key: lock, owner: 'A', leaseMs: LEASE * 2, fence } as const
    const reply = await late.store.execute(renew)
    expect(late.wire.sent).toEqual(['lock.renew', 'lock.renew'])
    expect('expiresAtMs' in reply && reply.expiresAtMs).toBeGreaterThanOrEqual(world.now + LEASE * 2)
  })
})

describe.skipIf(dynamodbMissing)('takeover by the server’s clock', () => {
  test('V5 not while the holder may trust its lease, nor within the guard after it; soon after that', async () => {
    const { world, process } = await stage()
    const [a, b] = [process(), process()]
    await b.store.read(lock)
    const { expiresAtMs } = await granted(a, 'A')
    let tookAt = 0
    while (tookAt === 0) {
      await world.advance(100)
      const reply = await acquire(b, 'B')
      if (reply.outcome === 'acquired') tookAt = world.now
      else if (a.store.now().latest < expiresAtMs) expect(reply.outcome).toBe('held')
    }
    expect(tookAt - expiresAtMs).toBeGreaterThan(GUARD)
    expect(tookAt - expiresAtMs).toBeLessThanOrEqual(GUARD + 1000 + 200)
  })

  test('V5 hosts whose clocks differ by half a second never give a lock to two who both believe', async () => {
    const { world, process } = await stage()
    const [a, b] = [process(), process()]
    a.server.dateOffsetMs = -500
    b.server.dateOffsetMs = 500
    await b.store.read(lock)
    const { expiresAtMs } = await granted(a, 'A')
    for (;;) {
      await world.advance(50)
      if ((await acquire(b, 'B')).outcome === 'acquired') break
    }
    expect(a.store.now().latest).toBeGreaterThanOrEqual(expiresAtMs)
  })
})

describe.skipIf(dynamodbMissing)('without a Date in the replies', () => {
  async function dateless() {
    const all = await stage()
    const process = (options?: ClientOptions) => {
      const made = all.process(options)
      made.server.stripDate = true
      return made
    }
    return { ...all, process, dated: all.process }
  }

  test('the first grant is marked by one more request; from then on each command is one', async () => {
    const { shared, process } = await dateless()
    const a = process({ wallOffsetMs: -HOUR })
    await granted(a, 'A')
    expect(a.wire.sent).toHaveLength(2)
    expect((await shared.items(lock)).get('head')).toMatchObject({ u: { N: '1' }, l: { N: String(LEASE) } })
    await a.store.execute({ type: 'lock.release', key: lock, owner: 'A' })
    await granted(a, 'B')
    expect(a.wire.sent).toHaveLength(4)
    expect((await shared.items(lock)).get('head')).toMatchObject({ u: { N: '1' }, o: { S: 'B' } })
  })

  test('the holder counts its lease by its own clock, however wrong that is', async () => {
    const { world, process } = await dateless()
    const a = process({ wallOffsetMs: -HOUR })
    const { expiresAtMs } = await granted(a, 'A')
    await world.advance(LEASE - 200)
    expect(a.store.now().latest).toBeLessThan(expiresAtMs)
    await world.advance(300)
    expect(a.store.now().latest).toBeGreaterThanOrEqual(expiresAtMs)
  })

  test.each([false, true])(
    'L3 takeover only when seen unchanged for a whole lease, whatever wall clocks say (contender has a Date: %s)',
    async (has) => {
      const { world, process, dated } = await dateless()
      const a = process({ wallOffsetMs: -HOUR })
      const b = has ? dated() : process({ wallOffsetMs: HOUR })
      await granted(a, 'A')
      await world.advance(LEASE - 100)
      expect(await acquire(b, 'B')).toMatchObject({ outcome: 'held' })
      // 0.1 % more than the lease, since it was seen.
      await world.advance(LEASE)
      expect(await acquire(b, 'B')).toMatchObject({ outcome: 'held' })
      await world.advance(20)
      expect(await acquire(b, 'B')).toMatchObject({ outcome: 'acquired', tookOver: true })
    },
  )

  test('L3 a renewal starts the watch anew; a plain read counts as a look', async () => {
    const { world, process } = await dateless()
    const [a, b] = [process(), process()]
    const { fence } = await granted(a, 'A')
    await b.store.read(lock)
    await world.advance(LEASE - 1000)
    await a.store.execute({ type: 'lock.renew', key: lock, owner: 'A', leaseMs: LEASE, fence: fence as Fence })
    await world.advance(2000)
    expect(await acquire(b, 'B')).toMatchObject({ outcome: 'held' })
    await world.advance(LEASE + 20)
    expect(await acquire(b, 'B')).toMatchObject({ outcome: 'acquired', tookOver: true })
  })

  test('an operation is taken over in the same way', async () => {
    const { world, process } = await dateless()
    const [a, b] = [process(), process()]
    await begin(a, 'A')
    expect(await begin(b, 'B')).toMatchObject({ outcome: 'in-progress' })
    await world.advance(LEASE)
    expect(await begin(b, 'B')).toMatchObject({ outcome: 'in-progress' })
    await world.advance(20)
    expect(await begin(b, 'B')).toMatchObject({ outcome: 'started', attempt: 2, tookOver: true })
  })

  test('once its replies had a Date, one without changes nothing', async () => {
    const { world, process, dated } = await dateless()
    const [a, b] = [process(), dated()]
    await b.store.read(lock)
    const before = b.store.now()
    b.server.stripDate = true
    await b.store.read(lock)
    expect(b.store.now()).toEqual(before)
    expect(await granted(a, 'A')).toMatchObject({ outcome: 'acquired' })
    await world.settle()
  })
})
