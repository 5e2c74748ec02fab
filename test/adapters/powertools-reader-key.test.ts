import { IdempotencyConfig } from '@aws-lambda-powertools/idempotency'
import { BasePersistenceLayer, type IdempotencyRecord } from '@aws-lambda-powertools/idempotency/persistence'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { powertoolsKey } from '../../lib/adapters/powertools-reader-key.ts'

type Payload = Parameters<BasePersistenceLayer['saveInProgress']>[0]

/** The real library, with its store taken away: what is left is the key that it computes. */
class Keys extends BasePersistenceLayer {
  last = ''
  protected async _putRecord(record: IdempotencyRecord): Promise<void> {
    this.last = record.idempotencyKey
  }
  protected async _deleteRecord(): Promise<void> {}
  protected async _updateRecord(): Promise<void> {}
  protected async _getRecord(): Promise<IdempotencyRecord> {
    throw new Error('not here')
  }
}

async function theirs(payload: unknown, hashFunction = 'md5'): Promise<string> {
  const layer = new Keys()
  layer.configure({ config: new IdempotencyConfig({ hashFunction }), keyPrefix: 'payments' })
  await layer.saveInProgress(payload as Payload, 1000)
  return layer.last
}

const ours = (payload: unknown, hashFunction = 'md5'): string | undefined =>
  powertoolsKey(payload, { keyPrefix: 'payments', hashFunction })

describe('the key is the one that Powertools computes', () => {
  test.each([
    ['a string', 'order-7'],
    ['zero', 0],
    ['false', false],
    ['an empty string', ''],
    ['a selection of two', ['u1', 17]],
    ['a selection with a gap', ['u1', null]],
    ['members in any order', { b: 1, a: { d: [2, { z: 1, y: 2 }], c: null } }],
    ['names that differ in case', { b: 1, B: 2, a: 3, A: 4, aB: 5, Ab: 6 }],
    ['a member that is left out', { a: 1, b: undefined }],
    [
      'a date and a class instance',
      {
        at: new Date(0),
        of: new (class Of {
          x = 1
        })(),
      },
    ],
    ['a map, which is {} there', { of: new Map([['a', 1]]), n: 1 }],
    ['a member named __proto__', JSON.parse('{"__proto__":{"a":1},"b":2}')],
    ['text that is not ASCII', { naïve: '💶' }],
  ])('%s', async (_what, payload) => {
    vi.spyOn(console, 'warn').mockImplementation(() => undefined)
    expect(ours(payload)).toBe(await theirs(payload))
  })

  test('for any JSON', async () => {
    vi.spyOn(console, 'warn').mockImplementation(() => undefined)
    const names = fc.oneof(fc.constantFrom('a', 'A', 'b', '_', '1', '__proto__', 'é'), fc.string({ maxLength: 3 }))
    const json = fc.letrec((tie) => ({
      value: fc.oneof(
        fc.string(),
        fc.integer(),
        fc.double({ noNaN: true }),
        fc.boolean(),
        fc.constant(null),
        tie('list'),
        tie('object'),
      ),
      list: fc.array(tie('value'), { maxLength: 4 }),
      object: fc.dictionary(names, tie('value'), { maxKeys: 5 }),
    }))
    await fc.assert(
      fc.asyncProperty(json.value, async (payload) => {
        const key = ours(payload)
        if (key !== undefined) expect(key).toBe(await theirs(payload))
      }),
      { numRuns: 300 },
    )
  })

  test('with another hash function', async () => {
    expect(ours({ id: 1 }, 'sha256')).toBe(await theirs({ id: 1 }, 'sha256'))
    expect(ours({ id: 1 }, 'sha256')).not.toBe(ours({ id: 1 }))
  })
})

describe('where nothing was selected', () => {
  test.each([undefined, null, [], {}, [null, undefined], { tenant: null }])('no record is looked for: %j', (payload) => {
    expect(ours(payload)).toBeUndefined()
  })

  test('what is no JSON is refused, without a word of what it was', () => {
    const circular: { self?: unknown; card: string } = { card: '4111' }
    circular.self = circular
    expect(() => ours({ n: 1n })).toThrow(expect.objectContaining({ code: 'KEY_INVALID' }))
    expect(() => ours(circular)).toThrow(
      expect.objectContaining({ code: 'KEY_INVALID', message: expect.not.stringContaining('4111') }),
    )
  })
})
