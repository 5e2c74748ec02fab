import { expect, test } from 'vitest'
import { figure, median, quantile, spreadOf, spreadText } from '../../bench/statistics.ts'

test('a median is the middle one, or half way between the two', () => {
  expect(median([9, 1, 5])).toBe(5)
  expect(median([1, 2, 4, 100])).toBe(3)
  expect(median([7])).toBe(7)
})

test('quantiles are interpolated as R and NumPy do it', () => {
  // R: quantile(c(1, 2, 3, 4), c(.25, .75)) gives 1.75 and 3.25
  expect([quantile([4, 3, 2, 1], 0.25), quantile([4, 3, 2, 1], 0.75)]).toEqual([1.75, 3.25])
  expect([quantile([4, 3, 2, 1], 0), quantile([4, 3, 2, 1], 1)]).toEqual([1, 4])
})

test('what is measured is left in its order', () => {
  const values = [3, 1, 2]
  expect(spreadOf(values)).toEqual({ median: 2, low: 1.5, high: 2.5, rounds: 3 })
  expect(values).toEqual([3, 1, 2])
})

test('there is no median of nothing: a part that measured nothing must not look like a zero', () => {
  expect(() => median([])).toThrow(RangeError)
})

test('figures have three significant digits, and no exponent', () => {
  expect([0.001234, 1.0649, 12.345, 123.4, 51234.5, Number.NaN].map(figure)).toEqual([
    '0.00123',
    '1.06',
    '12.3',
    '123',
    '51235',
    '–',
  ])
  expect(spreadText({ median: 1.0649, low: 1, high: 1.2, rounds: 3 })).toBe('1.06 (1–1.2)')
})
