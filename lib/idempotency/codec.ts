import { promisify } from 'node:util'
import { gunzip, gunzipSync, gzip, gzipSync } from 'node:zlib'

/** Turns results into bytes and back. `undefined` never gets here: it is kept without a codec. */
export interface Codec {
  /** Stored with every result, which is read by the codec of the same id only. Letters, digits, `.`, `_`, `-`; at most 32. */
  readonly id: string
  encode(value: unknown): Uint8Array | Promise<Uint8Array>
  /** Must make a fresh value from the bytes each time. */
  decode(bytes: Uint8Array): unknown
}

/** What Lambda itself would return: `JSON.stringify`, with `toJSON`. A function or symbol is `undefined`, as there. */
export const jsonCodec: Codec = {
  id: 'json',
  encode: (value) => Buffer.from(JSON.stringify(value) ?? '', 'utf8'),
  decode: (bytes) => (bytes.byteLength === 0 ? undefined : JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))),
}

/** Below this, gzip saves nothing that anybody pays for. */
const GZIP_ABOVE_BYTES = 1024
/** Above this, gzip leaves the event loop alone: others' renewals are waiting there. */
const GZIP_ASYNC_ABOVE_BYTES = 262_144
/** What a result may unfold to: a damaged or hostile record must not fill the memory. */
export const MAX_PLAIN_BYTES = 67_108_864

export interface Packed {
  readonly gzipped: boolean
  readonly bytes: Uint8Array
}

export async function pack(plain: Uint8Array): Promise<Packed> {
  if (plain.byteLength > GZIP_ABOVE_BYTES) {
    const bytes = plain.byteLength > GZIP_ASYNC_ABOVE_BYTES ? await promisify(gzip)(plain) : gzipSync(plain)
    if (bytes.byteLength < plain.byteLength) return { gzipped: true, bytes }
  }
  // A copy: what the store keeps must not change when the caller's buffer does.
  return { gzipped: false, bytes: new Uint8Array(plain) }
}

/** @throws Error of zlib when the bytes are damaged or unfold to more than `MAX_PLAIN_BYTES` */
export async function unpack({ gzipped, bytes }: Packed): Promise<Uint8Array> {
  if (!gzipped) return new Uint8Array(bytes)
  const limit = { maxOutputLength: MAX_PLAIN_BYTES }
  return bytes.byteLength > GZIP_ASYNC_ABOVE_BYTES ? promisify(gunzip)(bytes, limit) : gunzipSync(bytes, limit)
}
