import { crypto } from '../runtime/crypto.ts'
import { AlonceError, isAlonceError } from '../store/errors.ts'
import { canonicalKey, escapePart, type KeyPart } from '../store/key.ts'
import type { RecordKey } from '../store/record.ts'

export interface KeyParts {
  readonly key: KeyPart
  /** Present, even as `undefined`, when the operation has a scope: a missing tenant must never mean "no tenant". */
  readonly scope?: KeyPart
}

/**
 * `once/<operation>/<SHA-256 of scope and key>`. The operation is readable, the key is not: it may be a card number, and is
 * neither stored nor logged.
 *
 * @throws AlonceError `KEY_MISSING`, `KEY_INVALID`
 */
export function onceKey(operation: string, parts: KeyParts): RecordKey {
  // Canonical texts are prefix-free, so the two can't run into each other.
  const scope = Object.hasOwn(parts, 'scope') ? `s${canonicalScope(parts.scope)}` : ''
  return `once/${escapePart(operation)}/${digest(`${scope}k${canonicalKey(parts.key)}`)}` as RecordKey
}

function canonicalScope(scope: KeyPart): string {
  try {
    return canonicalKey(scope)
  } catch (cause) {
    if (!isAlonceError(cause, 'KEY_MISSING')) throw cause
    const message =
      'The scope, or a part of it, is missing. Return a value that names the tenant or caller from "scope", or drop the option.'
    throw new AlonceError('KEY_MISSING', message, { cause })
  }
}

/**
 * A short hash of what the payload is as JSON, whatever the order of members.
 *
 * @throws AlonceError `KEY_INVALID`
 */
export function fingerprintOf(payload: unknown): string {
  try {
    // `undefined` is a payload of its own: a request without a body differs from one with a body.
    return digest(JSON.stringify(payload, inOrder) ?? 'undefined')
  } catch (cause) {
    if (isAlonceError(cause)) throw cause
    const message =
      'The value returned from "fingerprint" is not JSON. Return the parts of the payload that identify the request.'
    throw new AlonceError('KEY_INVALID', message, { cause })
  }
}

/** Used by `JSON.stringify`: members in the order of their names. */
function inOrder(_name: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  if (value instanceof Map || value instanceof Set) {
    // As JSON each of them is {}: all payloads would look alike.
    throw new AlonceError('KEY_INVALID', 'A fingerprint may not contain a Map or a Set: spread it into an array.')
  }
  const names = Object.keys(value).sort()
  return Object.fromEntries(names.map((name) => [name, (value as { readonly [name: string]: unknown })[name]]))
}

export interface DownstreamKey {
  readonly record: RecordKey
  readonly epoch: number
  readonly name: string
  readonly generation: number
}

/**
 * The key under which another system is asked to do its part: equal for every attempt, because the failure of one says
 * nothing of what the other system did. It changes when it is retired (`generation`) or the record forgotten (`epoch`).
 *
 * The record's key knows nothing of a store's namespace: two namespaces that call one provider want a `scope`.
 */
export const downstreamKeyOf = ({ record, epoch, name, generation }: DownstreamKey): string =>
  digest(canonicalKey(['downstream', record, epoch, name, generation]))

const digest = (text: string): string => crypto().hash('sha256', text, 'base64url')
