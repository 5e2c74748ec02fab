import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isAlonceError } from '../../lib/store/errors.ts'
import { canonicalKey, type KeyPart, lockName } from '../../lib/store/key.ts'

const part = fc.letrec<{ part: KeyPart }>((tie) => ({
  part: fc.oneof(
    { depthSize: 'small' },
    fc.string({ unit: 'binary' }),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.boolean(),
    fc.bigInt(),
    fc.array(tie('part'), { minLength: 1, maxLength: 4 }),
    fc.dictionary(fc.string(), tie('part'), { minKeys: 1, maxKeys: 4 }),
  ),
})).part

/** Equality as a user sees it, decided without the encoding that is under test. */
function equal(a: KeyPart, b: KeyPart): boolean {
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, i) => equal(item, b[i]))
  if (Array.isArray(a) || Array.isArray(b) || typeof a !== 'object' || typeof b !== 'object' || !a || !b) return a === b
  const [left, right] = [new Map(Object.entries(a)), new Map(Object.entries(b))]
  return left.size === right.size && [...left].every(([name, value]) => right.has(name) && equal(value, right.get(name)))
}
const list = (key: KeyPart): KeyPart => (Array.isArray(key) ? key : [key])

describe('keys', () => {
  test('I21 two keys have the same text if and only if they are equal', () => {
    fc.assert(
      fc.property(part, part, (a, b) => {
        expect(canonicalKey(a) === canonicalKey(b)).toBe(equal(list(a), list(b)))
      }),
      { numRuns: 2000 },
    )
  })

  test('I21 the order of members does not matter, and every member counts, whatever its name', () => {
    expect(canonicalKey({ a: 1, b: 2 })).toBe(canonicalKey({ b: 2, a: 1 }))
    expect(canonicalKey({ a: 1, length: 0 })).not.toBe(canonicalKey({ a: 1 }))
    expect(canonicalKey(JSON.parse('{"__proto__": 1, "a": 1}') as KeyPart)).not.toBe(canonicalKey({ a: 1 }))
  })

  test('I21 where one part ends and the next begins is part of the key', () => {
    expect(canonicalKey(['ab', 'c'])).not.toBe(canonicalKey(['a', 'bc']))
    expect(canonicalKey(['1', 1])).not.toBe(canonicalKey([1, '1']))
  })

  test.each([[0], [false], [''], [[0, false, '']]])('I21 %j is a key', (key) => {
    expect(canonicalKey(key)).not.toBe('')
  })

  test.each([
    ['undefined', undefined],
    ['null', null],
    ['an undefined part', ['tenant', undefined]],
    ['a null part', [null, 'x']],
    ['a hole', new Array<string>(2)],
    ['an undefined member', { tenant: undefined, id: 1 }],
    ['a null deep inside', ['a', [{ b: [null] }]]],
    ['an empty array', []],
    ['an empty object', {}],
  ])('I20 %s is a missing key', (_what, key) => {
    expect(codeOf(() => canonicalKey(key as KeyPart))).toBe('KEY_MISSING')
    expect(codeOf(() => lockName(key as KeyPart))).toBe('KEY_MISSING')
  })

  test.each([
    ['NaN', Number.NaN],
    ['a date', new Date(0)],
    ['a map', new Map([['a', 1]])],
    ['a function', () => 1],
    ['a symbol', Symbol('a')],
    ['half a surrogate pair in a name', '\ud800'],
    ['a very long text', 'x'.repeat(100_000)],
    ['a name over 1024 bytes', 'é'.repeat(200)],
  ])('%s is refused', (_what, key) => {
    expect(codeOf(() => lockName(key as unknown as KeyPart))).toBe('KEY_INVALID')
  })

  test('a key that contains itself is refused, not followed for ever', () => {
    const loop: KeyPart[] = []
    loop.push(loop)
    expect(codeOf(() => canonicalKey(loop))).toBe('KEY_INVALID')
  })

  test('L23 names that look alike once joined do not collide', () => {
    const keys: KeyPart[] = [
      ['a', 'b/c'],
      ['a/b', 'c'],
      ['a', 'b', 'c'],
      'a/b/c',
      ['a%2Fb', 'c'],
      7,
      '7',
      '=7',
      true,
      'true',
      ['a', ''],
      'a',
    ]
    const names = keys.map(lockName)
    expect(new Set(names).size).toBe(keys.length)
    expect(names[2]).toBe('a/b/c')
  })

  test('L23 two locks have the same name if and only if their keys are equal', () => {
    const short = fc.oneof(
      fc.string({ maxLength: 5 }),
      fc.constantFrom('/', '=', '%', '%2F'),
      fc.integer({ min: 0, max: 3 }),
      fc.boolean(),
    )
    const key = fc.array(short, { minLength: 1, maxLength: 3 })
    fc.assert(
      fc.property(key, key, (a, b) => {
        expect(lockName(a) === lockName(b)).toBe(equal(a, b))
      }),
    )
  })
})

function codeOf(action: () => unknown): string | undefined {
  try {
    action()
    return undefined
  } catch (error) {
    return isAlonceError(error) ? error.code : String(error)
  }
}
