import { describe, expect, test } from 'vitest'
import { downstreamKeyOf, fingerprintOf, onceKey } from '../../lib/idempotency/key.ts'

describe('the record’s key', () => {
  test('shows the operation, and a hash of scope and key', () => {
    expect(onceKey('charge', { key: 'p1' })).toMatch(/^once\/charge\/[\w-]{43}$/)
  })

  test('escapes the operation, so that it never runs into the hash', () => {
    expect(onceKey('a/b c', { key: 'p1' })).toMatch(/^once\/a%2Fb%20c\/[\w-]{43}$/)
  })

  test('stays the same from release to release: records outlive deployments', () => {
    expect(onceKey('charge', { key: ['p1', 2], scope: 'acme' })).toBe('once/charge/cPx16ntHWd414LzOL0r8YGaJigjjCT-VPKxtkMQTh9g')
    expect(fingerprintOf({ b: [1, null], a: 'x' })).toBe('qNcfZNPcdyuetOZXs4M5ejqt8B0ylH47wFkl6vSOQb8')
    const record = onceKey('charge', { key: 'p1' })
    expect(downstreamKeyOf({ record, epoch: 0, name: 'charge', generation: 0 })).toBe(
      'm9YR4r-GTE74dO78c1gx9uHnK6-HA1zz-KFtK7B1DBE',
    )
  })

  test('no scope, an empty scope and a scope that looks like a part of the key are three things', () => {
    const keys = [
      onceKey('charge', { key: ['a', 'b'] }),
      onceKey('charge', { key: 'b', scope: 'a' }),
      onceKey('charge', { key: ['a', 'b'], scope: '' }),
      onceKey('charge', { key: [['a'], 'b'] }),
    ]
    expect(new Set(keys).size).toBe(4)
  })

  test('a scope that is there but undefined is missing, not absent', () => {
    expect(() => onceKey('charge', { key: 'a', scope: undefined })).toThrow(/scope/)
  })
})

describe('fingerprints', () => {
  test('are equal whatever the order of members, at any depth', () => {
    expect(fingerprintOf({ a: 1, b: { c: [1], d: null } })).toBe(fingerprintOf({ b: { d: null, c: [1] }, a: 1 }))
  })

  test.each([
    [{ a: 1 }, { a: '1' }],
    [{ a: 1 }, { a: 1, b: null }],
    [
      [1, 2],
      [2, 1],
    ],
    [undefined, null],
    ['', undefined],
    [{}, []],
    [JSON.parse('{"__proto__":1}'), {}],
    [{ constructor: 1 }, {}],
    [{ at: new Date(0) }, { at: new Date(1) }],
  ])('differ for %o and %o', (one, other) => {
    expect(fingerprintOf(one)).not.toBe(fingerprintOf(other))
  })

  test.each([
    ['a Map', new Map()],
    ['a Set inside', { tags: new Set() }],
    ['a bigint', 1n],
  ])('%s is refused: as JSON it would look like others, or be none', (_name, payload) => {
    expect(() => fingerprintOf(payload)).toThrow(expect.objectContaining({ code: 'KEY_INVALID' }))
  })

  test('a circular payload is refused', () => {
    const payload: { self?: unknown } = {}
    payload.self = payload
    expect(() => fingerprintOf(payload)).toThrow(expect.objectContaining({ code: 'KEY_INVALID' }))
  })
})
