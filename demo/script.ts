import type { Transit } from './transit.ts'

/** A point of a delivery: the `nth` of its requests whose step fits, before it has arrived or when it has been applied. */
export interface Cue {
  readonly delivery: string
  readonly step: RegExp
  readonly side: 'before' | 'applied'
  readonly nth: number
}

/** What happens in an act, where a storm would draw lots: each blow waits for its cue, and strikes once. */
export class Script {
  readonly #blows: { readonly cue: Cue; seen: number; readonly strike: () => Promise<void> }[] = []

  /** Whatever `strike` throws, `LostInTransit` above all, is what becomes of the request. */
  on(cue: Cue, strike: () => Promise<void>): void {
    this.#blows.push({ cue, seen: 0, strike })
  }

  readonly transit: Transit = async (parcel, apply) => {
    const due = this.#blows.filter(({ cue }) => cue.delivery === parcel.delivery && cue.step.test(parcel.step))
    const struck = due.filter((blow) => ++blow.seen === blow.cue.nth)
    for (const { cue, strike } of struck) if (cue.side === 'before') await strike()
    const answer = await apply()
    for (const { cue, strike } of struck) if (cue.side === 'applied') await strike()
    return answer
  }
}
