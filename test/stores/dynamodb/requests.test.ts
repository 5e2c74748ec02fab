import { describe, expect, test } from 'vitest'
import { lockKey } from '../../../lib/store/key.ts'
import type { Fence, RecordKey, StoredResult } from '../../../lib/store/record.ts'
import type { Store } from '../../../lib/store/store.ts'
import { openDynamoDB } from '../../support/dynamodb-backend.ts'
import { dynamodbMissing } from '../../support/dynamodb-table.ts'
import { World } from '../../support/world.ts'

const LEASE = 30_000
const onceKey = 'once/charge/1' as RecordKey
const result: StoredResult = { form: 'value', codec: 'json', body: Buffer.from('{"ok":true}') }

/** A client that has just started: its first command is sent without knowing the server's clock. */
async function client() {
  const world = new World()
  const shared = await openDynamoDB(world)
  const { store, wire } = shared.connect(world.client())
  return { world, shared, store, sent: wire.sent }
}

const begin = (store: Store, owner: string) =>
  store.execute({ type: 'once.begin', key: onceKey, owner, leaseMs: LEASE, retainMs: 86_400_000 })

describe.skipIf(dynamodbMissing)(`requests on DynamoDB Local (${dynamodbMissing ?? 'running'})`, () => {
  test('acquire, renew, held and release cost one request each, from the first command on', async () => {
    const { store, sent } = await client()
    const key = lockKey('a')
    const acquired = await store.execute({ type: 'lock.acquire', key, owner: 'A', leaseMs: LEASE })
    expect(acquired).toMatchObject({ outcome: 'acquired', tookOver: false })
    const fence = 'fence' in acquired ? acquired.fence : (0 as Fence)
    expect(await store.execute({ type: 'lock.renew', key, owner: 'A', leaseMs: LEASE + 1, fence })).toMatchObject({
      outcome: 'renewed',
    })
    expect(await store.execute({ type: 'lock.acquire', key, owner: 'B', leaseMs: LEASE })).toMatchObject({
      outcome: 'held',
      fence,
    })
    expect(await store.execute({ type: 'lock.release', key, owner: 'A' })).toEqual({ outcome: 'released' })
    expect(sent).toEqual(['lock.acquire', 'lock.renew', 'lock.acquire', 'lock.release'])
  })

  test('a first call costs two requests, a replay one, a duplicate in progress one', async () => {
    const { store, sent } = await client()
    const started = await begin(store, 'A')
    expect(started).toMatchObject({ outcome: 'started', attempt: 1, tookOver: false, checkpoints: {}, epoch: 0, retired: {} })
    expect(await begin(store, 'B')).toMatchObject({ outcome: 'in-progress' })
    expect(await store.execute({ type: 'once.complete', key: onceKey, owner: 'A', result, retainMs: 86_400_000 })).toEqual({
      outcome: 'completed',
    })
    const replay = await begin(store, 'C')
    expect(replay).toMatchObject({ outcome: 'completed', result: { form: 'value', codec: 'json' } })
    expect('result' in replay && Buffer.from(replay.result.body as Uint8Array).toString()).toBe('{"ok":true}')
    expect(sent).toEqual(['once.begin', 'once.begin', 'once.complete', 'once.begin'])
  })
})
