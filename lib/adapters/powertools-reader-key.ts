import { hash } from 'node:crypto'
import { AlonceError } from '../store/errors.ts'

export interface Hashing {
  readonly keyPrefix: string
  readonly hashFunction: string
}

/**
 * `<prefix>#<hash of the payload's JSON>`, as Powertools for TypeScript computes it; `undefined` where nothing was selected.
 *
 * Powertools only warns of a selection in which everything is missing, and then gives all such requests one record: somebody
 * else's result may lie there. It is not looked for.
 *
 * @throws AlonceError `KEY_INVALID`
 */
export function powertoolsKey(payload: unknown, { keyPrefix, hashFunction }: Hashing): string | undefined {
  if (isMissing(payload)) return undefined
  return `${keyPrefix}#${hashed(payload, hashFunction)}`
}

/** @throws AlonceError `KEY_INVALID` */
export function hashed(payload: unknown, hashFunction: string): string {
  try {
    return hash(hashFunction, JSON.stringify(inTheirOrder(payload)), 'base64')
  } catch (cause) {
    const message =
      'The payload for the predecessor’s key is not JSON, so Powertools can have no record of it. Select what "eventKeyJmesPath" selects.'
    throw new AlonceError('KEY_INVALID', message, { cause })
  }
}

function isMissing(payload: unknown): boolean {
  if (payload === undefined || payload === null) return true
  return typeof payload === 'object' && Object.values(payload).every((part) => part === undefined || part === null)
}

/**
 * Members in their order, at every depth: by lower case, so that what differs in case alone stays as the engine's sort leaves it.
 * Assigned one by one: a member named `__proto__` is lost there as well.
 */
function inTheirOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inTheirOrder)
  // Their test of what an object is: class instances are, dates and maps are not.
  if (Object.prototype.toString.call(value) !== '[object Object]') return value
  const members = value as { readonly [name: string]: unknown }
  const ordered: { [name: string]: unknown } = {}
  const byLowerCase = (a: string, b: string): number => (a.toLowerCase() < b.toLowerCase() ? -1 : 1)
  for (const name of Object.keys(members).sort(byLowerCase)) ordered[name] = inTheirOrder(members[name])
  return ordered
}
