import { expect, test } from 'vitest'
import { itemBytes, transactionUnits, writeUnits } from '../../bench/table/item-size.ts'

test('an item weighs its names and values in UTF-8', () => {
  expect(itemBytes({ id: { S: 'abc' } })).toBe(5)
  expect(itemBytes({ é: { S: '€' } })).toBe(5)
})

test('numbers take a byte for two digits and one more, bytes their own, maps and lists three and one for each member', () => {
  expect(itemBytes({ n: { N: '1234' } })).toBe(1 + 3)
  expect(itemBytes({ n: { N: '1000' } })).toBe(1 + 2)
  expect(itemBytes({ b: { B: Buffer.from('1234') } })).toBe(1 + 4)
  expect(itemBytes({ m: { M: { a: { S: 'x' } } } })).toBe(1 + 3 + 1 + 2)
  expect(itemBytes({ l: { L: [{ S: 'x' }, { BOOL: true }] } })).toBe(1 + 3 + 2 + 1 + 1)
})

test('on the wire bytes are base64', () => {
  expect(itemBytes({ b: { B: 'MTIzNA==' as unknown as Uint8Array } })).toBe(1 + 4)
})

test('a write costs a unit for each KiB begun, and at least one: a refused write of nothing, too', () => {
  expect([0, 1, 1024, 1025, 102_400].map(writeUnits)).toEqual([1, 1, 1, 2, 100])
})

test('in a transaction each item costs twice, by its own size', () => {
  expect(transactionUnits([])).toBe(0)
  expect(transactionUnits([300, 60])).toBe(4)
  expect(transactionUnits([1025, 60])).toBe(6)
})
