import { afterEach, describe, expect, test } from 'vitest'
import type { Command, LockAcquire } from '../../../lib/store/command.ts'
import { lockKey } from '../../../lib/store/key.ts'
import type { AlonceRecord, Fence, RecordKey, StoredResult } from '../../../lib/store/record.ts'
import type { Moment } from '../../../lib/store/time.ts'
import { decodeHead, encodeHead } from '../../../lib/stores/dynamodb/item.ts'
import { transition } from '../../../lib/stores/transition.ts'
import { type DynamoDBShared, type Item, openDynamoDB } from '../../support/dynamodb-backend.ts'
import { dynamodbMissing } from '../../support/dynamodb-table.ts'
import { World } from '../../support/world.ts'

const LEASE = 10_000
const DAY = 86_400_000
const lock = lockKey('a')
const once = 'once/charge/1' as RecordKey
const json = (text: string): StoredResult => ({ form: 'value', codec: 'json', body: new TextEncoder().encode(text) })

async function stage() {
  const world = new World()
  const shared = await openDynamoDB(world)
  const client = world.client()
  const connection = shared.connect(client)
  await connection.store.read(lock)
  connection.wire.sent.length = 0
  return { world, shared, ...connection }
}

async function headOf(shared: DynamoDBShared, key: RecordKey): Promise<Item> {
  const head = (await shared.items(key)).get('head')
  if (!head) throw new Error(`no head under ${key}`)
  return head
}

/** DynamoDB's own rule: names and values in UTF-8, numbers by their digits, three bytes a map and one a member. */
function sizeOf(item: Item): number {
  return Object.entries(item).reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + sizeOfValue(value), 0)
}
function sizeOfValue(value: Item[string]): number {
  if (value?.S !== undefined) return Buffer.byteLength(value.S)
  if (value?.N !== undefined) return Math.ceil(value.N.length / 2) + 1
  if (value?.B !== undefined) return value.B.byteLength
  return 3 + Object.keys(value?.M ?? {}).length + sizeOf(value?.M ?? {})
}

type Step = Command | { readonly waitMs: number }
const acquire = (owner: string, more: object = {}): Command => ({
  type: 'lock.acquire',
  key: lock,
  owner,
  leaseMs: LEASE,
  ...more,
})
const begin = (owner: string, more: object = {}): Command => ({
  type: 'once.begin',
  key: once,
  owner,
  leaseMs: LEASE,
  retainMs: DAY,
  ...more,
})
const complete = (owner: string, more: object = {}): Command => ({
  type: 'once.complete',
  key: once,
  owner,
  result: json('1'),
  retainMs: DAY,
  ...more,
})
const extend = (owner: string, leaseMs: number): Command => ({ type: 'once.extend', key: once, owner, leaseMs })
const abandon = (owner: string): Command => ({ type: 'once.abandon', key: once, owner })
const checkpoint = (owner: string, name: string): Command => ({ type: 'once.checkpoint', key: once, owner, name, value: 'v' })
const share = (owner: string, more: Partial<LockAcquire> = {}): Command => acquire(owner, { share: { weight: 1 }, ...more })
const permit = (owner: string, limit: number, weight = 1): Command => acquire(owner, { share: { limit, weight } })
const queue = (owner: string, more: Partial<LockAcquire> = {}): Command => acquire(owner, { queueMs: 60_000, ...more })
const leave = (owner: string): Command => ({ type: 'lock.release', key: lock, owner, hint: 'shared' })
const handOver = (owner: string): Command => ({ type: 'lock.release', key: lock, owner, hint: 'queue' })
const ENDED = { waitMs: LEASE + 5000 }

describe.skipIf(dynamodbMissing)('a hot command writes just what its transition says', () => {
  // The last step is the one that is looked at: how many requests it takes, and what then lies in the table.
  test.each<[string, number, readonly Step[]]>([
    ['acquire, new', 1, [acquire('A')]],
    ['acquire with a label, new', 1, [acquire('A', { label: 'host-1' })]],
    [
      'acquire after a release',
      1,
      [acquire('A', { label: 'host-1' }), { type: 'lock.release', key: lock, owner: 'A' }, acquire('B')],
    ],
    ['acquire from a dead holder', 2, [acquire('A', { label: 'host-1' }), ENDED, acquire('B')]],
    ['release', 1, [acquire('A', { label: 'host-1' }), { type: 'lock.release', key: lock, owner: 'A' }]],
    [
      'release after a break',
      1,
      [
        acquire('A'),
        { type: 'lock.release', key: lock, owner: 'A' },
        acquire('B'),
        { type: 'lock.release', key: lock, owner: 'B' },
      ],
    ],
    ['share, new', 2, [share('A', { label: 'host-1' })]],
    ['share, with others', 1, [share('A'), share('B', { label: 'host-2' })]],
    ['share, after the others have gone', 1, [share('A'), leave('A'), share('B')]],
    ['a permit', 1, [permit('A', 5), permit('B', 5, 3)]],
    ['the last permit', 1, [permit('A', 2), permit('B', 2)]],
    ['L18 one permit too many', 1, [permit('A', 2), permit('B', 2), permit('C', 2)]],
    ['another limit, in use', 1, [permit('A', 2), permit('C', 3)]],
    ['another limit, after the others have gone', 2, [permit('A', 2), leave('A'), permit('C', 3)]],
    ['a permit of a dead holder', 2, [permit('A', 1), ENDED, permit('B', 1)]],
    ['L18 share, held alone', 1, [acquire('A'), share('B')]],
    ['L18 alone, shared', 1, [share('A'), acquire('B')]],
    ['alone, from the dead that shared it', 2, [share('A'), share('B'), ENDED, acquire('C')]],
    ['alone, after all have gone', 1, [share('A'), leave('A'), acquire('B')]],
    ['share, from a dead holder', 2, [acquire('A'), ENDED, share('B')]],
    ['leave', 1, [share('A'), share('B'), leave('A')]],
    ['leave, the last one', 1, [permit('A', 3, 2), leave('A')]],
    ['leave, without a hint', 2, [share('A'), { type: 'lock.release', key: lock, owner: 'A' }]],
    ['V4 leave, by a stranger', 1, [share('A'), leave('B')]],
    ['V3 share after its own release', 1, [share('A'), leave('A'), share('A')]],
    ['V3 share again', 1, [share('A'), share('A')]],
    ['queue, the first', 2, [acquire('A'), queue('B')]],
    ['queue, the second', 2, [acquire('A'), queue('B'), queue('C', { label: 'host-3' })]],
    ['queue, free', 2, [queue('A')]],
    ['queue, seen free', 1, [queue('A', { hint: 'free', label: 'host-1' })]],
    ['queue, seen free after a release', 1, [queue('A'), leave('A'), queue('B', { hint: 'free' })]],
    ['queue, seen free after a hand-over', 1, [queue('A'), queue('B'), handOver('A'), leave('B'), queue('C', { hint: 'free' })]],
    ['queue, seen free by all at once', 2, [queue('A', { hint: 'free' }), queue('B', { hint: 'free' })]],
    ['queue, seen free, after a dead holder', 2, [queue('A'), ENDED, queue('B', { hint: 'free' })]],
    ['queue, seen held', 1, [queue('A'), queue('B', { hint: 'queue', label: 'host-2' })]],
    ['queue, seen held, with no queue yet', 2, [acquire('A'), queue('B', { hint: 'queue' })]],
    ['queue, seen held, and free by now', 2, [queue('A'), leave('A'), queue('B', { hint: 'queue' })]],
    ['queue, seen held by one who is dead by now', 2, [queue('A'), ENDED, queue('B', { hint: 'queue' })]],
    ['V3 queue, seen held, again', 1, [queue('A'), queue('B', { hint: 'queue' }), queue('B', { hint: 'queue' })]],
    ['queue, again at once', 1, [acquire('A'), queue('B'), queue('B')]],
    ['queue, behind those who share it', 2, [share('A'), queue('B')]],
    ['L18 share, with a writer waiting', 1, [share('A'), queue('B'), share('C')]],
    ['L13 alone, from a dead holder, with a waiter', 1, [acquire('A'), queue('B'), ENDED, acquire('C')]],
    ['L13 hand over', 1, [acquire('A', { label: 'host-1' }), queue('B', { label: 'host-2' }), queue('C'), handOver('A')]],
    ['L13 hand over, twice', 1, [acquire('A'), queue('B', { label: 'host-2' }), queue('C'), handOver('A'), handOver('B')]],
    ['hand over, to nobody', 2, [queue('A'), queue('B'), handOver('A'), handOver('B')]],
    ['hand over, without a hint', 2, [acquire('A'), queue('B'), { type: 'lock.release', key: lock, owner: 'A' }]],
    ['withdraw', 2, [acquire('A'), queue('B'), queue('C'), { type: 'lock.release', key: lock, owner: 'B' }]],
    ['queue, by a waiter whose turn has come', 2, [acquire('A'), queue('B', { label: 'host-2' }), queue('C'), ENDED, queue('B')]],
    ['begin, new', 1, [begin('A', { fingerprint: 'p', label: 'r-1' })]],
    ['begin with hold, new', 1, [begin('A', { hold: true })]],
    ['begin with hold after a hand-back', 1, [begin('A'), abandon('A'), begin('B', { hold: true })]],
    [
      'begin from a dead owner',
      2,
      [begin('A', { fingerprint: 'p', label: 'r-1' }), checkpoint('A', 'c'), ENDED, begin('B', { fingerprint: 'p' })],
    ],
    ['begin without the fingerprint that is there', 1, [begin('A', { fingerprint: 'p' }), abandon('A'), begin('B')]],
    ['begin of another payload', 2, [begin('A', { fingerprint: 'p' }), abandon('A'), begin('B', { fingerprint: 'q' })]],
    [
      'begin over a result that has expired',
      2,
      [begin('A'), complete('A', { retainMs: 20_000 }), { waitMs: 30_000 }, begin('B')],
    ],
    ['extend', 1, [begin('A'), extend('A', LEASE * 2)]],
    ['extend of a held attempt', 1, [begin('A', { hold: true }), extend('A', LEASE * 2)]],
    ['extend past the retention', 2, [begin('A', { retainMs: 0 }), extend('A', LEASE * 2)]],
    ['checkpoint', 1, [begin('A'), checkpoint('A', 'c')]],
    ['a second checkpoint', 1, [begin('A'), checkpoint('A', 'c'), checkpoint('A', 'd')]],
    ['complete', 1, [begin('A', { fingerprint: 'p', label: 'r-1' }), checkpoint('A', 'c'), complete('A')]],
    ['complete a held attempt', 1, [begin('A', { hold: true }), complete('A')]],
    ['complete with a retention shorter than the lease', 2, [begin('A'), complete('A', { retainMs: 1000 })]],
    [
      'complete with an error',
      1,
      [begin('A'), complete('A', { result: { form: 'error', codec: 'json', body: new Uint8Array() } })],
    ],
    ['abandon', 1, [begin('A', { label: 'r-1' }), checkpoint('A', 'c'), abandon('A')]],
    ['abandon a held attempt', 1, [begin('A', { hold: true }), abandon('A')]],
    ['abandon when the TTL is near', 2, [begin('A', { retainMs: 0 }), ENDED, abandon('A')]],
    ['retire', 2, [begin('A'), { type: 'once.retire', key: once, owner: 'A', name: 'pay', generation: 1 }]],
    ['I1 complete, by a zombie', 1, [begin('A'), ENDED, begin('B'), complete('A')]],
    ['I2 abandon, by a zombie', 1, [begin('A'), ENDED, begin('B'), abandon('A')]],
    ['extend, by a zombie', 1, [begin('A'), ENDED, begin('B'), extend('A', LEASE * 2)]],
    ['checkpoint, by a zombie', 1, [begin('A'), ENDED, begin('B'), checkpoint('A', 'c')]],
    ['L10 release, by a zombie', 1, [acquire('A'), ENDED, acquire('B'), { type: 'lock.release', key: lock, owner: 'A' }]],
    [
      'renew under another fence',
      1,
      [acquire('A'), { type: 'lock.renew', key: lock, owner: 'A', leaseMs: LEASE * 2, fence: 1 as Fence }],
    ],
    ['V5 a renewal that would lower the expiry', 1, [begin('A'), extend('A', LEASE * 2), extend('A', LEASE)]],
    ['V7 begin over a held attempt, long ended', 1, [begin('A', { hold: true }), ENDED, begin('B')]],
    ['V3 acquire after its own lease has ended', 1, [acquire('A'), ENDED, acquire('A')]],
    ['V3 begin after its own lease has ended', 1, [begin('A'), ENDED, begin('A')]],
    ['V3 acquire after its own release', 1, [acquire('A'), { type: 'lock.release', key: lock, owner: 'A' }, acquire('A')]],
    ['V3 begin after its own hand-back', 1, [begin('A'), abandon('A'), begin('A')]],
    ['V4 abandon after the completion', 1, [begin('A'), complete('A'), abandon('A')]],
    ['V4 extend after the completion', 1, [begin('A'), complete('A'), extend('A', LEASE * 2)]],
  ])('%s: %i request', async (_, requests, steps) => {
    const { world, shared, store, wire } = await stage()
    const last = steps.length - 1
    for (const step of steps.slice(0, last)) {
      if ('waitMs' in step) {
        await world.advance(step.waitMs)
        // So that the clock is known to the second, as in a process at work.
        await store.read(lock)
      } else await store.execute(step)
    }
    const command = steps[last] as Command
    const before = await store.read(command.key)
    const now = store.now()
    const moment: Moment = { ...now, sentAtMs: now.latest, seed: now.latest, resent: false }
    wire.sent.length = 0
    const reply = await store.execute(command)
    const expected = transition(before, command, moment)
    expect(wire.sent).toHaveLength(requests)
    expect(reply).toEqual(expected.reply)
    const { pk: _pk, sk: _sk, l: _l, ...stored } = await headOf(shared, command.key)
    const meant = encodeHead({ record: expected.record as AlonceRecord, leaseMs: undefined, unclocked: false })
    // A hand-over leaves behind what its new holder has said as a waiter, and reads its label there.
    const handsOver = command.type === 'lock.release' && before?.kind === 'lock' && before.holder?.owner === command.owner
    expect(handsOver ? encodeHead({ ...decodeHead(stored, command.key), leaseMs: undefined }) : stored).toEqual(meant)
  })

  test('renew', async () => {
    const { world, shared, store, wire } = await stage()
    const reply = await store.execute({ type: 'lock.acquire', key: lock, owner: 'A', leaseMs: LEASE })
    const fence = ('fence' in reply ? reply.fence : 0) as Fence
    await world.advance(3000)
    wire.sent.length = 0
    const now = store.now()
    const renewed = await store.execute({ type: 'lock.renew', key: lock, owner: 'A', leaseMs: LEASE, fence })
    expect(renewed).toEqual({ outcome: 'renewed', expiresAtMs: now.latest + LEASE })
    expect(wire.sent).toEqual(['lock.renew'])
    expect(await headOf(shared, lock)).toMatchObject({
      x: { N: String(now.latest + LEASE) },
      ttl: { N: String(Math.ceil((now.latest + LEASE + DAY) / 1000)) },
      v: { N: String(fence + 1) },
    })
    // V5: a renewal that would lower the expiry, as a late duplicate does, changes nothing.
    const shorter = await store.execute({ type: 'lock.renew', key: lock, owner: 'A', leaseMs: LEASE - 5000, fence })
    expect(shorter).toEqual({ outcome: 'renewed', expiresAtMs: now.latest + LEASE })
    expect(await headOf(shared, lock)).toMatchObject({ x: { N: String(now.latest + LEASE) }, v: { N: String(fence + 1) } })
  })
})

describe.skipIf(dynamodbMissing)('the head item', () => {
  test('it stays under 1 KiB: long keys, labels, fingerprints, and a result just small enough to lie in it', async () => {
    const { shared, store } = await stage()
    const key = `once/${'o'.repeat(64)}/${'k'.repeat(43)}` as RecordKey
    const owner = 'o'.repeat(24)
    for (let bytes = 0; bytes <= 1200; bytes += 50) {
      const attempt = `${owner}${bytes}`.slice(-24)
      await shared.remove(key)
      const more = { fingerprint: 'f'.repeat(64), label: 'l'.repeat(64) }
      await store.execute({ type: 'once.begin', key, owner: `${attempt}x`.slice(-24), leaseMs: LEASE, retainMs: DAY, ...more })
      await store.execute({ type: 'once.abandon', key, owner: `${attempt}x`.slice(-24) })
      await store.execute({ type: 'once.begin', key, owner: attempt, leaseMs: LEASE, retainMs: DAY, ...more })
      const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
      const result = { form: 'value', codec: 'json+gzip', body: Buffer.alloc(bytes, 7), traceparent } as const
      const token = 't'.repeat(24)
      await store.execute({ type: 'once.complete', key, owner: attempt, result, retainMs: DAY, token })
      expect(sizeOf(await headOf(shared, key)), `with a result of ${bytes} bytes`).toBeLessThanOrEqual(1024)
    }
  })

  test('a held attempt has no TTL; completed, it has one', async () => {
    const { shared, store } = await stage()
    await store.execute(begin('A', { hold: true }))
    expect((await headOf(shared, once))['ttl']).toBeUndefined()
    await store.execute(complete('A'))
    const { latest } = store.now()
    expect(Number((await headOf(shared, once))['ttl']?.N)).toBeGreaterThanOrEqual((latest + 2 * DAY) / 1000 - 2)
  })

  test.each(['__proto__', 'constructor', '', 'a.b[0]', '#x :y', '日本'])('a checkpoint may be called "%s"', async (name) => {
    const { store } = await stage()
    await store.execute(begin('A'))
    expect(await store.execute(checkpoint('A', name))).toEqual({ outcome: 'saved' })
    expect(await store.execute(checkpoint('A', name))).toEqual({ outcome: 'exists', value: 'v' })
    expect(await store.execute({ type: 'once.retire', key: once, owner: 'A', name, generation: 2 })).toEqual({
      outcome: 'retired',
      generation: 2,
    })
    await store.execute(abandon('A'))
    const next = await store.execute(begin('B'))
    const { checkpoints, retired } = next as Extract<typeof next, { checkpoints: object }>
    expect(Object.entries(checkpoints)).toEqual([[name, 'v']])
    expect(Object.entries(retired)).toEqual([[name, 2]])
    expect(Object.getPrototypeOf(checkpoints)).toBe(Object.prototype)
    expect(({} as { v?: string }).v).toBeUndefined()
  })

  test('records of two namespaces on one table are apart', async () => {
    const { world, shared, store } = await stage()
    const other = shared.connect(world.client(), { namespace: 'other' })
    await store.execute(acquire('A'))
    expect(await other.store.execute(acquire('B'))).toMatchObject({ outcome: 'acquired' })
  })
})

describe.skipIf(dynamodbMissing)('what lies in the table is not trusted', () => {
  afterEach(() => expect(({} as { polluted?: boolean }).polluted).toBeUndefined())
  const ours = { sv: { N: '1' }, f: { N: '5' }, v: { N: '7' } }
  const MEMBER = { M: { x: { N: '9' }, l: { N: '9' }, w: { N: '1' } } }

  test.each<[string, string, RecordKey, Item]>([
    ['a foreign item', 'RECORD_UNREADABLE', lock, { name: { S: 'Smith' } }],
    ['a fence that is text', 'RECORD_UNREADABLE', lock, { ...ours, f: { S: '5' } }],
    ['a holder without an expiry', 'RECORD_UNREADABLE', lock, { ...ours, o: { S: 'A' } }],
    ['a tombstone without a time', 'RECORD_UNREADABLE', lock, { ...ours, lo: { S: 'A' } }],
    ['an unknown status', 'RECORD_UNREADABLE', once, { ...ours, n: { N: '1' }, s: { S: 'Z' }, o: { S: 'A' } }],
    [
      'a completed record without its result',
      'RECORD_UNREADABLE',
      once,
      { ...ours, n: { N: '1' }, s: { S: 'C' }, o: { S: 'A' }, r: { N: '1' } },
    ],
    ['a newer schema', 'STORE_SCHEMA', lock, { ...ours, sv: { N: '2' } }],
    ['members without fences', 'RECORD_UNREADABLE', lock, { ...ours, w: { N: '1' }, h: { M: { $A: MEMBER } } }],
    ['members that are not ours', 'RECORD_UNREADABLE', lock, { ...ours, w: { N: '1' }, h: { M: { A: MEMBER } } }],
    ['a waiter without a sign of life', 'RECORD_UNREADABLE', lock, { ...ours, q: { L: [{ S: 'A' }] } }],
    ['a queue of numbers', 'RECORD_UNREADABLE', lock, { ...ours, q: { L: [{ N: '1' }] }, qm: { M: {} } }],
  ])('%s: %s, and nothing is written', async (_, code, key, attributes) => {
    const { shared, store } = await stage()
    await shared.plant(key, attributes)
    const before = await headOf(shared, key)
    const command = key === lock ? acquire('B') : begin('B')
    await expect(store.execute(command)).rejects.toMatchObject({ name: 'AlonceError', code })
    await expect(store.read(key)).rejects.toMatchObject({ code, key })
    expect(await headOf(shared, key)).toEqual(before)
  })

  test.each<[string, RecordKey, Item]>([
    ['a fence that is no whole number', lock, { ...ours, f: { N: '1.5' } }],
    ['checkpoints that are not ours', once, { ...ours, n: { N: '1' }, cp: { M: { other: { S: 'x' } } } }],
  ])('%s: RECORD_UNREADABLE, and no grant, though a condition can’t see it', async (_, key, attributes) => {
    const { shared, store } = await stage()
    await shared.plant(key, attributes)
    await expect(store.execute(key === lock ? acquire('B') : begin('B'))).rejects.toMatchObject({
      code: 'RECORD_UNREADABLE',
      key,
    })
  })

  test('the sentence says what to do', async () => {
    const { shared, store } = await stage()
    await shared.plant(lock, { ...ours, sv: { N: '2' } })
    await expect(store.read(lock)).rejects.toThrow(/schema version 2, .* knows 1\. .* update this program/)
    await shared.plant(lock, { name: { S: 'Smith' } })
    await expect(store.read(lock)).rejects.toThrow(/another program writes into this namespace\. .* repair or delete it/)
  })
})
