import type { LogIndex } from './entry.ts'

/** How much a leader sends ahead of a follower's answers. */
export interface InflightLimits {
  readonly maxInflightMessages: number
  readonly maxInflightBytes: number
}

/** The messages with entries that a follower has not answered yet, oldest first: the last index of each, and its size. */
export class Inflights {
  readonly #limits: InflightLimits
  readonly #lasts: LogIndex[] = []
  readonly #sizes: number[] = []
  /** Where the oldest is: answered ones are dropped in bulk, as shifting an array on every answer costs its length. */
  #oldest = 0
  #bytes = 0

  constructor(limits: InflightLimits) {
    this.#limits = limits
  }

  get count(): number {
    return this.#lasts.length - this.#oldest
  }

  get full(): boolean {
    return this.count >= this.#limits.maxInflightMessages || this.#bytes >= this.#limits.maxInflightBytes
  }

  /** Whoever sends looks at `full` first; a message larger than all of the room is let through when nothing is in flight. */
  add(last: LogIndex, bytes: number): void {
    this.#lasts.push(last)
    this.#sizes.push(bytes)
    this.#bytes += bytes
  }

  /** The follower holds everything up to `index`. */
  freeTo(index: LogIndex): void {
    while (this.#oldest < this.#lasts.length && (this.#lasts[this.#oldest] as LogIndex) <= index) {
      this.#bytes -= this.#sizes[this.#oldest] as number
      this.#oldest++
    }
    if (this.#oldest > 64 && this.#oldest * 2 > this.#lasts.length) this.#compact()
  }

  clear(): void {
    if (this.#lasts.length === 0) return
    this.#lasts.length = 0
    this.#sizes.length = 0
    this.#oldest = 0
    this.#bytes = 0
  }

  #compact(): void {
    this.#lasts.splice(0, this.#oldest)
    this.#sizes.splice(0, this.#oldest)
    this.#oldest = 0
  }
}
