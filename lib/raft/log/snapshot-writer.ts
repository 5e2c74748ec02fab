import type { SnapshotMeta } from '../entry.ts'
import type { Disk, DiskFile } from './disk.ts'
import { snapshotName, temporary } from './file-names.ts'
import type { Identity } from './identity.ts'
import { encodeChunk, encodeEnd, encodeSnapshotHeader } from './snapshot-format.ts'

export type Slices = AsyncIterable<Uint8Array> | Iterable<Uint8Array>

/**
 * Writes a snapshot under a temporary name, a bounded piece at a time, and gives it its own when all of it is durable.
 *
 * Each piece is a durable write: one sync at the end would make the disk write everything at once, and the log's own
 * writes would wait behind it.
 */
export async function writeSnapshot(
  disk: Disk,
  { identity, meta, sliceBytes }: { readonly identity: Identity; readonly meta: SnapshotMeta; readonly sliceBytes: number },
  slices: Slices,
): Promise<void> {
  const name = snapshotName(meta.index)
  const file = await disk.create(temporary(name))
  try {
    try {
      await writeParts(file, encodeSnapshotHeader(identity, meta), pieces(slices, sliceBytes))
      await file.sync()
    } finally {
      await file.close()
    }
  } catch (error) {
    await disk.remove(temporary(name)).catch(() => undefined) // else the next start removes it
    throw error
  }
  await disk.rename(temporary(name), name)
  await disk.syncDirectory()
}

async function writeParts(
  file: DiskFile,
  header: { readonly bytes: Buffer; readonly sum: number },
  parts: AsyncIterable<Uint8Array>,
): Promise<void> {
  let [at, sum, chunks, total] = [header.bytes.length, header.sum, 0, 0]
  await file.writeDurably(0, header.bytes)
  for await (const part of parts) {
    const chunk = encodeChunk(part, sum)
    await file.writeDurably(at, chunk.bytes)
    ;[at, sum, chunks, total] = [at + chunk.bytes.length, chunk.sum, chunks + 1, total + part.length]
  }
  await file.writeDurably(at, encodeEnd(chunks, total, sum))
}

/** As large as they may be, whatever comes: a durable write for each record would take minutes. */
async function* pieces(slices: Slices, most: number): AsyncGenerator<Uint8Array, void, void> {
  let gathered: Uint8Array[] = []
  let bytes = 0
  for await (const slice of slices) {
    for (let at = 0; at < slice.length; ) {
      const part = slice.subarray(at, at + most - bytes)
      gathered.push(part)
      bytes += part.length
      at += part.length
      if (bytes < most) continue
      yield gathered.length === 1 ? part : Buffer.concat(gathered, bytes)
      gathered = []
      bytes = 0
    }
  }
  if (bytes > 0) yield Buffer.concat(gathered, bytes)
}
