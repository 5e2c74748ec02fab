import { asBuffer, readWhole } from './bytes.ts'
import type { Disk, DiskFile } from './disk.ts'
import { damaged, type Refusal, refused } from './failure.ts'
import { snapshotName } from './file-names.ts'
import { foreignness, type Identity } from './identity.ts'
import {
  CHUNK_HEAD,
  decodeSnapshotHeader,
  END,
  END_BYTES,
  HEADER_BYTES,
  headerLength,
  MAX_CHUNK_BYTES,
  partSum,
  type SnapshotHeader,
} from './snapshot-format.ts'

/** The header of the snapshot at `index`, believed. A snapshot gets its name only when all of it is durable: it is never torn. */
export async function readSnapshotHeader(disk: Disk, identity: Identity, index: number): Promise<SnapshotHeader | Refusal> {
  const name = snapshotName(index)
  const file = await disk.open(name)
  try {
    const length = headerLength(asBuffer(await file.read(0, HEADER_BYTES)))
    const bytes = asBuffer(await file.read(0, length ?? 0))
    const header = length === bytes.length ? decodeSnapshotHeader(bytes) : 'damaged'
    if (header === 'damaged') return damaged(name, 0, 'The header is not what was written')
    const refusal = foreignness(header, identity, { file: name, offset: 0 })
    if (refusal || header === 'other version') return refusal ?? damaged(name, 0, 'The header is of an unknown version')
    if (header.meta.index !== index)
      return damaged(name, 0, `The file is the snapshot at ${header.meta.index} under another name`)
    return header
  } finally {
    await file.close()
  }
}

/** The chunks, each checked before it is handed out; throws `LOG_DAMAGED` where the file is not what was written. */
export async function* readChunks(disk: Disk, header: SnapshotHeader): AsyncGenerator<Buffer, void, void> {
  const name = snapshotName(header.meta.index)
  const file = await disk.open(name)
  let [at, sum, chunks, total] = [header.bytes, header.sum, 0, 0]
  try {
    let head = asBuffer(await file.read(at, CHUNK_HEAD))
    while (head.length === CHUNK_HEAD && head.readUInt32LE(0) !== END) {
      const length = head.readUInt32LE(0)
      if (length > MAX_CHUNK_BYTES) throw refused(damaged(name, at, 'A chunk is longer than any that is written'))
      // The next chunk's head comes along: one read for each chunk.
      const read = asBuffer(await file.read(at + CHUNK_HEAD, length + CHUNK_HEAD))
      const data = read.subarray(0, length)
      sum = partSum(head, data, sum)
      if (sum !== head.readUInt32LE(4)) throw refused(damaged(name, at, 'A chunk is not what was written'))
      yield data
      ;[at, chunks, total, head] = [at + CHUNK_HEAD + length, chunks + 1, total + length, read.subarray(length)]
    }
    const problem = await wrongEnd(file, head, { at, sum, chunks, total })
    if (problem) throw refused(damaged(name, at, problem))
  } finally {
    await file.close()
  }
}

interface Reached {
  readonly at: number
  readonly sum: number
  readonly chunks: number
  readonly total: number
}

async function wrongEnd(file: DiskFile, head: Buffer, { at, sum, chunks, total }: Reached): Promise<string | undefined> {
  const end = asBuffer(await file.read(at + CHUNK_HEAD, END_BYTES + 1))
  if (head.length < CHUNK_HEAD || end.length < END_BYTES) return 'The file has no end'
  if (end.length > END_BYTES) return 'The file goes on behind its end'
  if (partSum(head, end, sum) !== head.readUInt32LE(4)) return 'The end is not what was written'
  if (readWhole(end, 0) !== chunks || readWhole(end, 8) !== total) return 'Chunks are missing'
  return undefined
}
