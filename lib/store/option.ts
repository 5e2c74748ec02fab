import { configInvalid } from './errors.ts'
import type { Store } from './store.ts'

/**
 * Checks of options, for every entrance. Each gives back what it has checked, `undefined` too: that is no value, and its
 * default is the caller's.
 *
 * All throw AlonceError `CONFIG_INVALID`, naming the option.
 */

export type Range = readonly [least: number, most: number]

export function wholeNumber<T extends number | undefined>(option: string, value: T, [least, most]: Range): T {
  if (value === undefined || (Number.isInteger(value) && value >= least && value <= most)) return value
  throw configInvalid(option, `must be a whole number from ${least} to ${most}, not ${String(value)}.`)
}

export function oneOf<T extends string | boolean | undefined>(option: string, value: T, choices: readonly T[]): T {
  if (value === undefined || choices.includes(value)) return value
  throw configInvalid(option, `must be ${choices.map((choice) => JSON.stringify(choice)).join(' or ')}, not ${String(value)}.`)
}

export const flag = (option: string, value: boolean | undefined): boolean => oneOf(option, value, [true, false]) ?? false

export function shortText<T extends string | undefined>(option: string, value: T, mostChars: number): T {
  if (value === undefined || (typeof value === 'string' && value.length <= mostChars)) return value
  throw configInvalid(option, `must be a string of at most ${mostChars} characters.`)
}

/** `what` it must be, where a function of any kind would say too little. */
export function callable<T>(option: string, value: T, what = 'a function'): T {
  if (value === undefined || typeof value === 'function') return value
  throw configInvalid(option, `must be ${what}.`)
}

/** An option that would silently do nothing is refused: a misspelt "fingerprint" would take a protection away without a word. */
export function refuseUnknown(options: object, entrance: string, names: readonly string[]): void {
  if (typeof options !== 'object' || options === null) throw configInvalid('options', `of ${entrance} must be an object.`)
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || names.includes(name)) continue
    throw configInvalid(name, `is not an option of ${entrance}. It takes ${names.join(', ')}.`)
  }
}

export function storeOption(store: Store | undefined): Store {
  if (store && [store.execute, store.read, store.now].every((method) => typeof method === 'function')) return store
  throw configInvalid('store', 'must be a store, such as memoryStore() or dynamodbStore({ … }).')
}
