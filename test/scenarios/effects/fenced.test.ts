import { DynamoDBDocumentClient, PutCommand, TransactWriteCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import { acquireLock, type Lock, tryAcquireLock, withIdempotency } from 'alonce'
import { memoryStore } from 'alonce/memory'
import { describe, expect, test } from 'vitest'
import { dynamodbMissing, testTable } from '../../support/dynamodb-table.ts'
import { type Actor, GRACE, LEASE, outcome } from '../idempotency/stage.ts'
import { effectsStage } from './stage.ts'

/** Two processes that want one lock, and a client of the application's own, as an application writes it. */
async function setting() {
  const s = await effectsStage()
  const { client } = await testTable()
  const documents = DynamoDBDocumentClient.from(client)
  const send = <T>(command: T): Promise<unknown> => s.world.track(documents.send(command as never))
  const acquire = (actor: Actor): Promise<Lock> =>
    s.world.run(acquireLock({ store: actor.store, key: ['account', 'a1'], leaseMs: LEASE, onEvent: actor.onEvent }))
  const guarded = (lock: Lock, cents: number) =>
    new TransactWriteCommand({ TransactItems: [lock.guard(), { ...(s.accounts.add('alice', cents) as { Update: never }) }] })
  return { ...s, send, acquire, guarded }
}

/** A holder that freezes until its lease has ended, and another that takes over. */
async function takeover(s: Awaited<ReturnType<typeof setting>>) {
  const [a, b] = [s.actor(), s.actor()]
  const old = await s.acquire(a)
  const guard = old.guard()
  a.client.freeze()
  await s.world.advance(LEASE + GRACE)
  const lock = await s.acquire(b)
  return { a, b, old, guard, lock }
}

describe.skipIf(dynamodbMissing)('a lock’s guard in the application’s own transaction', () => {
  test('L26 it passes while the lock is held, after a renewal too', async () => {
    const s = await setting()
    const lock = await s.acquire(s.actor())
    await s.send(s.guarded(lock, 5))
    await s.world.run(lock.renew())
    await s.send(s.guarded(lock, 5))
    expect(await s.accounts.read('alice')).toMatchObject({ cents: 10 })
  })

  test('L26 the whole transaction is cancelled when another has taken the lock over', async () => {
    const s = await setting()
    const { guard, lock } = await takeover(s)
    const stale = new TransactWriteCommand({ TransactItems: [guard, { ...(s.accounts.add('alice', 5) as { Update: never }) }] })
    expect(await outcome(s.send(stale))).toMatchObject({
      error: {
        name: 'TransactionCanceledException',
        CancellationReasons: [{ Code: 'ConditionalCheckFailed' }, { Code: 'None' }],
      },
    })
    expect(await s.accounts.read('alice')).toBeUndefined()
    await s.send(s.guarded(lock, 7))
    expect(await s.accounts.read('alice')).toMatchObject({ cents: 7 })
  })

  test('L26 it is cancelled after a release, and after a release and a new grant to the same process', async () => {
    const s = await setting()
    const a = s.actor()
    const first = await s.acquire(a)
    const command = s.guarded(first, 5)
    await s.world.run(first.release())
    expect(await outcome(s.send(command))).toMatchObject({ error: { name: 'TransactionCanceledException' } })
    await s.acquire(a)
    expect(await outcome(s.send(command))).toMatchObject({ error: { name: 'TransactionCanceledException' } })
    expect(await s.accounts.read('alice')).toBeUndefined()
  })

  test('L26 L1 a handle whose lease has ended gives no guard, by a look at the clocks', async () => {
    const s = await setting()
    const { a, old } = await takeover(s)
    a.client.thaw()
    expect(() => old.guard()).toThrow(expect.objectContaining({ reason: 'expired' }))
  })

  test('L26 it guards a transact() of an operation as well: the operation goes on', async () => {
    const s = await setting()
    const { guard, lock, b } = await takeover(s)
    const pay = withIdempotency({ store: b.store, operation: 'pay', key: 'p1' }, async (operation) => [
      await outcome(operation.transact([guard, s.accounts.add('alice', 5)], 'stale')),
      await operation.transact([lock.guard(), s.accounts.add('alice', 7)], 'fresh'),
    ])
    expect(await s.world.run(pay)).toBe('fresh')
    expect(await s.accounts.read('alice')).toMatchObject({ cents: 7 })
  })

  test('a lock of another store has no guard, and says what to use', async () => {
    const lock = await tryAcquireLock({ store: memoryStore(), key: 'a1' })
    expect(() => lock?.guard()).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID', option: 'store' }))
    expect(() => lock?.guard()).toThrow(
      /"memory".* dynamodbStore\(\), on a table that takes transactions; fenced\(\) works with every store/,
    )
    await lock?.release()
  })
})

describe.skipIf(dynamodbMissing)('a fenced write', () => {
  test('L1 the write of a holder that was taken over is refused; the newer one’s stays', async () => {
    const s = await setting()
    const { old, lock } = await takeover(s)
    const { TableName, key } = s.accounts
    const write = { TableName, Item: { ...key('alice'), cents: 7 } }
    await s.send(new PutCommand(lock.fenced(write)))
    expect(await outcome(s.send(new PutCommand(old.fenced({ ...write, Item: { ...write.Item, cents: 5 } }))))).toMatchObject({
      error: { name: 'ConditionalCheckFailedException' },
    })
    expect(await s.accounts.read('alice')).toMatchObject({ cents: 7, fence: lock.fence })
    const update = { TableName, Key: key('alice'), UpdateExpression: 'ADD cents :c', ExpressionAttributeValues: { ':c': 1 } }
    await s.send(new UpdateCommand(lock.fenced(update)))
    expect(await outcome(s.send(new UpdateCommand(old.fenced(update))))).toMatchObject({
      error: { name: 'ConditionalCheckFailedException' },
    })
    expect(await s.accounts.read('alice')).toMatchObject({ cents: 8, fence: lock.fence })
  })

  test('it holds together with the application’s own condition and names', async () => {
    const s = await setting()
    const lock = await s.acquire(s.actor())
    const write = {
      TableName: s.accounts.TableName,
      Key: s.accounts.key('alice'),
      UpdateExpression: 'SET #alonceFence = :alonceFence REMOVE note',
      ConditionExpression: 'cents >= :least OR cents < :zero',
      ExpressionAttributeNames: { '#alonceFence': 'name' },
      ExpressionAttributeValues: { ':alonceFence': 'Alice', ':least': 5, ':zero': 0 },
    }
    await s.send(new PutCommand({ TableName: s.accounts.TableName, Item: { ...s.accounts.key('alice'), cents: 3 } }))
    expect(await outcome(s.send(new UpdateCommand(lock.fenced(write))))).toMatchObject({
      error: { name: 'ConditionalCheckFailedException' },
    })
    await s.send(new PutCommand({ TableName: s.accounts.TableName, Item: { ...s.accounts.key('alice'), cents: 5 } }))
    await s.send(new UpdateCommand(lock.fenced(write, { attribute: 'settledBy' })))
    expect(await s.accounts.read('alice')).toMatchObject({ cents: 5, name: 'Alice', settledBy: lock.fence })
  })

  test('it goes into a transaction, with a guard or without', async () => {
    const s = await setting()
    const lock = await s.acquire(s.actor())
    const { TableName, key } = s.accounts
    const Put = lock.fenced({ TableName, Item: { ...key('alice'), cents: 1 } })
    await s.send(new TransactWriteCommand({ TransactItems: [lock.guard(), { Put }] }))
    expect(await s.accounts.read('alice')).toMatchObject({ cents: 1, fence: lock.fence })
  })
})
