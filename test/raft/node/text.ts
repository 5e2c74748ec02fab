/** Payloads and replies as texts, for people. */
export const bytes = (value: string): Uint8Array => new TextEncoder().encode(value)

export const text = (value: Uint8Array): string => new TextDecoder().decode(value)

/** Eight bytes, little-endian: a session's id. */
export const numberIn = (value: Uint8Array): number => Number(new DataView(value.buffer, value.byteOffset).getBigUint64(0, true))
