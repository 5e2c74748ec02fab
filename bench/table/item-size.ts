import type { AttributeValue } from '@aws-sdk/client-dynamodb'

export type Item = { readonly [name: string]: AttributeValue }

/**
 * The size of an item by the rules of DynamoDB's developer guide ("DynamoDB item sizes and formats"): names and strings in
 * UTF-8, numbers a byte for two digits and one more, lists and maps three bytes and one for each member.
 */
export function itemBytes(item: Item): number {
  return Object.entries(item).reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + valueBytes(value), 0)
}

function valueBytes(value: AttributeValue): number {
  if (value.S !== undefined) return Buffer.byteLength(value.S)
  if (value.N !== undefined) return numberBytes(value.N)
  if (value.B !== undefined) return binaryBytes(value.B)
  if (value.M !== undefined) return 3 + Object.keys(value.M).length + itemBytes(value.M)
  if (value.L !== undefined) return value.L.reduce((sum, member) => sum + 1 + valueBytes(member), 3)
  return 1
}

function numberBytes(digits: string): number {
  const significant = digits.replace(/^[-0.]+|\.|0+$/g, '')
  return Math.min(21, Math.ceil(significant.length / 2) + 1 + (digits.startsWith('-') ? 1 : 0))
}

/** As text it is base64, on the wire. */
const binaryBytes = (bytes: Uint8Array | string): number =>
  typeof bytes === 'string' ? Buffer.from(bytes, 'base64').byteLength : bytes.byteLength

/** A write costs a unit for each KiB begun; a refused one, too, by the item that refused it ("Conditional writes"). */
export const writeUnits = (bytes: number): number => Math.max(1, Math.ceil(bytes / 1024))

/** In a transaction each item costs twice ("Read/write capacity mode": two underlying writes, to prepare and to commit). */
export const transactionUnits = (itemsBytes: readonly number[]): number =>
  itemsBytes.reduce((sum, bytes) => sum + 2 * writeUnits(bytes), 0)
