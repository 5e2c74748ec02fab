import { gzipSync } from 'node:zlib'
import { withIdempotency } from 'alonce'
import { jmespath } from 'alonce/jmespath'
import { describe, expect, test } from 'vitest'
import { makeIdempotent } from '../../lib/middleware/make-idempotent.ts'
import { memoryStore } from '../../lib/stores/memory/memory-store.ts'

const body = JSON.stringify({ paymentId: 'p1', tenant: 't1', amount: 0 })

describe('a JMESPath key', () => {
  test.each<[string, unknown, unknown]>([
    ['paymentId', { paymentId: 'p1' }, 'p1'],
    ['detail.id', { detail: { id: 7 } }, 7],
    ['powertools_json(body).paymentId', { body }, 'p1'],
    ['powertools_json(body).[tenant, paymentId]', { body }, ['t1', 'p1']],
    ['powertools_json(body).amount', { body }, 0],
    ['powertools_json(powertools_base64(body)).paymentId', { body: Buffer.from(body).toString('base64') }, 'p1'],
    ['powertools_json(powertools_base64_gzip(body)).paymentId', { body: gzipSync(body).toString('base64') }, 'p1'],
    ['headers."Idempotency-Key"', { headers: { 'Idempotency-Key': 'k' } }, 'k'],
  ])('%s', (expression, event, key) => {
    expect(jmespath(expression)(event)).toEqual(key)
  })

  test.each<[string, unknown]>([
    ['paymentId', {}],
    ['paymentId', { paymentId: null }],
    ['a.b.c', { a: 5 }],
    ['[tenant, paymentId]', { paymentId: 'p1' }],
    ['{t: tenant, p: paymentId}', { paymentId: 'p1' }],
    ['powertools_json(body).paymentId', {}],
    ['powertools_json(body).paymentId', { body: '{}' }],
    ['powertools_json(body).paymentId', { body: 'no JSON' }],
    ['powertools_base64_gzip(body)', { body: 'AAAA' }],
    ['items[*].id', { items: [] }],
    ['paymentId', null],
  ])('I20 %s of an event that lacks it is a missing key: %j', async (expression, event) => {
    let runs = 0
    const charge = makeIdempotent(async (_event: unknown) => ++runs, {
      store: memoryStore(),
      operation: 'charge',
      key: jmespath(expression),
    })
    await expect(charge(event)).rejects.toMatchObject({ code: 'KEY_MISSING', statusCode: 400 })
    expect(runs).toBe(0)
  })

  test('I20 a missing key is run unprotected where that is configured', async () => {
    const call = makeIdempotent(async (_event: object) => 'ran', {
      store: memoryStore(),
      operation: 'charge',
      key: jmespath('powertools_json(body).paymentId'),
      onMissingKey: 'run-unprotected',
      onEvent: () => undefined,
    })
    expect(await call({})).toBe('ran')
  })

  test.each(['', ' ', 'a..b', 'foo[', 'nope(a)', 'length(a, b)', 'x'.repeat(1025), 5, undefined])(
    '%j is CONFIG_INVALID at construction',
    (expression) => {
      expect(() => jmespath(expression as string)).toThrow(
        expect.objectContaining({ code: 'CONFIG_INVALID', option: 'expression' }),
      )
    },
  )

  test('a function that is only reached by some events is told of when it is', () => {
    const key = jmespath('a && nope(a)')
    expect(() => key({ a: 1 })).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
  })

  test('it is a key and a scope of any entrance', async () => {
    const store = memoryStore()
    const call = (tenant: string) =>
      withIdempotency({ store, operation: 'x', key: 'k', scope: jmespath('tenant')({ tenant }) }, () => tenant)
    expect([await call('a'), await call('b'), await call('a')]).toEqual(['a', 'b', 'a'])
  })
})
