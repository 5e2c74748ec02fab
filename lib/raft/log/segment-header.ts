import { crc32 } from 'node:zlib'
import type { HardState, LogIndex, MemberId, Term } from '../entry.ts'
import { readWhole, writeWholes } from './bytes.ts'
import { FORMAT_VERSION, type Identity, type Origin } from './identity.ts'
import { fromSectors, ROOM, SECTOR, stateOf, toSectors } from './sectors.ts'

/**
 * A segment's first sector. Its content:
 *
 *     0  CRC-32 of bytes 4 to 510: the segment's sum, which seeds its chain and its frames' headers
 *     4  "ALONCLOG"
 *    12  format version (2), length of the cluster id (2)
 *    16  member id, sequence number, next index, term, vote, commit (8 each)
 *    64  the chain before, size of the segment in sectors (4 each)
 *    72  cluster id, UTF-8
 *
 * Sum, magic and version stay where they are in every version, so that each can tell a newer file from a damaged one. The hard
 * state is repeated here, so that older segments can go.
 */
export interface SegmentHeader extends Origin {
  readonly sequence: number
  /** The index that follows the log's last one at the time. */
  readonly nextIndex: LogIndex
  readonly hardState: HardState
  /** The chain at the end of the segment before. */
  readonly before: number
  readonly sectors: number
  /** The sum of it all. */
  readonly seed: number
}

const MAGIC = 'ALONCLOG'
const CLUSTER_ID = 72

export function encodeSegmentHeader(
  identity: Identity,
  fields: Omit<SegmentHeader, keyof Origin | 'seed'>,
): { readonly bytes: Buffer; readonly seed: number } {
  const content = Buffer.alloc(ROOM)
  content.write(MAGIC, 4, 'latin1')
  content.writeUInt16LE(FORMAT_VERSION, 12)
  content.writeUInt16LE(content.write(identity.clusterId, CLUSTER_ID), 14)
  const { term, vote, commit } = fields.hardState
  writeWholes(content, [identity.memberId, fields.sequence, fields.nextIndex, term, vote, commit], 16)
  content.writeUInt32LE(fields.before, 64)
  content.writeUInt32LE(fields.sectors, 68)
  const seed = crc32(content.subarray(4))
  content.writeUInt32LE(seed, 0)
  return { bytes: toSectors(content), seed }
}

export function decodeSegmentHeader(segment: Buffer): SegmentHeader | 'damaged' | 'other version' {
  const sector = segment.subarray(0, SECTOR)
  if (sector.length < SECTOR || stateOf(sector) !== 'whole') return 'damaged'
  const content = fromSectors(sector)
  const seed = content.readUInt32LE(0)
  if (crc32(content.subarray(4)) !== seed || content.toString('latin1', 4, 12) !== MAGIC) return 'damaged'
  const version = content.readUInt16LE(12)
  if (version !== FORMAT_VERSION) return 'other version'
  const number = (at: number): number => readWhole(content, at)
  return {
    version,
    memberId: number(16) as MemberId,
    sequence: number(24),
    nextIndex: number(32) as LogIndex,
    hardState: { term: number(40) as Term, vote: number(48) as MemberId, commit: number(56) as LogIndex },
    before: content.readUInt32LE(64),
    sectors: content.readUInt32LE(68),
    clusterId: content.toString('utf8', CLUSTER_ID, CLUSTER_ID + content.readUInt16LE(14)),
    seed,
  }
}
