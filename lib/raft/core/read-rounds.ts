import type { LogIndex, MemberId } from './entry.ts'

export interface ReadRequest {
  /** Who asked: this member itself or a follower. */
  readonly from: MemberId
  readonly context: number
}

interface Round {
  readonly number: number
  /** What was committed when the round began. */
  readonly index: LogIndex
  readonly requests: readonly ReadRequest[]
}

/**
 * The reads that wait for a leader to learn that it still is one. All that come between two Readys share one round of
 * heartbeats, and a later round confirms the earlier ones with it.
 */
export class ReadRounds {
  #gathered: ReadRequest[] = []
  #rounds: Round[] = []
  #latest = 0
  #waiting = 0

  /** The latest round that began, 0 for none. Heartbeats carry it, so a lost one is made good by the next. */
  get latest(): number {
    return this.#latest
  }

  get waiting(): number {
    return this.#waiting
  }

  get hasGathered(): boolean {
    return this.#gathered.length > 0
  }

  gather(request: ReadRequest): void {
    this.#gathered.push(request)
    this.#waiting++
  }

  begin(index: LogIndex): number {
    this.#latest++
    this.#rounds.push({ number: this.#latest, index, requests: this.#gathered })
    this.#gathered = []
    return this.#latest
  }

  /** The rounds up to `confirmed`, oldest first; they are done. */
  finish(confirmed: number): readonly Round[] {
    let count = 0
    while (count < this.#rounds.length && (this.#rounds[count] as Round).number <= confirmed) count++
    if (count === 0) return []
    const finished = this.#rounds.splice(0, count)
    for (const round of finished) this.#waiting -= round.requests.length
    return finished
  }

  /** Of another term: whoever waits has to ask again. Numbers begin anew, as answers of other terms are not heard. */
  clear(): void {
    this.#gathered = []
    this.#rounds = []
    this.#latest = 0
    this.#waiting = 0
  }
}
