import { decodeConfiguration } from '../core/configuration.ts'
import { type Entry, fitting, type LogIndex, NO_DATA, type Snapshot, type Term } from '../core/entry.ts'
import type { StableLog } from '../core/stable-log.ts'
import type { RaftLog } from '../log/log.ts'

/** The log as the protocol reads it. A snapshot's bytes are not in it: the sender reads them from the disk, piece by piece. */
export class StableView implements StableLog {
  readonly #log: RaftLog
  #snapshot: Snapshot | undefined

  constructor(log: RaftLog) {
    this.#log = log
  }

  firstIndex(): LogIndex {
    return this.#log.firstIndex
  }

  lastIndex(): LogIndex {
    return this.#log.lastIndex
  }

  term(index: LogIndex): Term | undefined {
    return this.#log.term(index)
  }

  entries(from: LogIndex, to: LogIndex, maxBytes: number): readonly Entry[] | undefined {
    if (from < this.#log.firstIndex) return undefined
    const entries = this.#log.entries(from, to)
    return entries.slice(0, fitting(entries, maxBytes))
  }

  snapshot(): Snapshot | undefined {
    const meta = this.#log.snapshot
    if (!meta) return undefined
    if (this.#snapshot?.index !== meta.index) {
      const configuration = decodeConfiguration(meta.configuration)
      this.#snapshot = { index: meta.index, term: meta.term, configuration, data: NO_DATA }
    }
    return this.#snapshot
  }
}
