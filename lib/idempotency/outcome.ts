import { AlonceError, type ErrorCode } from '../store/errors.ts'
import type { StoredResult } from '../store/record.ts'
import { type Codec, jsonCodec, MAX_PLAIN_BYTES, pack, unpack } from './codec.ts'

/** What a call gets that need not run: the value again, or the error again. */
export type Recalled =
  | { readonly kind: 'replay'; readonly value: unknown }
  | { readonly kind: 'rethrow'; readonly error: unknown }

/** Why an operation that has run has no result to replay. */
export type UnstorableCode = 'RESULT_TOO_LARGE' | 'RESULT_NOT_SERIALIZABLE'

const NOTHING = /* @__PURE__ */ new Uint8Array(0)
/** Kept without a codec, because few formats have a word for it. */
const UNDEFINED = 'undefined'
const GZIPPED = '+gzip'
const MAX_ERROR_CHARS = 32_768

/** @throws AlonceError `RESULT_NOT_SERIALIZABLE`, `RESULT_TOO_LARGE` */
export async function storedValue(value: unknown, codec: Codec, maxBytes: number): Promise<StoredResult> {
  if (value === undefined) return { form: 'value', codec: UNDEFINED, body: NOTHING }
  const plain = await encode(value, codec)
  if (plain.byteLength > MAX_PLAIN_BYTES) throw tooLarge(plain.byteLength, MAX_PLAIN_BYTES)
  const { gzipped, bytes } = await pack(plain)
  if (bytes.byteLength > maxBytes) throw tooLarge(bytes.byteLength, maxBytes)
  return { form: 'value', codec: gzipped ? codec.id + GZIPPED : codec.id, body: bytes }
}

async function encode(value: unknown, codec: Codec): Promise<Uint8Array> {
  let bytes: unknown
  try {
    bytes = await codec.encode(value)
  } catch (cause) {
    throw new AlonceError('RESULT_NOT_SERIALIZABLE', `The codec "${codec.id}" can't encode the result.`, { cause })
  }
  if (bytes instanceof Uint8Array) return bytes
  throw new AlonceError('RESULT_NOT_SERIALIZABLE', `The codec "${codec.id}" must make a Uint8Array of the result.`)
}

const tooLarge = (bytes: number, limit: number): AlonceError =>
  new AlonceError('RESULT_TOO_LARGE', `The result takes ${bytes} bytes, the store keeps at most ${limit}.`)

export const unstorable = (code: UnstorableCode): StoredResult => ({ form: 'unstorable', codec: code, body: NOTHING })

/** Name and message only: stacks and members may hold what nobody wants to keep. */
export function storedError(error: unknown): StoredResult {
  const { name, message } = error instanceof Error ? error : { name: 'Error', message: text(error) }
  const body = JSON.stringify({ name: text(name).slice(0, 256), message: text(message).slice(0, MAX_ERROR_CHARS) })
  return { form: 'error', codec: jsonCodec.id, body: Buffer.from(body, 'utf8') }
}

function text(value: unknown): string {
  try {
    return String(value)
  } catch {
    return 'an object without a text'
  }
}

/**
 * The outcome, made anew from the record for every call.
 *
 * @throws AlonceError `RECORD_UNREADABLE`
 */
export async function recall(result: StoredResult, codec: Codec, key: string): Promise<Recalled> {
  switch (result.form) {
    case 'value':
      return { kind: 'replay', value: await recallValue(result, codec, key) }
    case 'error':
      return { kind: 'rethrow', error: await recallError(result, key) }
    case 'unstorable':
      return { kind: 'rethrow', error: recallUnstorable(result, key) }
    default:
      throw unreadable(`its outcome has the unknown form "${result.form satisfies never}"`, key)
  }
}

async function recallValue(result: StoredResult, codec: Codec, key: string): Promise<unknown> {
  if (result.codec === UNDEFINED) return undefined
  const gzipped = result.codec.endsWith(GZIPPED)
  const id = gzipped ? result.codec.slice(0, -GZIPPED.length) : result.codec
  const decoder = [codec, jsonCodec].find((known) => known.id === id)
  if (!decoder) throw unreadable(`its result was written by the codec "${id}", and this program has "${codec.id}"`, key)
  try {
    return await decoder.decode(await unpack({ gzipped, bytes: bytesOf(result) }))
  } catch (cause) {
    throw unreadable(`the codec "${id}" can't decode its result`, key, cause)
  }
}

async function recallError(result: StoredResult, key: string): Promise<Error> {
  try {
    const { name, message } = jsonCodec.decode(bytesOf(result)) as { readonly name: string; readonly message: string }
    const error = new Error(message)
    // Not enumerable, as `name` is in errors of the language.
    return Object.defineProperty(error, 'name', { value: name, configurable: true, writable: true })
  } catch (cause) {
    throw unreadable('its stored error is damaged', key, cause)
  }
}

const UNSTORABLE_BECAUSE: { readonly [code: string]: string } = {
  RESULT_TOO_LARGE: 'its result was too large to keep',
  RESULT_NOT_SERIALIZABLE: 'its result could not be encoded',
} satisfies { readonly [code in UnstorableCode]: string }

function recallUnstorable(result: StoredResult, key: string): AlonceError {
  const because = Object.hasOwn(UNSTORABLE_BECAUSE, result.codec) ? UNSTORABLE_BECAUSE[result.codec] : undefined
  if (because === undefined) throw unreadable(`its outcome has the unknown reason "${result.codec}"`, key)
  const message = `The operation has run, but ${because}, so there is nothing to replay. Return a reference instead of the data.`
  return new AlonceError(result.codec as ErrorCode, message, { key })
}

function bytesOf(result: StoredResult): Uint8Array {
  if (result.body instanceof Uint8Array) return result.body
  throw new Error('The store left the result in its parts')
}

const unreadable = (why: string, key: string, cause?: unknown): AlonceError =>
  new AlonceError('RECORD_UNREADABLE', `The operation has run, but ${why}. It will not run again: repair or forget the record.`, {
    key,
    cause,
  })
