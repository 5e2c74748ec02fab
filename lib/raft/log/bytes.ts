/** Whole numbers up to 2^53 - 1 as eight bytes, without a BigInt. */
const HIGH = 2 ** 32

export function writeWhole(to: Buffer, value: number, at: number): void {
  to.writeUInt32LE(value % HIGH, at)
  to.writeUInt32LE(Math.floor(value / HIGH), at + 4)
}

export function writeWholes(to: Buffer, values: readonly number[], at: number): void {
  for (const [i, value] of values.entries()) writeWhole(to, value, at + i * 8)
}

/** May be more than a safe integer when the bytes are not ours: the caller has checked their sum. */
export const readWhole = (from: Buffer, at: number): number => from.readUInt32LE(at) + from.readUInt32LE(at + 4) * HIGH

/** The same memory, seen as a Buffer. */
export const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
