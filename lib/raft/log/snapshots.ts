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
  /** How many read the snapshot at an index. */
  readonly #readers = new Map<number, number>()

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
      // Who reads it removes it: it may be about to open the file.
      if (older && !this.#readers.has(older.meta.index)) await this.#disk.remove(snapshotName(older.meta.index))
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
    const { index } = header.meta
    this.#readers.set(index, (this.#readers.get(index) ?? 0) + 1)
    try {
      yield* readChunks(this.#disk, header)
    } finally {
      await this.#release(index)
    }
  }

  async #release(index: number): Promise<void> {
    const others = (this.#readers.get(index) ?? 1) - 1
    if (others > 0) this.#readers.set(index, others)
    else this.#readers.delete(index)
    if (others === 0 && this.#current?.meta.index !== index) await this.#disk.remove(snapshotName(index))
  }
}
