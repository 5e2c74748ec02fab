import { describe, expect, test } from 'vitest'
import { type DynamoDBStoreOptions, dynamodbStore } from '../../../lib/stores/dynamodb/dynamodb-store.ts'

describe('options of the DynamoDB store', () => {
  test.each<[string, Partial<DynamoDBStoreOptions>, RegExp]>([
    ['tableName', { tableName: undefined }, /environment variable .* is not set/],
    ['tableName', { tableName: '' }, /3 to 255/],
    ['tableName', { tableName: 'a/b' }, /name .* or the ARN/],
    ['namespace', { namespace: 'a/b' }, /no "\/"/],
    ['namespace', { namespace: '' }, /1 to 64/],
    ['client', { client: {} as never }, /"send"/],
    ['clientConfig', { client: { send: async () => ({}) }, clientConfig: {} }, /the client that the store makes/],
    ['clockGuardMs', { clockGuardMs: -1 }, /whole number from 0 to/],
    ['requestTimeoutMs', { requestTimeoutMs: Number.NaN }, /whole number/],
    ['totalTimeoutMs', { totalTimeoutMs: 500 }, /whole number from 1000 to/],
    ['maxAttempts', { maxAttempts: 0 }, /whole number from 1 to 20/],
  ])('a wrong %s is refused at once: %o', (option, wrong, sentence) => {
    const make = () => dynamodbStore({ tableName: 'alonce', ...wrong })
    expect(make).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID', option }))
    expect(make).toThrow(sentence)
  })

  test('a name and an ARN are accepted, and no client is made before the first request', () => {
    const clientConfig = {
      get region(): string {
        throw new Error('read too early')
      },
    }
    expect(dynamodbStore({ tableName: 'alonce', clientConfig }).name).toBe('dynamodb')
    const arn = 'arn:aws:dynamodb:eu-central-1:123456789012:table/alonce'
    expect(dynamodbStore({ tableName: arn }).capabilities).toEqual({ minLeaseMs: 3000, maxResultBytes: 6 * 1024 * 1024 })
  })

  test('before the first reply the store knows no time', () => {
    expect(dynamodbStore({ tableName: 'alonce' }).now()).toEqual({ earliest: -Infinity, latest: Infinity })
  })
})
