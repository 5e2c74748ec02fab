/**
 * What callers know of an operation, by real time: once one of them has a completion acknowledged, nobody may begin anew before its
 * retention has ended, and whoever gets a result gets that one.
 */
export class Results {
  readonly #completions = new Map<string, Completion[]>()
  /** By key and fence: an operator may have cleared it at any time since. */
  readonly #forgotten = new Set<string>()

  completed(key: string, completion: Completion): string | undefined {
    const known = this.#completions.get(key) ?? []
    this.#completions.set(key, known)
    const other = known.find(({ fence }) => fence === completion.fence)
    if (other) return other.value === completion.value ? undefined : `${key} was completed twice with fence ${completion.fence}`
    known.push(completion)
    return undefined
  }

  /** It is about to be asked for. */
  forgetting(key: string, fence: number): void {
    this.#forgotten.add(`${key} ${fence}`)
  }

  /** An attempt with this fence was begun before `now`. */
  begun(key: string, fence: number, now: number): string | undefined {
    const kept = this.#completions
      .get(key)
      ?.find((done) => done.fence < fence && now < done.until && !this.#forgotten.has(`${key} ${done.fence}`))
    return kept && `${key} begins again with fence ${fence}, though the result of ${kept.fence} is kept`
  }

  replayed(key: string, { fence, value }: Pick<Completion, 'fence' | 'value'>): string | undefined {
    const known = this.#completions.get(key)?.find((done) => done.fence === fence)
    return known && known.value !== value ? `${key} replays ${value}, but was completed with ${known.value}` : undefined
  }
}

export interface Completion {
  readonly fence: number
  readonly value: string
  /** From when its caller first asked, on a clock that is right: not before the store's retention can have ended. */
  readonly until: number
}
