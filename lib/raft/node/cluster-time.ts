/**
 * The time that leases are measured in. The leader stamps each batch with it; nobody compares it with a wall clock.
 *
 * Two stamps are never further apart than the real time between them, so no lease ends before its holder thinks so, whoever
 * leads: every member goes on from the latest stamp that it applied, by its own monotonic clock, from that moment on. A new leader
 * therefore goes on where the last one was, rather than beginning every lease anew; and it stamps nothing before it has
 * applied all that others stamped (`RaftNode`). Compare Gray and Cheriton, "Leases" (1989), and the thesis, §6.4.1.
 */
export class ClusterTime {
  readonly #maxStepMs: number
  #timeMs = 0
  #seenAt: number

  constructor(maxStepMs: number, now: number) {
    this.#maxStepMs = maxStepMs
    this.#seenAt = now
  }

  /** Whole milliseconds, rounded down: whoever compares for "later than" is never early. */
  get ms(): number {
    return Math.floor(this.#timeMs)
  }

  /**
   * The monotonic clock says `now`. Not more than `maxStepMs` at once: a process that was stopped, and with it perhaps every
   * holder on the same machine, wakes up to leases that can still be renewed. Slower than real time is always safe.
   */
  observe(now: number): void {
    this.#timeMs += Math.min(Math.max(0, now - this.#seenAt), this.#maxStepMs)
    this.#seenAt = now
  }

  /**
   * A batch with another member's stamp was applied. That member may have been slower than we are: we go back to its time, or
   * our next stamp would be too far from its last.
   */
  learn(stampMs: number): void {
    this.#timeMs = stampMs
  }
}
