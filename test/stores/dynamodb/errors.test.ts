import { randomUUID } from 'node:crypto'
import { CreateTableCommand, DynamoDBClient, UpdateItemCommand } from '@aws-sdk/client-dynamodb'
import { describe, expect, test } from 'vitest'
import { lockKey } from '../../../lib/store/key.ts'
import { createTable, dynamodbStore } from '../../../lib/stores/dynamodb/dynamodb-store.ts'
import { openDynamoDB } from '../../support/dynamodb-backend.ts'
import { dynamodbMissing, localConfig, testTable } from '../../support/dynamodb-table.ts'
import { World } from '../../support/world.ts'

const key = lockKey('a')
const acquire = { type: 'lock.acquire', key, owner: 'A', leaseMs: 10_000 } as const

async function stage() {
  const world = new World()
  const shared = await openDynamoDB(world)
  return { world, shared, ...shared.connect(world.client()) }
}

/** DynamoDB's error bodies as AWS sends them. */
const body = (type: string, message: string) => ({ __type: `com.amazonaws.dynamodb.v20120810#${type}`, message })
const coral = (type: string, message: string) => ({ __type: `com.amazon.coral.service#${type}`, message })

describe.skipIf(dynamodbMissing)('errors of DynamoDB say what to do', () => {
  test('an absent table', async () => {
    const { world, shared } = await stage()
    const { wire, store } = shared.connect(world.client(), { tableName: 'no-such-table' })
    const failed = world.run(store.execute(acquire))
    await expect(failed).rejects.toMatchObject({
      name: 'AlonceError',
      code: 'STORE_NOT_FOUND',
      cause: { name: 'ResourceNotFoundException' },
    })
    await expect(failed).rejects.toThrow(/"no-such-table" does not exist in this account and region/)
    expect(wire.sent).toHaveLength(1)
  })

  test.each([
    [
      'AccessDeniedException',
      coral('AccessDeniedException', 'User: arn:aws:iam::1:user/a is not authorized to perform: dynamodb:UpdateItem'),
    ],
    [
      'UnrecognizedClientException',
      coral('UnrecognizedClientException', 'The security token included in the request is invalid.'),
    ],
    ['ExpiredTokenException', coral('ExpiredTokenException', 'The security token included in the request is expired')],
    ['IncompleteSignatureException', coral('IncompleteSignatureException', 'Authorization header requires ...')],
  ])('refused credentials or permissions: %s', async (name, answer) => {
    const { world, server, wire, store } = await stage()
    server.answer = () => ({ status: 400, body: answer })
    const failed = world.run(store.execute(acquire))
    await expect(failed).rejects.toMatchObject({ code: 'STORE_DENIED', cause: { name } })
    await expect(failed).rejects.toThrow(/Grant GetItem, PutItem, UpdateItem and Query/)
    expect(wire.sent).toHaveLength(1)
  })

  test('no credentials at all: nothing is sent', async () => {
    const credentials = async (): Promise<never> => {
      throw Object.assign(new Error('Could not load credentials from any providers'), { name: 'CredentialsProviderError' })
    }
    const store = dynamodbStore({ tableName: 'alonce', clientConfig: localConfig({ credentials }) })
    await expect(store.execute(acquire)).rejects.toMatchObject({ code: 'STORE_DENIED' })
  })

  test('no region: the option is named', async () => {
    const store = dynamodbStore({
      tableName: 'alonce',
      clientConfig: { ...localConfig(), region: (async () => Promise.reject(new Error('Region is missing'))) as never },
    })
    await expect(store.execute(acquire)).rejects.toMatchObject({ code: 'CONFIG_INVALID', option: 'clientConfig' })
  })

  test('L3 a signature refused because our clock is wrong: the SDK has learned the time, so it is signed anew, once', async () => {
    const { world, server, wire, store } = await stage()
    const skewed = {
      status: 400,
      body: coral('InvalidSignatureException', 'Signature expired: 20260115T110000Z is now earlier than ...'),
    }
    let refusals = 1
    server.answer = () => (refusals-- > 0 ? skewed : undefined)
    expect(await world.run(store.execute(acquire))).toMatchObject({ outcome: 'acquired' })
    expect(wire.sent).toHaveLength(2)
    refusals = 9
    await expect(world.run(store.execute(acquire))).rejects.toMatchObject({ code: 'STORE_DENIED' })
    expect(wire.sent).toHaveLength(4)
  })

  test('a table with other keys', async () => {
    const { client } = await testTable()
    const TableName = `alonce-${randomUUID()}`
    await client.send(
      new CreateTableCommand({
        TableName,
        BillingMode: 'PAY_PER_REQUEST',
        AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
        KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
      }),
    )
    const store = dynamodbStore({ tableName: TableName, clientConfig: localConfig() })
    await expect(store.execute(acquire)).rejects.toMatchObject({ code: 'STORE_SCHEMA' })
    await expect(store.read(key)).rejects.toThrow(/partition key "pk" and the sort key "sk"/)
  })

  test('checkpoints that would burst the item', async () => {
    const { store } = await stage()
    const once = { key: 'once/a/1' as typeof key, owner: 'A' }
    await store.execute({ type: 'once.begin', ...once, leaseMs: 10_000, retainMs: 1000 })
    const checkpoint = { type: 'once.checkpoint', ...once, name: 'c', value: 'x'.repeat(410_000) } as const
    await expect(store.execute(checkpoint)).rejects.toMatchObject({ code: 'RESULT_TOO_LARGE' })
  })

  test('an error that nobody knows is told with its cause, and not tried again', async () => {
    const { world, server, wire, store } = await stage()
    server.answer = () => ({ status: 400, body: coral('SomethingNewException', 'new') })
    await expect(world.run(store.execute(acquire))).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      maybeApplied: false,
      cause: { name: 'SomethingNewException' },
    })
    expect(wire.sent).toHaveLength(1)
  })

  test.each(['TransactionConflictException', 'ReplicatedWriteConflictException', 'ThrottlingException', 'RequestLimitExceeded'])(
    '%s is tried again, and was not applied',
    async (name) => {
      const { world, server, wire, store } = await stage()
      let refusals = 2
      server.answer = () => (refusals-- > 0 ? { status: 400, body: body(name, 'busy') } : undefined)
      expect(await world.run(store.execute({ type: 'lock.release', key, owner: 'A' }))).toEqual({ outcome: 'lost' })
      // Twice refused, then sent; nothing is there, which takes one read to know.
      expect(wire.sent).toEqual(['lock.release', 'lock.release', 'lock.release', 'read'])
    },
  )

  test('V6 an internal error may hide that it was applied: a refusal after it is no loss', async () => {
    const { world, server, store } = await stage()
    let failures = 1
    server.answer = () => (failures-- > 0 ? { status: 500, body: body('InternalServerError', 'oops') } : undefined)
    expect(await world.run(store.execute({ type: 'lock.release', key, owner: 'A' }))).toEqual({ outcome: 'gone' })
  })

  test.each([
    ['throttle', false],
    ['drop-request', true],
    ['drop-answer', true],
  ] as const)('an outage by %s: STORE_UNAVAILABLE within the bound, maybe applied: %s', async (fault, maybeApplied) => {
    const { world, wire, store } = await stage()
    wire.cut(fault)
    const start = world.now
    await expect(world.run(store.execute(acquire))).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', maybeApplied })
    expect(world.now - start).toBeLessThanOrEqual(3000)
    expect(wire.sent).toHaveLength(6)
  })
})

describe.skipIf(dynamodbMissing)('createTable', () => {
  test('makes a table that works, with its TTL, and leaves one that is there as it is', async () => {
    const tableName = `alonce-${randomUUID()}`
    await createTable({ tableName, clientConfig: localConfig() })
    await createTable({ tableName, clientConfig: localConfig() })
    const store = dynamodbStore({ tableName, client: new DynamoDBClient(localConfig()) })
    expect(await store.execute(acquire)).toMatchObject({ outcome: 'acquired' })
    const ours = new UpdateItemCommand({ TableName: tableName, Key: { pk: { S: 'x' }, sk: { S: 'y' } } })
    expect((await new DynamoDBClient(localConfig()).send(ours)).$metadata.httpStatusCode).toBe(200)
  })

  test('a wrong name is refused', async () => {
    await expect(createTable({ tableName: '' })).rejects.toMatchObject({ code: 'CONFIG_INVALID', option: 'tableName' })
  })
})
