import { describe, expect, test } from 'vitest'
import { jsonCodec } from '../../lib/idempotency/codec.ts'
import { planOf } from '../../lib/idempotency/options.ts'
import { withIdempotency } from '../../lib/idempotency/with-idempotency.ts'
import { makeIdempotent } from '../../lib/middleware/make-idempotent.ts'
import { memoryStore } from '../../lib/stores/memory/memory-store.ts'

const store = memoryStore()
const valid = { store, operation: 'charge', key: 'p1' }
const codec = { id: 'mine', encode: jsonCodec.encode, decode: jsonCodec.decode }

test.each<[string, object]>([
  ['store', { store: undefined }],
  ['store', { store: {} }],
  ['operation', { operation: undefined }],
  ['operation', { operation: '' }],
  ['operation', { operation: 'x'.repeat(129) }],
  ['operation', { operation: '\ud800' }],
  ['onMissingKey', { onMissingKey: 'ignore' }],
  ['fingerprint', { fingerprint: 'body' }],
  ['leaseMs', { leaseMs: 0 }],
  ['leaseMs', { leaseMs: Number.NaN }],
  ['leaseMs', { leaseMs: '30s' }],
  ['leaseMs', { leaseMs: 86_400_001 }],
  ['waitMs', { waitMs: -1 }],
  ['waitMs', { waitMs: Number.POSITIVE_INFINITY }],
  ['retainMs', { retainMs: 0 }],
  ['failure', { failure: 'ignore' }],
  ['onCrash', { onCrash: 'reconcile' }],
  ['onStoreUnavailable', { onStoreUnavailable: 'retry' }],
  ['onUnstorableResult', { onUnstorableResult: 'drop' }],
  ['codec', { codec: { id: 'x' } }],
  ['codec', { codec: { ...codec, id: 'json' } }],
  ['codec', { codec: { ...codec, id: 'a+b' } }],
  ['label', { label: 'x'.repeat(257) }],
  ['onEvent', { onEvent: 'log' }],
  ['fingerprnt', { fingerprnt: () => 1 }],
])('a wrong %s is CONFIG_INVALID at construction: %o', (option, wrong) => {
  const make = () => makeIdempotent(async () => 1, { ...valid, ...wrong } as never)
  expect(make).toThrow(
    expect.objectContaining({ code: 'CONFIG_INVALID', option, message: expect.stringContaining(`"${option}"`) }),
  )
})

test('a missing key option is CONFIG_INVALID, a key that happens to be undefined is KEY_MISSING', async () => {
  const { key: _, ...without } = valid
  expect(() => planOf(without as never)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID', option: 'key' }))
  const call = withIdempotency({ ...valid, key: undefined }, () => 1)
  await expect(call).rejects.toMatchObject({ code: 'KEY_MISSING' })
})

test('withIdempotency rejects, and never throws', async () => {
  const call = withIdempotency({ ...valid, operation: '' }, () => 1)
  await expect(call).rejects.toMatchObject({ code: 'CONFIG_INVALID', option: 'operation' })
})

test('a lease below the store’s least is refused with the number in the sentence', () => {
  const slow = {
    ...store,
    capabilities: { minLeaseMs: 3000, maxResultBytes: 1 },
    execute: store.execute,
    read: store.read,
    now: store.now,
  }
  expect(() => planOf({ ...valid, store: slow, leaseMs: 2999 })).toThrow(/from 3000/)
  expect(planOf({ ...valid, store: slow, leaseMs: 3000.2 }).leaseMs).toBe(3001)
})

test('the defaults', () => {
  const { store: _, key, failure, ...rest } = planOf(valid)
  expect(rest).toEqual({
    operation: 'charge',
    scope: undefined,
    fingerprint: undefined,
    onMissingKey: 'reject',
    leaseMs: undefined,
    waitMs: 0,
    retainMs: 86_400_000,
    hold: false,
    onStoreUnavailable: 'reject',
    onUnstorableResult: 'keep',
    codec: jsonCodec,
    label: undefined,
    onEvent: undefined,
  })
  expect([key([]), failure(new Error('x'))]).toEqual(['p1', 'retry'])
})

describe('the wrapped function', () => {
  test('keeps this, name and arguments, and shows at most two parameters', async () => {
    class Shop {
      readonly fee = 1
      pay = makeIdempotent(
        function pay(this: Shop, _id: string, amount: number, _three: number) {
          return this.fee + amount
        },
        { store, operation: 'pay', key: (id) => id },
      )
    }
    const shop = new Shop()
    expect(await shop.pay('a', 5, 0)).toBe(6)
    expect([shop.pay.name, shop.pay.length]).toEqual(['pay', 2])
    expect(makeIdempotent((_a: string) => 1, { store, operation: 'one', key: (a) => a })).toHaveLength(1)
  })

  test('a function that throws before its first await rejects', async () => {
    const broken = makeIdempotent(
      (_id: string): number => {
        throw new Error('at once')
      },
      { store, operation: 'broken', key: (id) => id },
    )
    await expect(broken('a')).rejects.toThrow('at once')
  })

  test('an error of the key function comes out as it is, and nothing runs', async () => {
    const wrapped = makeIdempotent(async (event: { body?: { id: string } }) => event, {
      store,
      operation: 'deep',
      key: (event) => (event.body as { id: string }).id,
    })
    await expect(wrapped({})).rejects.toThrow(TypeError)
  })
})
