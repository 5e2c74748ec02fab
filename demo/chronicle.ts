/** What happened, in order, for those who watch now and for the timelines afterwards. */
export interface Entry {
  /** Milliseconds since the storm began. */
  readonly atMs: number
  readonly payment: string
  /** `w3`; empty for what no process did. */
  readonly worker: string
  readonly text: string
  readonly weight: Weight
}

/** `notable`: worth a line while the storm is on. `routine`: a client that comes again too early, and is told so. */
export type Weight = 'notable' | 'step' | 'routine'

const MAX_ENTRIES = 50_000

export class Chronicle {
  readonly #entries: Entry[] = []
  readonly #watch: (entry: Entry) => void
  readonly #startedAt = performance.now()

  constructor(watch: (entry: Entry) => void = () => undefined) {
    this.#watch = watch
  }

  tell(entry: Omit<Entry, 'atMs'>): void {
    const full = { ...entry, atMs: Math.round(performance.now() - this.#startedAt) }
    if (this.#entries.length < MAX_ENTRIES) this.#entries.push(full)
    this.#watch(full)
  }

  of(payment: string): readonly Entry[] {
    return this.#entries.filter((entry) => entry.payment === payment)
  }

  get elapsedMs(): number {
    return Math.round(performance.now() - this.#startedAt)
  }
}

export const entryLine = ({ atMs, payment, worker, text }: Entry): string =>
  `${(atMs / 1000).toFixed(2).padStart(6)} s  ${payment.padEnd(4)} ${worker.padEnd(4)} ${text}`
