import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { type Codec, jsonCodec, MAX_PLAIN_BYTES, pack, unpack } from '../../lib/idempotency/codec.ts'
import { recall, storedError, storedValue, unstorable } from '../../lib/idempotency/outcome.ts'
import type { StoredResult } from '../../lib/store/record.ts'

const LIMIT = 6 * 1024 * 1024
const text = (length: number): string => 'x'.repeat(length)
const again = async (value: unknown, codec: Codec = jsonCodec): Promise<unknown> => {
  const recalled = await recall(await storedValue(value, codec, LIMIT), codec, 'once/a/b')
  return recalled.kind === 'replay' ? recalled.value : recalled
}

test('a small result is stored as it is, a larger one compressed, and each says so', async () => {
  const small = await storedValue(text(1000), jsonCodec, LIMIT)
  const large = await storedValue(text(2000), jsonCodec, LIMIT)
  expect([small.codec, large.codec]).toEqual(['json', 'json+gzip'])
  expect((large.body as Uint8Array).byteLength).toBeLessThan(100)
  expect(await again(text(2000))).toBe(text(2000))
})

test('what gzip can’t make smaller stays as it is', async () => {
  const noise = Uint8Array.from({ length: 2000 }, (_, index) => (index * 7919 * (index + 31)) >>> 3)
  const bytes = gzipSync(noise)
  const packed = await pack(bytes)
  expect(packed.gzipped).toBe(false)
  expect(packed.bytes).toEqual(new Uint8Array(bytes))
  expect(packed.bytes.buffer).not.toBe(bytes.buffer)
})

test('a result above 256 KiB is compressed beside the event loop, and comes back', async () => {
  const value = Array.from({ length: 40_000 }, (_, index) => `line ${index}`)
  expect(await again(value)).toEqual(value)
})

test('a zip bomb in the store fills no memory', async () => {
  const bomb = gzipSync(Buffer.alloc(MAX_PLAIN_BYTES + 1))
  expect(bomb.byteLength).toBeLessThan(100_000)
  await expect(unpack({ gzipped: true, bytes: bomb })).rejects.toMatchObject({ code: 'ERR_BUFFER_TOO_LARGE' })
  const result: StoredResult = { form: 'value', codec: 'json+gzip', body: bomb }
  await expect(recall(result, jsonCodec, 'once/a/b')).rejects.toMatchObject({ code: 'RECORD_UNREADABLE', key: 'once/a/b' })
})

const bytes = Buffer.from('{"a":')
test.each<[string, StoredResult]>([
  ['an unknown codec', { form: 'value', codec: 'msgpack', body: bytes }],
  ['damaged JSON', { form: 'value', codec: 'json', body: bytes }],
  ['bytes that are not UTF-8', { form: 'value', codec: 'json', body: Buffer.from([0x22, 0xff, 0x22]) }],
  ['damaged gzip', { form: 'value', codec: 'json+gzip', body: bytes }],
  ['a damaged error', { form: 'error', codec: 'json', body: bytes }],
  ['an unknown reason', { form: 'unstorable', codec: 'toString', body: bytes }],
  ['an unknown form', { form: 'another' as 'value', codec: 'json', body: bytes }],
  ['parts that were left apart', { form: 'value', codec: 'json', body: { owner: 'o', count: 1, bytes: 1, sha256: '' } }],
])('%s is RECORD_UNREADABLE: it never runs again by itself', async (_name, result) => {
  await expect(recall(result, jsonCodec, 'once/a/b')).rejects.toMatchObject({ code: 'RECORD_UNREADABLE', key: 'once/a/b' })
})

test('results that JSON wrote stay readable after a change to another codec', async () => {
  const codec: Codec = { id: 'mine', encode: () => new Uint8Array([1]), decode: () => 'mine' }
  const before = await storedValue({ a: 1 }, jsonCodec, LIMIT)
  expect(await recall(before, codec, 'k')).toEqual({ kind: 'replay', value: { a: 1 } })
  expect(await again({ a: 1 }, codec)).toBe('mine')
})

test('a codec that throws, or makes no bytes, is RESULT_NOT_SERIALIZABLE', async () => {
  const throwing: Codec = { ...jsonCodec, id: 'a', encode: () => Promise.reject(new Error('no')) }
  const wrong: Codec = { ...jsonCodec, id: 'b', encode: () => 'text' as never }
  await expect(storedValue(1, throwing, LIMIT)).rejects.toMatchObject({ code: 'RESULT_NOT_SERIALIZABLE' })
  await expect(storedValue(1, wrong, LIMIT)).rejects.toMatchObject({ code: 'RESULT_NOT_SERIALIZABLE' })
})

test('the limit counts stored bytes, and the plain ones have their own', async () => {
  expect(await again(text(LIMIT * 2))).toBe(text(LIMIT * 2))
  const huge: Codec = { ...jsonCodec, id: 'huge', encode: () => Buffer.alloc(MAX_PLAIN_BYTES + 1) }
  await expect(storedValue(1, huge, LIMIT)).rejects.toMatchObject({ code: 'RESULT_TOO_LARGE' })
  await expect(storedValue(text(500), jsonCodec, 100)).rejects.toMatchObject({ code: 'RESULT_TOO_LARGE' })
})

test('an error keeps its name and a bounded message, and nothing else', async () => {
  const error = Object.assign(new TypeError(text(100_000)), { secret: 'card' })
  const stored = storedError(error)
  expect(Buffer.from(stored.body as Uint8Array).toString()).not.toContain('card')
  const recalled = await recall(stored, jsonCodec, 'k')
  if (recalled.kind !== 'rethrow') throw new Error('expected an error')
  expect(recalled.error).toMatchObject({ name: 'TypeError', message: text(32_768) })
  expect(Object.keys(recalled.error as object)).toEqual([])
})

test('an operation without a storable result says what to do', async () => {
  const recalled = await recall(unstorable('RESULT_TOO_LARGE'), jsonCodec, 'k')
  expect(recalled).toMatchObject({
    kind: 'rethrow',
    error: { code: 'RESULT_TOO_LARGE', message: expect.stringContaining('reference'), key: 'k' },
  })
})
