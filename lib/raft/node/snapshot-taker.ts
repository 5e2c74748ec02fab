import { type Configuration, encodeConfiguration } from '../core/configuration.ts'
import type { LogIndex } from '../entry.ts'
import { isLogFailure } from '../log/failure.ts'
import type { RaftLog } from '../log/log.ts'
import type { Slices } from '../log/snapshot-writer.ts'
import type { NodeSettings } from './options.ts'

export interface SnapshotTakerPorts {
  readonly log: RaftLog
  readonly settings: NodeSettings
  readonly taken: (index: LogIndex) => void
  readonly failed: (error: unknown) => void
}

/** The state at an entry that has been applied. */
export interface StateAt {
  readonly index: LogIndex
  readonly configuration: Configuration
  /** Called at once: the pieces are of this moment, however late they are asked for. */
  readonly pieces: () => Slices
}

/** Takes snapshots beside all else, and then forgets the entries that they stand for. */
export class SnapshotTaker {
  readonly #ports: SnapshotTakerPorts
  #taking: Promise<void> | undefined
  #notBefore = 0

  constructor(ports: SnapshotTakerPorts) {
    this.#ports = ports
  }

  /** If it is time for one. */
  take(state: StateAt): void {
    const { log, settings } = this.#ports
    const last = log.snapshot?.index ?? 0
    if (this.#taking || state.index < last + settings.snapshotEntries || state.index < this.#notBefore) return
    const term = log.term(state.index)
    if (term === undefined) return
    const meta = { index: state.index, term, configuration: encodeConfiguration(state.configuration) }
    this.#taking = this.#write(log.createSnapshot(meta, state.pieces()), state.index)
  }

  async #write(created: Promise<void>, index: LogIndex): Promise<void> {
    const { log, settings, taken, failed } = this.#ports
    try {
      await created
      taken(index)
      const upTo = index - settings.keepEntries
      if (upTo >= log.firstIndex) await log.compact(upTo as LogIndex)
    } catch (error) {
      // Not before as many entries again: the log needs the room more.
      if (isLogFailure(error, 'LOG_FULL')) this.#notBefore = index + settings.snapshotEntries
      else failed(error)
    } finally {
      this.#taking = undefined
    }
  }

  /** A snapshot that is being installed must not meet one that is being taken. */
  async idle(): Promise<void> {
    await this.#taking
  }
}
