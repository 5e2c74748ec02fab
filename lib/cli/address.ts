import { onceKey } from '../idempotency/key.ts'
import { type KeyPart, lockKey, lockName } from '../store/key.ts'
import type { RecordKey } from '../store/record.ts'
import { UsageError } from './status.ts'

/** Which record is meant, in the words of who types it. */
export interface Named {
  /** `lock/<name>`, `once/<operation>/<hash>`, or an operation's name. */
  readonly first: string
  /** Of the operation. */
  readonly key?: string | undefined
  readonly scope?: string | undefined
  /** Key and scope are JSON; otherwise they are text. */
  readonly asJson: boolean
}

const HASH = /^once\/[^/]+\/[\w-]{43}$/

export function recordKeyOf({ first, key, scope, asJson }: Named): RecordKey {
  if (key !== undefined)
    return onceKey(first, { key: part(key, asJson), ...(scope !== undefined && { scope: part(scope, asJson) }) })
  if (first.startsWith('lock/')) return lockKeyOf(first.slice('lock/'.length))
  if (HASH.test(first)) return first as RecordKey
  throw new UsageError(
    `"${first}" names no record. A lock is lock/${first}; an operation needs its key, or is once/<operation>/<hash> as "alonce ls" shows it.`,
  )
}

/** 7 and "7" are two keys, so JSON is never guessed. */
function part(text: string, asJson: boolean): KeyPart {
  if (!asJson) return text
  try {
    return JSON.parse(text) as KeyPart
  } catch {
    throw new UsageError(`${text} is not JSON. With --key-json a text has quotes around it: '"pay-1"'.`)
  }
}

/** A lock by its readable name. */
export function lockKeyOf(name: string): RecordKey {
  const parts = lockParts(name)
  // Of a structured part only the name is known, and that is all that a record's key is made of.
  return parts ? lockKey(parts) : (`lock/${name}` as RecordKey)
}

/** The key that has this readable name, to take the lock by; `undefined`: a part of it is structured. */
export function lockParts(name: string): readonly KeyPart[] | undefined {
  const parts = name.split('/').map(lockPart)
  if (parts.includes(undefined)) return undefined
  return lockName(parts) === normalized(name) ? parts : undefined
}

/** `=7` is a number, `=true` a boolean, anything else a text. */
function lockPart(text: string): KeyPart {
  if (!text.startsWith('=')) return decoded(text)
  const value = decoded(text.slice(1))
  if (value === 'true' || value === 'false') return value === 'true'
  if (/^-?\d+n$/.test(value)) return BigInt(value.slice(0, -1))
  const number = Number(value)
  return value !== '' && Number.isFinite(number) && String(number) === value ? number : undefined
}

/** Typed by hand a name may lack its percent signs: "my job" is meant as my%20job. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new UsageError(`"${text}" has a "%" that is none of percent-encoding: write it as %25.`)
  }
}

const normalized = (name: string): string =>
  name
    .split('/')
    .map((text) => (text.startsWith('=') ? `=${encodeURIComponent(decoded(text.slice(1)))}` : encodeURIComponent(decoded(text))))
    .join('/')
