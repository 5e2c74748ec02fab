import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { RecordKey, StoredResult } from '../../../lib/store/record.ts'
import type { Store } from '../../../lib/store/store.ts'
import { openDynamoDB } from '../../support/dynamodb-backend.ts'
import { dynamodbMissing } from '../../support/dynamodb-table.ts'
import { World } from '../../support/world.ts'

const KB = 1024
const DAY = 86_400_000
const key = 'once/export/1' as RecordKey
const resultOf = (body: Uint8Array): StoredResult => ({ form: 'value', codec: 'json', body })

async function stage() {
  const world = new World()
  const shared = await openDynamoDB(world)
  return { world, shared, ...shared.connect(world.client()) }
}

const begin = (store: Store, owner: string) => store.execute({ type: 'once.begin', key, owner, leaseMs: 10_000, retainMs: DAY })
const complete = (store: Store, owner: string, body: Uint8Array) =>
  store.execute({ type: 'once.complete', key, owner, result: resultOf(body), retainMs: DAY })

/** Runs the operation once, and gives what a duplicate then gets. */
async function replayed(store: Store, body: Uint8Array): Promise<Uint8Array> {
  await begin(store, 'A')
  expect(await complete(store, 'A', body)).toEqual({ outcome: 'completed' })
  const replay = await begin(store, 'B')
  if (replay.outcome !== 'completed' || !(replay.result.body instanceof Uint8Array)) throw new Error(replay.outcome)
  return replay.result.body
}

describe.skipIf(dynamodbMissing)('results on DynamoDB', () => {
  test('a small one lies in the head: no item more, no request more', async () => {
    const { shared, store, wire } = await stage()
    const body = randomBytes(400)
    expect(Buffer.compare(await replayed(store, body), body)).toBe(0)
    expect([...(await shared.items(key)).keys()]).toEqual(['head'])
    expect(wire.sent).toEqual(['once.begin', 'once.complete', 'once.begin'])
  })

  test.each([
    ['2 KB', 2 * KB, 1],
    ['420 KB', 420 * KB, 2],
    ['5.9 MB', Math.floor(5.9 * KB * KB), 16],
    ['6 MB, the most', 6 * KB * KB, 17],
  ])('I26 %s that do not compress are split, stored and replayed byte by byte; the head stays small', async (_, bytes, parts) => {
    const { shared, store, wire } = await stage()
    const body = randomBytes(bytes)
    expect(Buffer.compare(await replayed(store, body), body)).toBe(0)
    const items = await shared.items(key)
    expect(items.size).toBe(parts + 1)
    expect(items.get('head')).toMatchObject({ rp: { M: { o: { S: 'A' }, c: { N: String(parts) }, n: { N: String(bytes) } } } })
    expect(JSON.stringify(items.get('head')).length).toBeLessThan(KB)
    expect(wire.sent.filter((type) => type === 'once.complete')).toHaveLength(parts + 1)
    // The parts live as long as the head does.
    for (const item of items.values())
      expect(Number(item['ttl']?.N)).toBeGreaterThanOrEqual(Number(items.get('head')?.['ttl']?.N))
  })

  test('a plain read leaves a large result as its pointer', async () => {
    const { store } = await stage()
    await replayed(store, randomBytes(2 * KB))
    expect(await store.read(key)).toMatchObject({ result: { body: { owner: 'A', count: 1, bytes: 2 * KB } } })
  })

  test('one byte more than the most is refused before anything is written', async () => {
    const { shared, store, wire } = await stage()
    await begin(store, 'A')
    wire.sent.length = 0
    const refused = complete(store, 'A', new Uint8Array(6 * KB * KB + 1))
    await expect(refused).rejects.toMatchObject({ code: 'RESULT_TOO_LARGE', key })
    await expect(refused).rejects.toThrow(/6291457 bytes, and at most 6291456 .* Return a reference/)
    expect(wire.sent).toEqual([])
    expect((await shared.items(key)).size).toBe(1)
    expect(await complete(store, 'A', new Uint8Array(1))).toEqual({ outcome: 'completed' })
  })

  test('a part is missing: RECORD_UNREADABLE, and never another run', async () => {
    const { shared, store } = await stage()
    await replayed(store, randomBytes(500 * KB))
    await shared.remove(key, 'result#A#0001')
    await expect(begin(store, 'C')).rejects.toMatchObject({ code: 'RECORD_UNREADABLE', key })
    await expect(begin(store, 'C')).rejects.toThrow(/1 of 2 parts, .* is not run again/)
    expect((await shared.items(key)).get('head')).toMatchObject({ s: { S: 'C' }, o: { S: 'A' } })
  })

  test('a part is damaged, its length right: RECORD_UNREADABLE', async () => {
    const { shared, store } = await stage()
    await replayed(store, randomBytes(2 * KB))
    await shared.plant(key, { d: { B: randomBytes(2 * KB) } }, 'result#A#0000')
    await expect(begin(store, 'C')).rejects.toMatchObject({ code: 'RECORD_UNREADABLE' })
  })

  test('a part of another type: RECORD_UNREADABLE', async () => {
    const { shared, store } = await stage()
    await replayed(store, randomBytes(2 * KB))
    await shared.plant(key, { d: { S: 'text' } }, 'result#A#0000')
    await expect(begin(store, 'C')).rejects.toMatchObject({ code: 'RECORD_UNREADABLE' })
  })

  test('I1 a zombie’s parts touch nobody’s: the successor’s result is replayed', async () => {
    const { world, store } = await stage()
    await begin(store, 'A')
    await world.advance(15_000)
    await store.read(key)
    expect(await begin(store, 'B')).toMatchObject({ outcome: 'started', tookOver: true })
    const body = randomBytes(500 * KB)
    expect(await complete(store, 'B', body)).toEqual({ outcome: 'completed' })
    expect(await complete(store, 'A', randomBytes(500 * KB))).toEqual({ outcome: 'lost' })
    const replay = await begin(store, 'C')
    expect('result' in replay && Buffer.compare(replay.result.body as Uint8Array, body)).toBe(0)
  })

  test('I9 an answer lost while the parts are written does not make the completion uncertain', async () => {
    const { world, store, wire } = await stage()
    await begin(store, 'A')
    wire.inject('drop-answer', 'once.complete')
    expect(await world.run(complete(store, 'A', randomBytes(2 * KB)))).toEqual({ outcome: 'completed' })
    // Written twice, and the head once.
    expect(wire.sent).toEqual(['once.begin', 'once.complete', 'once.complete', 'once.complete'])
  })
})
