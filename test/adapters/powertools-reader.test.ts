import { randomUUID } from 'node:crypto'
import { IdempotencyConfig, makeIdempotent as powertools } from '@aws-lambda-powertools/idempotency'
import { DynamoDBPersistenceLayer } from '@aws-lambda-powertools/idempotency/dynamodb'
import {
  type AttributeValue,
  CreateTableCommand,
  DynamoDBClient,
  type KeySchemaElement,
  PutItemCommand,
} from '@aws-sdk/client-dynamodb'
import { type AlonceError, makeIdempotent } from 'alonce'
import { jmespath } from 'alonce/jmespath'
import { memoryStore } from 'alonce/memory'
import { type PowertoolsReaderOptions, powertoolsReader } from 'alonce/powertools-reader'
import type { Context } from 'aws-lambda'
import { beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { dynamodbMissing, localConfig, testTable } from '../support/dynamodb-table.ts'
import { World } from '../support/world.ts'

interface Payment {
  readonly id: string
  readonly cents?: number
  readonly body?: string
}

const FUNCTION = 'payments-prod'
const tableName = `powertools-${randomUUID()}`
const sorted = `sorted-${randomUUID()}`
let client: DynamoDBClient

/** A table as Powertools' documentation asks for. */
const createTable = async (name: string, keys: readonly string[]): Promise<void> => {
  const KeySchema = keys.map((AttributeName, i): KeySchemaElement => ({ AttributeName, KeyType: i === 0 ? 'HASH' : 'RANGE' }))
  const AttributeDefinitions = keys.map((AttributeName) => ({ AttributeName, AttributeType: 'S' as const }))
  await client.send(new CreateTableCommand({ TableName: name, KeySchema, AttributeDefinitions, BillingMode: 'PAY_PER_REQUEST' }))
}

type OldOptions = ConstructorParameters<typeof IdempotencyConfig>[0] & {
  readonly keyPrefix?: string
  readonly layer?: Partial<ConstructorParameters<typeof DynamoDBPersistenceLayer>[0]>
}

/** The old function: the real library, with its records in DynamoDB Local. */
function old<R>(run: (payment: Payment) => R, { keyPrefix, layer, ...config }: OldOptions = {}) {
  const persistenceStore = new DynamoDBPersistenceLayer({ tableName, awsSdkV3Client: client, ...layer } as never)
  const handler = powertools(async (payment: Payment, _context: Context) => run(payment), {
    persistenceStore,
    config: new IdempotencyConfig({ eventKeyJmesPath: 'id', ...config }),
    ...(keyPrefix !== undefined && { keyPrefix }),
  } as never)
  return (payment: Payment, remainingMs = 60_000) => handler(payment, { getRemainingTimeInMillis: () => remainingMs } as Context)
}

/** The new one. `runs`: what it was run for. */
function renewed(options: Partial<PowertoolsReaderOptions<[Payment]>> = {}) {
  const runs: string[] = []
  const predecessor = powertoolsReader<[Payment]>({
    tableName,
    keyPrefix: FUNCTION,
    payload: (payment) => payment.id,
    client,
    ...options,
  })
  const run = async (payment: Payment): Promise<unknown> => {
    runs.push(payment.id)
    return 'new'
  }
  const handler = makeIdempotent(run, {
    store: memoryStore(),
    operation: 'pay',
    key: (payment) => payment.id,
    predecessor,
    onEvent: () => undefined,
  })
  return { handler, runs }
}

/** Of a refusal, what the old library can store as its own result. */
const told = ({ code, retryAfterMs }: AlonceError): object => ({ code, retryAfterMs })

const fresh = (more: Omit<Payment, 'id'> = {}): Payment => ({ id: randomUUID(), ...more })

describe.skipIf(dynamodbMissing !== undefined)(
  `records of the real Powertools${dynamodbMissing ? ` (skipped: ${dynamodbMissing})` : ''}`,
  () => {
    beforeAll(async () => {
      // By way of the shared table: whoever has that knows that the server is up.
      client = (await testTable()).client
      await Promise.all([createTable(tableName, ['id']), createTable(sorted, ['pk', 'sk'])])
    })
    beforeEach(() => {
      vi.stubEnv('AWS_LAMBDA_FUNCTION_NAME', FUNCTION)
      return () => vi.unstubAllEnvs()
    })

    test.each([
      ['an object', { ok: true, nested: [{ n: 1.5 }, null, 'x'], empty: {} }],
      ['a string', 'charged'],
      ['zero', 0],
      ['false', false],
      ['an empty list', []],
      ['null', null],
      ['undefined', undefined],
    ])('what the old function returned is replayed: %s', async (_what, result) => {
      const payment = fresh()
      await old(() => result)(payment)
      const { handler, runs } = renewed()
      expect(await handler(payment)).toEqual(result)
      expect(runs).toEqual([])
    })

    test('each replay is a copy of its own', async () => {
      const payment = fresh()
      await old(() => ({ n: 1 }))(payment)
      const { handler } = renewed()
      const first = (await handler(payment)) as { n: number }
      first.n = 2
      expect(await handler(payment)).toEqual({ n: 1 })
    })

    test('what the old function is still doing is in progress, and nothing runs', async () => {
      const payment = fresh()
      const { handler, runs } = renewed()
      const seen = await old(() => handler(payment).catch(told))(payment)
      expect(seen).toMatchObject({ code: 'IN_PROGRESS' })
      expect(runs).toEqual([])
    })

    test('an old attempt that failed gave its record back: the new function runs', async () => {
      const payment = fresh()
      await expect(old(() => Promise.reject(new Error('no')))(payment)).rejects.toThrow('no')
      const { handler, runs } = renewed()
      expect(await handler(payment)).toBe('new')
      expect(runs).toEqual([payment.id])
    })

    test('a record that has expired counts no more, though it still lies there', async () => {
      const payment = fresh()
      await old(() => 'old', { expiresAfterSeconds: -60 })(payment)
      expect(await renewed().handler(payment)).toBe('new')
    })

    test('an attempt whose invocation ended long ago counts no more', async () => {
      const payment = fresh()
      const seen = await old(() => renewed().handler(payment))(payment, -60_000)
      expect(seen).toBe('new')
    })

    test('but Lambda may have killed it later than its deadline: for a moment it is still in progress', async () => {
      const payment = fresh()
      const seen = await old(() => renewed().handler(payment).catch(told))(payment, -10)
      expect(seen).toMatchObject({ code: 'IN_PROGRESS', retryAfterMs: expect.any(Number) })
    })

    test('an attempt whose deadline Powertools did not know is in progress until its record expires', async () => {
      vi.spyOn(console, 'warn').mockImplementation(() => undefined)
      const payment = fresh()
      const seen = await old(() => renewed().handler(payment).catch(told))(payment, 0)
      expect(seen).toMatchObject({ code: 'IN_PROGRESS', retryAfterMs: 5000 })
    })

    test('keys of the whole event, of a prefix of one’s own, and of JMESPath', async () => {
      const payment = fresh({ cents: 5, body: JSON.stringify({ user: 'u1' }) })
      await old(() => 'whole', { eventKeyJmesPath: '' })(payment)
      await old(() => 'prefixed', { keyPrefix: ' mine ' })(payment)
      const expression = '[id, powertools_json(body).user]'
      await old(() => 'found', { eventKeyJmesPath: expression, hashFunction: 'sha256' })(payment)

      expect(await renewed({ payload: undefined }).handler(payment)).toBe('whole')
      expect(await renewed({ keyPrefix: ' mine ' }).handler(payment)).toBe('prefixed')
      expect(await renewed({ payload: jmespath(expression), hashFunction: 'sha256' }).handler(payment)).toBe('found')
      expect(await renewed({ keyPrefix: 'another' }).handler(payment)).toBe('new')
    })

    test('a validated payload that differs is a mismatch; the same one is replayed', async () => {
      const payment = fresh({ cents: 5 })
      await old(() => 'old', { payloadValidationJmesPath: 'cents' })(payment)
      const { handler, runs } = renewed({ validation: ({ cents }) => cents })
      expect(await handler(payment)).toBe('old')
      await expect(handler({ ...payment, cents: 6 })).rejects.toMatchObject({ code: 'FINGERPRINT_MISMATCH' })
      expect(runs).toEqual([])
    })

    test('a table with a sort key and with attributes of other names', async () => {
      const layer = {
        tableName: sorted,
        keyAttr: 'pk',
        sortKeyAttr: 'sk',
        statusAttr: 's',
        expiryAttr: 'e',
        inProgressExpiryAttr: 'p',
        dataAttr: 'd',
        validationKeyAttr: 'v',
      }
      const payment = fresh({ cents: 5 })
      await old(() => 'old', { layer, payloadValidationJmesPath: 'cents' })(payment)
      const options = { ...layer, staticPkValue: `idempotency#${FUNCTION}` }
      const { handler } = renewed({ ...options, validation: ({ cents }) => cents })
      expect(await handler(payment)).toBe('old')
      await expect(handler({ ...payment, cents: 6 })).rejects.toMatchObject({ code: 'FINGERPRINT_MISMATCH' })
      const another = fresh()
      const seen = await old(() => renewed(options).handler(another).catch(told), { layer })(another)
      expect(seen).toMatchObject({ code: 'IN_PROGRESS' })
    })

    test('it reads only: the old record stays as it was', async () => {
      const payment = fresh()
      await old(() => 'old')(payment)
      const sent: string[] = []
      const spying = new DynamoDBClient(localConfig())
      spying.middlewareStack.add((next, context) => (args) => {
        sent.push(String(context['commandName']))
        return next(args)
      })
      const { handler } = renewed({ client: spying })
      await handler(payment)
      await handler(fresh())
      expect(sent).toEqual(['GetItemCommand', 'GetItemCommand'])
    })

    test('once the last record has expired, the table is not asked any more', async () => {
      const payment = fresh()
      await old(() => 'old')(payment)
      const { handler } = renewed({
        until: new Date(Date.now() - 1000),
        client: { send: () => Promise.reject(new Error('asked')) },
      })
      expect(await handler(payment)).toBe('new')
      expect(await renewed({ until: new Date(Date.now() + 60_000) }).handler(payment)).toBe('old')
    })

    test('a record that Powertools would not have written runs nothing', async () => {
      const plant = async (more: { [name: string]: AttributeValue }): Promise<Payment> => {
        const payment = fresh()
        await old(() => 'old')(payment)
        const Item = { id: { S: await idOf(payment) }, expiration: { N: '9999999999' }, ...more }
        await client.send(new PutItemCommand({ TableName: tableName, Item }))
        return payment
      }
      const { handler, runs } = renewed()
      await expect(handler(await plant({ status: { S: 'WHATEVER' } }))).rejects.toMatchObject({ code: 'RECORD_UNREADABLE' })
      const huge = { status: { S: 'COMPLETED' }, data: { N: '123456789012345678.5' } }
      await expect(handler(await plant(huge))).rejects.toMatchObject({ code: 'RECORD_UNREADABLE' })
      expect(runs).toEqual([])
    })

    test('a wrong table, or one with another key, is told as what it is', async () => {
      const missing = renewed({ tableName: 'no-such-table' }).handler(fresh())
      await expect(missing).rejects.toMatchObject({ code: 'STORE_NOT_FOUND', message: expect.stringContaining('Powertools') })
      const wrong = renewed({ tableName: sorted }).handler(fresh())
      await expect(wrong).rejects.toMatchObject({ code: 'STORE_SCHEMA', message: expect.stringContaining('"keyAttr"') })
    })
  },
)

/** The id of this payment's record, as the real library finds it. */
async function idOf(payment: Payment): Promise<string> {
  const layer = new DynamoDBPersistenceLayer({ tableName, awsSdkV3Client: client })
  layer.configure({ config: new IdempotencyConfig({ eventKeyJmesPath: 'id' }) })
  return (await layer.getRecord(payment as never)).idempotencyKey
}

describe('the reader’s options', () => {
  const usable = { tableName: 'idempotency', keyPrefix: FUNCTION }

  test.each<[string, Partial<PowertoolsReaderOptions>]>([
    ['tableName', { tableName: undefined }],
    ['keyPrefix', { keyPrefix: undefined }],
    ['hashFunction', { hashFunction: 'no-such-hash' }],
    ['payload', { payload: 'id' as never }],
    ['validation', { validation: 'cents' as never }],
    ['until', { until: new Date(Number.NaN) }],
    ['staticPkValue', { sortKeyAttr: 'sk' }],
    ['sortKeyAttr', { sortKeyAttr: 'id', staticPkValue: 'x' }],
  ])('a wrong %s is refused at once', (option, wrong) => {
    expect(() => powertoolsReader({ ...usable, ...wrong })).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID', option }))
  })

  test('refused permissions name the one that it needs', async () => {
    const denied = Object.assign(new Error('not authorized'), { name: 'AccessDeniedException' })
    const reader = powertoolsReader({ ...usable, client: { send: () => Promise.reject(denied) } })
    await expect(reader.find(['p1'], {})).rejects.toMatchObject({
      code: 'STORE_DENIED',
      message: expect.stringContaining('dynamodb:GetItem'),
    })
  })

  test.each([
    [5000, 7000],
    [-1999, 1],
    [-2001, undefined],
  ])(
    'an attempt with a deadline in %i ms is left alone for a second of Lambda’s grace, and one for the clocks',
    async (ms, leftMs) => {
      const world = new World()
      const deadline = world.now + ms
      const Item = { status: { S: 'INPROGRESS' }, expiration: { N: '9999999999' }, in_progress_expiration: { N: `${deadline}` } }
      const reader = powertoolsReader({ ...usable, client: { send: async () => ({ Item }) }, runtime: world.client() })
      expect(await reader.find(['p1'], {})).toEqual(leftMs && { status: 'in-progress', leftMs })
    },
  )

  test('without a payload there is no record to look for', async () => {
    const reader = powertoolsReader({ ...usable, client: { send: () => Promise.reject(new Error('asked')) } })
    expect(await reader.find([undefined], {})).toBeUndefined()
  })
})
