/** What holders believe, by real time: at no moment may two believe that they hold the same lock (V5). */
export class Leases {
  readonly #beliefs: Belief[] = []

  /** A grant has arrived. Its holder counts from when it first asked, on a clock that is right. */
  granted(grant: Omit<Belief, 'until'> & { readonly until: number }, now: number): string | undefined {
    const rival = this.#beliefs.find(({ key, owner, until }) => key === grant.key && owner !== grant.owner && until > now)
    if (rival && grant.until > now)
      return `${grant.owner} got ${grant.key} with fence ${grant.fence}, while ${rival.owner} holds it with ${rival.fence}`
    const later = this.#beliefs.find(({ key, fence, since }) => key === grant.key && fence >= grant.fence && since < grant.asked)
    this.#beliefs.push({ ...grant })
    return later && `fence ${grant.fence} of ${grant.key} came after ${later.fence} was handed out`
  }

  renewed(key: string, owner: string, until: number): void {
    const own = this.#own(key, owner)
    if (own) own.until = Math.max(own.until, until)
  }

  /** It is about to release, or to stop. */
  left(key: string, owner: string, now: number): void {
    const own = this.#own(key, owner)
    if (own) own.until = Math.min(own.until, now)
  }

  #own(key: string, owner: string): Belief | undefined {
    return this.#beliefs.find((belief) => belief.key === key && belief.owner === owner)
  }
}

interface Belief {
  readonly key: string
  readonly owner: string
  readonly fence: number
  readonly asked: number
  readonly since: number
  until: number
}
