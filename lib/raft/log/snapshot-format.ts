import { crc32 } from 'node:zlib'
import type { LogIndex, MemberId, SnapshotMeta, Term } from '../entry.ts'
import { readWhole, writeWholes } from './bytes.ts'
import { FORMAT_VERSION, type Identity, type Origin } from './identity.ts'

/**
 * A snapshot file: a header, chunks, an end.
 *
 * Header:
 *
 *     0  CRC-32 of the rest of the header
 *     4  "ALONCSNP"
 *    12  format version (2), length of the cluster id (2), length of the configuration (4)
 *    20  member id, index, term (8 each)
 *    44  cluster id, configuration
 *
 * A chunk: length (4), CRC-32 of length and data, seeded with the sum before, from the header's on (4), data. The end looks
 * like a chunk of length 2^32 - 1; its data are the number of chunks and of their bytes (8 each). Since the sums are chained,
 * the end's is that of the whole file.
 */
const MAGIC = 'ALONCSNP'
export const HEADER_BYTES = 44
export const CHUNK_HEAD = 8
export const END = 0xffff_ffff
export const END_BYTES = 16
export const MAX_CONFIGURATION_BYTES: number = 1024 * 1024
export const MAX_CHUNK_BYTES: number = 1024 * 1024

export interface SnapshotHeader extends Origin {
  readonly meta: SnapshotMeta
  readonly bytes: number
  readonly sum: number
}

export function encodeSnapshotHeader(identity: Identity, meta: SnapshotMeta): { readonly bytes: Buffer; readonly sum: number } {
  const clusterId = Buffer.from(identity.clusterId)
  const bytes = Buffer.alloc(HEADER_BYTES + clusterId.length + meta.configuration.length)
  bytes.write(MAGIC, 4, 'latin1')
  bytes.writeUInt16LE(FORMAT_VERSION, 12)
  bytes.writeUInt16LE(clusterId.length, 14)
  bytes.writeUInt32LE(meta.configuration.length, 16)
  writeWholes(bytes, [identity.memberId, meta.index, meta.term], 20)
  bytes.set(clusterId, HEADER_BYTES)
  bytes.set(meta.configuration, HEADER_BYTES + clusterId.length)
  const sum = crc32(bytes.subarray(4))
  bytes.writeUInt32LE(sum, 0)
  return { bytes, sum }
}

/** How long the header says that it is; not to be believed before its sum. `undefined` when it can't be. */
export function headerLength(start: Buffer): number | undefined {
  if (start.length < HEADER_BYTES) return undefined
  const configuration = start.readUInt32LE(16)
  return configuration > MAX_CONFIGURATION_BYTES ? undefined : HEADER_BYTES + start.readUInt16LE(14) + configuration
}

export function decodeSnapshotHeader(header: Buffer): SnapshotHeader | 'damaged' | 'other version' {
  const sum = header.readUInt32LE(0)
  if (crc32(header.subarray(4)) !== sum || header.toString('latin1', 4, 12) !== MAGIC) return 'damaged'
  const version = header.readUInt16LE(12)
  if (version !== FORMAT_VERSION) return 'other version'
  const configurationAt = HEADER_BYTES + header.readUInt16LE(14)
  return {
    version,
    clusterId: header.toString('utf8', HEADER_BYTES, configurationAt),
    memberId: readWhole(header, 20) as MemberId,
    meta: {
      index: readWhole(header, 28) as LogIndex,
      term: readWhole(header, 36) as Term,
      configuration: Uint8Array.from(header.subarray(configurationAt)),
    },
    bytes: header.length,
    sum,
  }
}

export function encodeChunk(data: Uint8Array, before: number): { readonly bytes: Buffer; readonly sum: number } {
  return encodePart(data.length, data, before)
}

export function encodeEnd(chunks: number, bytes: number, before: number): Buffer {
  const data = Buffer.alloc(END_BYTES)
  writeWholes(data, [chunks, bytes], 0)
  return encodePart(END, data, before).bytes
}

function encodePart(length: number, data: Uint8Array, before: number): { readonly bytes: Buffer; readonly sum: number } {
  const bytes = Buffer.allocUnsafe(CHUNK_HEAD + data.length)
  bytes.writeUInt32LE(length, 0)
  bytes.set(data, CHUNK_HEAD)
  const sum = partSum(bytes, data, before)
  bytes.writeUInt32LE(sum, 4)
  return { bytes, sum }
}

export const partSum = (head: Buffer, data: Uint8Array, before: number): number => crc32(data, crc32(head.subarray(0, 4), before))
