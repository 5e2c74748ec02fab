/** Chance that can be repeated: the same seed draws the same numbers (Mulberry32, by Tommy Ettinger). */
export class Chance {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** Uniform in [0, 1). */
  fraction(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }

  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + Math.floor(this.fraction() * (high - low + 1))
  }

  shuffled<T>(items: readonly T[]): T[] {
    const rest = [...items]
    const drawn: T[] = []
    while (rest.length > 0) drawn.push(...rest.splice(this.between(0, rest.length - 1), 1))
    return drawn
  }
}
