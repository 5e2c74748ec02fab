/** Small, rare values as bytes; JSON, as nothing here is on the hot path and people read it in dumps of a log. */
export const encodeObject = (value: object): Uint8Array => new TextEncoder().encode(JSON.stringify(value))

/** Undefined for anything that `encodeObject` does not write; what the members are is for the caller to check. */
export function decodeObject(data: Uint8Array): { readonly [name: string]: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(data))
    return typeof value === 'object' && value !== null ? (value as { readonly [name: string]: unknown }) : undefined
  } catch {
    return undefined
  }
}
