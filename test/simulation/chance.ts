import { mulberry32 } from './disk.ts'

/** Draws from a seed. Each part of the world has its own, so that leaving one fault out changes little of the rest. */
export class Chance {
  readonly #random: () => number

  constructor(seed: number, part: string) {
    this.#random = mulberry32(mix(seed | 0, part))
  }

  fraction(): number {
    return this.#random()
  }

  below(limit: number): number {
    return Math.floor(this.#random() * limit)
  }

  between(low: number, high: number): number {
    return low + this.#random() * (high - low)
  }

  happens(probability: number): boolean {
    return this.#random() < probability
  }

  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)] as T
  }
}

/** A small hash of 32 bits, for seeds and for comparing long logs. */
export function mix(start: number, text: string): number {
  let hash = start ^ 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  hash ^= hash >>> 15
  return Math.imul(hash, 0x2c1b3c6d) | 0
}
