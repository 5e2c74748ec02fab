import type { Configuration } from '../core/configuration.ts'
import { type Entry, isConfChange, type LogIndex } from '../core/entry.ts'
import type { MsgStorageApply, MsgStorageApplyResp } from '../core/messages.ts'
import type { NodeObserver } from './ports.ts'
import type { ReplicatedState } from './replicated-state.ts'
import type { Answer } from './sessions.ts'

export interface ApplierPorts {
  readonly state: ReplicatedState
  readonly observer: NodeObserver
  readonly changeConfiguration: (entry: Entry) => Configuration
  readonly applied: (entry: Entry, answers: readonly Answer[]) => void
  readonly respond: (response: MsgStorageApplyResp) => void
}

/** What the state is of: the last entry applied, and the members as of it. */
export interface AppliedTo {
  readonly index: LogIndex
  readonly configuration: Configuration
}

/** Applies committed entries, in order; some in each turn, so that messages and ticks get through in between. */
export class Applier {
  readonly #ports: ApplierPorts
  #at: AppliedTo
  #queue: MsgStorageApply[] = []
  /** Of the first one in the queue. */
  #done = 0
  #paused = false

  constructor(ports: ApplierPorts, at: AppliedTo) {
    this.#ports = ports
    this.#at = at
  }

  get at(): AppliedTo {
    return this.#at
  }

  /** A snapshot is being installed: the state is between two. */
  get isPaused(): boolean {
    return this.#paused
  }

  get hasWork(): boolean {
    return this.#queue.length > 0 && !this.#paused
  }

  enqueue(work: MsgStorageApply): void {
    this.#queue.push(work)
  }

  run(maxEntries: number): void {
    let left = maxEntries
    while (this.hasWork && left > 0) {
      const work = this.#queue[0] as MsgStorageApply
      const entries = work.entries.slice(this.#done, this.#done + left)
      for (const entry of entries) this.#apply(entry)
      left -= entries.length
      this.#done += entries.length
      if (this.#done < work.entries.length) return
      this.#queue.shift()
      this.#done = 0
      for (const response of work.responses) this.#ports.respond(response)
    }
  }

  #apply(entry: Entry): void {
    // A snapshot overtook it.
    if (entry.index <= this.#at.index) return
    const { state, observer, changeConfiguration, applied } = this.#ports
    const configuration = isConfChange(entry) ? changeConfiguration(entry) : this.#at.configuration
    const answers = isBatch(entry) ? state.apply(entry.data, entry.index) : NO_ANSWERS
    this.#at = { index: entry.index, configuration }
    observer.applied?.(entry)
    applied(entry, answers)
  }

  async restore(at: AppliedTo, pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<void> {
    this.#paused = true
    await this.#ports.state.restore(pieces)
    this.#at = at
    this.#paused = false
    this.#ports.observer.restored?.(at.index)
  }
}

/** Neither a change of the members nor the empty entry that a leader begins with. */
export const isBatch = (entry: Entry): boolean => !isConfChange(entry) && entry.data.length > 0

const NO_ANSWERS: readonly Answer[] = Object.freeze([])
