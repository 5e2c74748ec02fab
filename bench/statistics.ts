/** The middle of some measurements, and between what half of them lie. */
export interface Spread {
  readonly median: number
  /** The first and third quartile. */
  readonly low: number
  readonly high: number
  readonly rounds: number
}

/** By linear interpolation between the two nearest (type 7 of Hyndman and Fan, what R and NumPy do). */
export function quantile(values: readonly number[], q: number): number {
  if (values.length === 0) throw new RangeError('There is no quantile of nothing')
  const sorted = values.toSorted((a, b) => a - b)
  const at = (sorted.length - 1) * q
  const below = sorted[Math.floor(at)] ?? Number.NaN
  const above = sorted[Math.ceil(at)] ?? Number.NaN
  return below + (above - below) * (at - Math.floor(at))
}

export const median = (values: readonly number[]): number => quantile(values, 0.5)

export function spreadOf(values: readonly number[]): Spread {
  return { median: median(values), low: quantile(values, 0.25), high: quantile(values, 0.75), rounds: values.length }
}

/** Three significant digits, without an exponent: what a reader can tell apart. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '–'
  if (Math.abs(value) >= 100) return String(Math.round(value))
  return String(Number(value.toPrecision(3)))
}

export const spreadText = ({ median: middle, low, high }: Spread): string => `${figure(middle)} (${figure(low)}–${figure(high)})`
