import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { headerKey } from '../../lib/middleware/http-key.ts'

describe('the header Idempotency-Key', () => {
  test.each([
    ['8e03978e-40d5-43e8-bc93-6894a57f9324', '8e03978e-40d5-43e8-bc93-6894a57f9324'],
    ['"8e03978e-40d5-43e8-bc93-6894a57f9324"', '8e03978e-40d5-43e8-bc93-6894a57f9324'],
    [' \t"k" \t', 'k'],
    ['"a, b"', 'a, b'],
    ['"\\"\\\\"', '"\\'],
    ['"k" ; a=1;b="x;\\"y";c;*d=?1', 'k'],
    ['pay_1+2/3==;x', 'pay_1+2/3==;x'],
    ['two words', 'two words'],
    ['k'.repeat(255), 'k'.repeat(255)],
    [`"${'\\"'.repeat(255)}"`, '"'.repeat(255)],
  ])('%j is a key', (value, key) => {
    expect(headerKey([value])).toEqual({ is: 'given', key })
  })

  test.each([
    [''],
    [' '],
    ['""'],
    ['k'.repeat(256)],
    [`"${'k'.repeat(256)}"`],
    ['k'.repeat(100_000)],
    ['"'],
    ['"k'],
    ['"k"x'],
    ['"k" x'],
    ['"k", "l"'],
    ['"k";'],
    ['"k";A=1'],
    ['"\\k"'],
    ['k"l'],
    ['a,b'],
    ['k\u0000'],
    ['a\tb'],
    ['a\nb'],
    ['k\n'],
    ['"a\nb"'],
    ['"a\u007fb"'],
    ['\u007f'],
    ['schlüssel'],
    ['"schlüssel"'],
  ])('%j is refused', (value) => {
    expect(headerKey([value])).toMatchObject({ is: 'invalid', why: expect.any(String) })
  })

  test('none is missing, more than one are refused', () => {
    expect(headerKey([])).toEqual({ is: 'missing' })
    expect(headerKey(['k', 'k'])).toMatchObject({ is: 'invalid' })
  })

  const printable = fc.string({
    unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)),
    minLength: 1,
    maxLength: 255,
  })
  test('whatever is quoted as structured fields have it comes back as it was', () => {
    fc.assert(
      fc.property(printable, (key) => {
        expect(headerKey([`"${key.replace(/["\\]/g, '\\$&')}"`])).toEqual({ is: 'given', key })
      }),
    )
  })

  test('whatever is sent, a key is 1 to 255 printable characters', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), printable), (value) => {
        const seen = headerKey([value])
        if (seen.is === 'given') expect(seen.key).toMatch(/^[\x20-\x7e]{1,255}$/)
      }),
    )
  })
})
