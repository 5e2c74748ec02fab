import { InvalidArgumentError } from 'commander'

const UNITS: { readonly [unit: string]: number } = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const MINUTE = 60_000
const HOUR = 3_600_000
const DAY = 86_400_000

/** An option such as `30s`: with its unit, because nobody knows what 30 is of. */
export function durationOption(least: number, most: number): (text: string) => number {
  return (text) => {
    const [, digits, unit = ''] = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d)$/.exec(text) ?? []
    if (digits === undefined) throw new InvalidArgumentError('Give a number with its unit: 500ms, 30s, 5m, 2h.')
    const ms = Math.round(Number(digits) * (UNITS[unit] ?? 0))
    if (ms < least || ms > most) throw new InvalidArgumentError(`It must be from ${least} ms to ${span(most)}.`)
    return ms
  }
}

export function countOption(least: number, most: number): (text: string) => number {
  return (text) => {
    const count = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
    if (Number.isSafeInteger(count) && count >= least && count <= most) return count
    throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`)
  }
}

/** How long, in the unit that serves: two digits or so. */
export function span(ms: number): string {
  const length = Math.abs(ms)
  if (length < 1000) return 'less than 1 s'
  if (length < 2 * MINUTE) return `${Math.floor(length / 1000)} s`
  if (length < 2 * HOUR) return `${Math.floor(length / MINUTE)} min`
  if (length < 2 * DAY) return `${Math.floor(length / HOUR)} h`
  return `${Math.floor(length / DAY)} d`
}

/** A time of the store's, for people. */
export const ago = (ms: number, now: number): string => (ms > now ? `in ${span(ms - now)}` : `${span(now - ms)} ago`)

const LAST_MS = 8_640_000_000_000_000

/** A time as programs like it; `undefined`: no calendar goes that far. */
export const iso = (ms: number | undefined): string | undefined =>
  ms === undefined || Math.abs(ms) > LAST_MS ? undefined : new Date(ms).toISOString()
