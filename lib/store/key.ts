import { AlonceError } from './errors.ts'
import type { RecordKey } from './record.ts'

/** What a key may be made of. `0`, `false` and `''` are values; `undefined` and `null` are missing parts, at any depth. */
export type KeyPart =
  | string
  | number
  | boolean
  | bigint
  | null
  | undefined
  | readonly KeyPart[]
  | { readonly [name: string]: KeyPart }

const MAX_CANONICAL_CHARS = 65_536
const MAX_DEPTH = 32
const MAX_NAME_BYTES = 1024

/**
 * Canonical text of a key: equal for equal values whatever the order of an object's members, different for any two
 * different values. Every piece is prefixed with its type and length, so nothing depends on separators.
 *
 * @throws AlonceError `KEY_MISSING`, `KEY_INVALID`
 */
export function canonicalKey(key: KeyPart): string {
  const text = encode(isList(key) ? key : [key], 0)
  if (text.length > MAX_CANONICAL_CHARS) {
    throw new AlonceError(
      'KEY_INVALID',
      `A key may have at most ${MAX_CANONICAL_CHARS} characters, this one has ${text.length}. Use an id, not the payload.`,
    )
  }
  return text
}

/**
 * The readable name of a lock: its parts percent-encoded and joined by `/`; what is not a string starts with `=`.
 * A lone value is a list of one.
 *
 * @throws AlonceError `KEY_MISSING`, `KEY_INVALID` (longer than 1024 bytes)
 */
export function lockName(key: KeyPart): string {
  const parts = isList(key) ? key : [key]
  canonicalKey(parts) // for its checks
  const name = parts.map((part) => (typeof part === 'string' ? escapePart(part) : `=${escapePart(readable(part))}`)).join('/')
  if (name.length > MAX_NAME_BYTES) {
    throw new AlonceError(
      'KEY_INVALID',
      `A lock's name may have at most ${MAX_NAME_BYTES} bytes, this one has ${name.length}. Use an id, or a hash of the parts.`,
    )
  }
  return name
}

export const lockKey = (key: KeyPart): RecordKey => `lock/${lockName(key)}` as RecordKey

/** Percent-encoding, so that a name never contains a separator. */
export function escapePart(text: string): string {
  try {
    return encodeURIComponent(text)
  } catch (cause) {
    throw new AlonceError('KEY_INVALID', 'A key contains half a surrogate pair: it is not valid Unicode text.', { cause })
  }
}

function readable(part: KeyPart): string {
  if (typeof part === 'object' && part !== null) return encode(part, 0)
  return typeof part === 'bigint' ? `${part}n` : scalar(part)
}

function encode(part: KeyPart, depth: number): string {
  if (depth > MAX_DEPTH) throw new AlonceError('KEY_INVALID', `A key may be nested at most ${MAX_DEPTH} deep.`)
  if (isList(part)) {
    if (part.length === 0) throw missing('an empty array')
    // A hole of a sparse array is a missing part too: Array.from visits it, map would not.
    return `a${part.length}:${Array.from(part, (item) => encode(item, depth + 1)).join('')}`
  }
  if (typeof part === 'object' && part !== null) return encodeObject(part, depth)
  const text = scalar(part)
  return `${typeof part}${text.length}:${text}`
}

function encodeObject(part: { readonly [name: string]: KeyPart }, depth: number): string {
  const prototype: unknown = Object.getPrototypeOf(part)
  if (prototype !== Object.prototype && prototype !== null) {
    throw new AlonceError(
      'KEY_INVALID',
      'A key may hold plain objects only: turn dates and class instances into strings or numbers.',
    )
  }
  const names = Object.keys(part).sort()
  if (names.length === 0) throw missing('an empty object')
  const members = names.map((name) => `${name.length}:${name}${encode(part[name], depth + 1)}`)
  return `o${names.length}:${members.join('')}`
}

function scalar(part: KeyPart): string {
  switch (typeof part) {
    case 'string':
      return part
    case 'boolean':
    case 'bigint':
      return String(part)
    case 'number':
      if (Number.isFinite(part)) return String(part)
      throw new AlonceError('KEY_INVALID', `A key may not contain ${part}.`)
    case 'undefined':
      throw missing('undefined')
    default:
      if (part === null) throw missing('null')
      throw new AlonceError('KEY_INVALID', `A key may not contain a ${typeof part}.`)
  }
}

const missing = (what: string): AlonceError =>
  new AlonceError(
    'KEY_MISSING',
    `The key, or a part of it, is ${what}. Return a value that names this request, and nothing else, from "key".`,
  )

const isList = (key: KeyPart): key is readonly KeyPart[] => Array.isArray(key)
