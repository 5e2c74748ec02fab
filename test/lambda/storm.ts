import { setTimeout as delay } from 'node:timers/promises'
import { Chance } from '../../demo/chance.ts'
import { LostInTransit } from '../../demo/transit.ts'
import type { Invocation } from '../../dev/lambda/runtime-api.ts'
import type { Hazard, Passage } from './network.ts'

/**
 * - `kill`: its process dies here;
 * - `hang`: no answer comes, so the invocation is killed at its time-out or sends again, and a request that had not arrived
 *   arrives afterwards;
 * - `freeze`: it stands still for a while, past its lease perhaps, and goes on;
 * - `cut`: the request, or its answer, is lost.
 */
type Blow = 'kill' | 'hang' | 'freeze' | 'cut'

const BLOWS: readonly Blow[] = ['kill', 'kill', 'kill', 'kill', 'kill', 'kill', 'hang', 'freeze', 'cut', 'cut']
const HANG_MS = 6000
const FREEZE_MS = { low: 500, high: 7000 }
const LATE_MS = { low: 0, high: 4000 }

export interface StormOptions {
  readonly seed: number
  /** The work that an invocation is for. */
  readonly workOf: (invocation: Invocation) => string
  /** How often the invocations of one work are struck, all in all. */
  readonly most: number
  /** The share of the invocations that are in for it, 0 to 1. */
  readonly share: number
  /** The blows fall on one of so many first requests of an invocation. */
  readonly requests: number
}

interface Fate {
  readonly number: number
  readonly at: Passage['at']
  readonly blow: Blow
  readonly forMs: number
}

/** Strikes environments at requests that are drawn from a seed. */
export class Storm {
  /** How often each blow has fallen, at each request: `kill sending 3`. */
  readonly hits = new Map<string, number>()
  readonly #options: StormOptions
  readonly #chance: Chance
  readonly #fates = new WeakMap<Invocation, Fate | 'spared'>()
  readonly #struck = new Map<string, number>()
  readonly #late = new Set<Promise<unknown>>()

  constructor(options: StormOptions) {
    this.#options = options
    this.#chance = new Chance(options.seed)
  }

  get total(): number {
    return [...this.hits.values()].reduce((sum, count) => sum + count, 0)
  }

  /** Resolves when nothing is under way any more that was held up. */
  async calm(): Promise<void> {
    while (this.#late.size > 0) await Promise.allSettled(this.#late)
    await delay(LATE_MS.high / 20)
  }

  readonly hazard: Hazard = (passage) => {
    const fate = this.#fateOf(passage.invocation)
    if (fate === 'spared' || fate.number !== passage.number || fate.at !== passage.at || passage.environment.dead) return
    const work = this.#options.workOf(passage.invocation)
    const struck = this.#struck.get(work) ?? 0
    if (struck >= this.#options.most) return
    this.#struck.set(work, struck + 1)
    const name = `${fate.blow} ${fate.at} ${fate.number}`
    this.hits.set(name, (this.hits.get(name) ?? 0) + 1)
    const striking = this.#strike(fate, passage)
    this.#late.add(striking)
    void striking.catch(() => undefined).finally(() => this.#late.delete(striking))
    return striking
  }

  async #strike({ blow, at, forMs }: Fate, { environment }: Passage): Promise<void> {
    switch (blow) {
      case 'kill':
        environment.kill()
        break
      case 'cut':
        break
      case 'hang':
        // A request that was given up and sent again keeps nobody from ending in time.
        await Promise.race([environment.ended, delay(HANG_MS)])
        if (at === 'applied') break
        return delay(forMs)
      case 'freeze':
        environment.freeze()
        await delay(forMs)
        environment.thaw()
        return
    }
    throw new LostInTransit(blow)
  }

  #fateOf(invocation: Invocation): Fate | 'spared' {
    const known = this.#fates.get(invocation)
    if (known) return known
    const drawn = this.#chance.fraction() < this.#options.share ? this.#draw() : 'spared'
    this.#fates.set(invocation, drawn)
    return drawn
  }

  #draw(): Fate {
    const chance = this.#chance
    const blow = BLOWS[chance.between(0, BLOWS.length - 1)] ?? 'kill'
    const { low, high } = blow === 'freeze' ? FREEZE_MS : LATE_MS
    const at = chance.fraction() < 0.5 ? 'sending' : 'applied'
    return { number: chance.between(1, this.#options.requests), at, blow, forMs: chance.between(low, high) }
  }
}

/** Work by work, so many at once. */
export async function inLanes<T>(works: readonly T[], lanes: number, run: (work: T) => Promise<void>): Promise<void> {
  const queue = [...works]
  const lane = async (): Promise<void> => {
    for (let work = queue.shift(); work !== undefined; work = queue.shift()) await run(work)
  }
  await Promise.all(Array.from({ length: lanes }, lane))
}
