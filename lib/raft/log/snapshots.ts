import type { SnapshotMeta } from '../entry.ts'
import type { Disk } from './disk.ts'
import { demand, refused } from './failure.ts'
import { snapshotName } from './file-names.ts'
import type { Identity } from './identity.ts'
import { demandNewer } from './rules.ts'
import { isRefusal } from './segment-reader.ts'
import type { SnapshotHeader } from './snapshot-format.ts'
import { readChunks, readSnapshotHeader } from './snapshot-reader.ts'
import { type Slices, writeSnapshot } from './snapshot-writer.ts'

/** The snapshot in force; at most one more is under way. */
export class Snapshots {
  readonly #disk: Disk
  readonly #identity: Identity
  readonly #sliceBytes: number
  #current: SnapshotHeader | undefined
  #writing = false
  /** How many are about to read the snapshot at an index. */
  readonly #opening = new Map<number, number>()

  constructor(
    disk: Disk,
    settings: { readonly identity: Identity; readonly sliceBytes: number },
    current: SnapshotHeader | undefined,
  ) {
    this.#disk = disk
    this.#identity = settings.identity
    this.#sliceBytes = settings.sliceBytes
    this.#current = current
  }

  get current(): SnapshotMeta | undefined {
    return this.#current?.meta
  }

  /** Resolves when the snapshot is durable and in force. The older one is removed. */
  async write(meta: SnapshotMeta, slices: Slices): Promise<void> {
    demand(!this.#writing, () => 'a second snapshot while one is being written')
    demandNewer(meta, this.#current?.meta)
    this.#writing = true
    try {
      await writeSnapshot(this.#disk, { identity: this.#identity, meta, sliceBytes: this.#sliceBytes }, slices)
      const header = await readSnapshotHeader(this.#disk, this.#identity, meta.index)
      if (isRefusal(header)) throw refused(header)
      const older = this.#current
      this.#current = header
      // Who is about to open it removes it.
      if (older && !this.#opening.has(older.meta.index)) await this.#disk.remove(snapshotName(older.meta.index))
    } finally {
      this.#writing = false
    }
  }

  /**
   * The snapshot's bytes, in pieces that are each checked; throws `LOG_DAMAGED`. A newer snapshot may take its place meanwhile;
   * whoever does not want the rest has to `return()`.
   */
  async *read(): AsyncGenerator<Uint8Array, void, void> {
    const header = this.#current
    if (!header) return
    const chunks = readChunks(this.#disk, header)
    try {
      const first = await this.#open(header.meta.index, chunks)
      if (first.done) return
      yield first.value
      yield* chunks
    } finally {
      await chunks.return()
    }
  }

  /** A file that is open can be removed; one that is about to be opened must not be. */
  async #open(index: number, chunks: AsyncGenerator<Uint8Array, void, void>): Promise<IteratorResult<Uint8Array, void>> {
    this.#opening.set(index, (this.#opening.get(index) ?? 0) + 1)
    try {
      return await chunks.next()
    } finally {
      const others = (this.#opening.get(index) ?? 1) - 1
      this.#opening.set(index, others)
      if (others === 0) {
        this.#opening.delete(index)
        if (this.#current?.meta.index !== index) await this.#disk.remove(snapshotName(index))
      }
    }
  }
}
