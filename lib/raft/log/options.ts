import { demand } from './failure.ts'
import { type Identity, MAX_CLUSTER_ID_BYTES } from './identity.ts'
import { SECTOR } from './sectors.ts'
import { MAX_CHUNK_BYTES } from './snapshot-format.ts'

export interface LogOptions {
  /**
   * What to do when the directory holds no log. `create` is for the one first start of a member id; from then on `refuse`, so
   * that a member whose disk was swapped or emptied does not vote again in a term in which it voted before. Default: `refuse`.
   */
  readonly emptyDisk?: 'create' | 'refuse' | undefined
  /** Size of a segment, rounded down to 512. Default: 16 MiB. */
  readonly segmentBytes?: number | undefined
  /**
   * The most that a snapshot makes and writes at once, between two writes of the log. Default: 64 KiB, whose records are made in about
   * a millisecond, and of which a disk writes a few hundred a second.
   */
  readonly sliceBytes?: number | undefined
}

export interface Settings {
  readonly emptyDisk: 'create' | 'refuse'
  readonly segmentBytes: number
  readonly sliceBytes: number
}

const MIN_SEGMENT_BYTES = 8 * SECTOR
const MAX_SEGMENT_BYTES = 1024 * 1024 * 1024

export function settingsOf(identity: Identity, options: LogOptions): Settings {
  const { emptyDisk = 'refuse', segmentBytes = 16 * 1024 * 1024, sliceBytes = 64 * 1024 } = options
  const idBytes = Buffer.byteLength(identity.clusterId)
  demand(idBytes >= 1 && idBytes <= MAX_CLUSTER_ID_BYTES, () => `the cluster id has ${idBytes} bytes`)
  demand(Number.isSafeInteger(identity.memberId) && identity.memberId > 0, () => `the member id is ${identity.memberId}`)
  demand(segmentBytes >= MIN_SEGMENT_BYTES && segmentBytes <= MAX_SEGMENT_BYTES, () => `segmentBytes is ${segmentBytes}`)
  demand(sliceBytes >= 1 && sliceBytes <= MAX_CHUNK_BYTES, () => `sliceBytes is ${sliceBytes}`)
  return { emptyDisk, segmentBytes, sliceBytes }
}
