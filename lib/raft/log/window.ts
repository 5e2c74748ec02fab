import type { Entry, LogIndex, Term } from '../entry.ts'
import { demand } from './failure.ts'

/** The entry before the first one that is kept; its term is known unless the file that told it is gone. */
export interface WindowBase {
  readonly index: LogIndex
  readonly term: Term | undefined
}

export const ORIGIN: WindowBase = { index: 0 as LogIndex, term: 0 as Term }

/** The entries that are kept, in memory, for reads: from the base on, without a gap. As many as a snapshot interval has. */
export class LogWindow {
  #base: WindowBase
  #entries: Entry[]

  constructor(base: WindowBase = ORIGIN, entries: readonly Entry[] = []) {
    this.#base = { index: base.index, term: base.term }
    this.#entries = [...entries]
  }

  get base(): WindowBase {
    return this.#base
  }
  get firstIndex(): LogIndex {
    return (this.#base.index + 1) as LogIndex
  }
  get lastIndex(): LogIndex {
    return (this.#base.index + this.#entries.length) as LogIndex
  }

  term(index: LogIndex): Term | undefined {
    return index === this.#base.index ? this.#base.term : this.#entries[index - this.firstIndex]?.term
  }

  /** From `from` up to, but without, `to`. */
  slice(from: LogIndex, to: LogIndex): readonly Entry[] {
    demand(from >= this.firstIndex, () => `entry ${from} is asked for, ${this.firstIndex} is the first one kept`)
    demand(from <= to && to <= this.lastIndex + 1, () => `entries ${from} to ${to} are asked for, ${this.lastIndex} is the last`)
    return this.#entries.slice(from - this.firstIndex, to - this.firstIndex)
  }

  /** Replaces everything from the first one's index on. The caller has seen to it that there is no gap. */
  append(entries: readonly Entry[]): void {
    const first = entries[0]
    if (!first) return
    this.#entries.length = first.index - this.firstIndex
    for (const entry of entries) this.#entries.push(entry)
  }

  compact(upTo: LogIndex): void {
    if (upTo <= this.#base.index) return
    const base = { index: upTo, term: this.term(upTo) }
    this.#entries.splice(0, upTo - this.#base.index)
    this.#base = base
  }

  reset(base: WindowBase): void {
    this.#base = base
    this.#entries = []
  }
}
