import { describe, expect, test } from 'vitest'
import { lockKeyOf, lockParts, recordKeyOf } from '../../lib/cli/address.ts'
import { columns, paintWith } from '../../lib/cli/columns.ts'
import { ago, durationOption, iso, span } from '../../lib/cli/duration.ts'
import { jsonLine, printable, shortened, widthOf } from '../../lib/cli/printable.ts'
import { onceKey } from '../../lib/idempotency/key.ts'
import { lockKey } from '../../lib/store/key.ts'

describe('what is printed', () => {
  test.each([
    ['an escape sequence', '\u001b[2J', '\\u001b[2J'],
    ['a C1 control', '\u009b2J', '\\u009b2J'],
    ['a new line', 'a\nb', 'a\\u000ab'],
    ['a turned direction', 'a\u202eb', 'a\\u202eb'],
    ['half a character', 'a\ud800', 'a\\ud800'],
    ['no width', 'a\u200bb', 'a\\u200bb'],
    ['letters of any alphabet', 'Ž日本🙂', 'Ž日本🙂'],
  ])('%s can’t drive a terminal', (_what, text, expected) => {
    expect(printable(text)).toBe(expected)
    expect(JSON.parse(jsonLine({ text }))).toEqual({ text })
    expect(printable(jsonLine({ text }))).toBe(jsonLine({ text }))
  })

  test('columns are aligned and bounded, whatever is in them', () => {
    const rows = [
      [{ text: 'a' }, { text: '日本' }, { text: 'x' }],
      [{ text: 'longer than that' }, { text: 'b' }, { text: '' }],
    ]
    expect(columns(rows, [6], paintWith(false))).toBe('a       日本  x\nlonge…  b\n')
    expect(columns([[{ text: 'held', color: 'green' }, { text: 'x' }]], [], paintWith(true))).toBe('\u001b[32mheld\u001b[0m  x\n')
    expect([widthOf('日本'), shortened('日本語', 5)]).toEqual([4, '日本…'])
  })

  test('times are told in the unit that serves, and only those that a calendar has', () => {
    expect([500, 119_000, 120_000, 7_200_000, 172_800_000].map(span)).toEqual(['less than 1 s', '119 s', '2 min', '2 h', '2 d'])
    expect([ago(1000, 31_000), ago(31_000, 1000)]).toEqual(['30 s ago', 'in 30 s'])
    expect([iso(0), iso(Number.MAX_SAFE_INTEGER)]).toEqual(['1970-01-01T00:00:00.000Z', undefined])
  })

  test('a duration has its unit and its bounds', () => {
    const parse = durationOption(1000, 3_600_000)
    expect(['1s', '1.5s', '2000ms', '5m', '1h'].map(parse)).toEqual([1000, 1500, 2000, 300_000, 3_600_000])
    for (const text of ['30', '', '-1s', '999ms', '2h', '1e3s', 's']) expect(() => parse(text), text).toThrow(/unit|must be/)
  })
})

describe('which record is meant', () => {
  test.each([
    ['nightly', 'nightly'],
    ['account/=7', ['account', 7]],
    ['account/7', ['account', '7']],
    ['=true/=-1.5', [true, -1.5]],
    ['my%20job', 'my job'],
    ['my job', 'my job'],
    ['a%2Fb', 'a/b'],
  ] as const)('L23 the name %s is that of the key %j', (name, key) => {
    expect(lockKeyOf(name)).toBe(lockKey(key))
    expect(lockKey(lockParts(name) ?? 'none')).toBe(lockKey(key))
  })

  test('a big number has its mark', () => {
    expect(lockKeyOf('=12n')).toBe(lockKey(12n))
    expect(lockParts('=12n')).toEqual([12n])
  })

  test('of a structured key the record is found by its name, but no lock can be taken by it', () => {
    const key = lockKey(['a', { b: 1 }])
    expect(lockKeyOf(key.slice('lock/'.length))).toBe(key)
    expect(lockParts(key.slice('lock/'.length))).toBeUndefined()
  })

  test('I21 a text and a number are two keys', () => {
    const named = (key: string, asJson: boolean) => recordKeyOf({ first: 'charge', key, asJson })
    expect(named('7', false)).toBe(onceKey('charge', { key: '7' }))
    expect(named('7', true)).toBe(onceKey('charge', { key: 7 }))
    expect(recordKeyOf({ first: 'charge', key: 'p', scope: 'acme', asJson: false })).toBe(
      onceKey('charge', { key: 'p', scope: 'acme' }),
    )
    expect(() => named('{', true)).toThrow('is not JSON')
  })
})
