import type { MemberId } from '../../lib/raft/core/entry.ts'
import type { Chance } from './chance.ts'

/** The newest transitions: those of the first release, and of the one that an upgrade brings. */
const OLD = 1
export const NEW = 2

/** Which release each member runs. In some worlds there is a newer one, and whoever starts may start it; or the old one again. */
export class Releases {
  readonly #chance: Chance
  readonly isUpgrade: boolean
  readonly #of = new Map<MemberId, number>()
  readonly #downgraded = new Set<MemberId>()
  isCalm = false

  constructor(chance: Chance) {
    this.#chance = chance
    this.isUpgrade = chance.happens(0.35)
  }

  /** What `id` is started with. */
  start(id: MemberId): number {
    const before = this.#of.get(id)
    const next = this.#next(before)
    if (before === NEW && next === OLD) this.#downgraded.add(id)
    this.#of.set(id, next)
    return next
  }

  #next(before: number | undefined): number {
    if (!this.isUpgrade) return OLD
    if (this.isCalm) return NEW
    if (before === NEW) return this.#chance.happens(0.12) ? OLD : NEW
    return this.#chance.happens(0.5) ? NEW : OLD
  }

  /** It met what it does not know, and its operator did as the message says. */
  upgrade(id: MemberId): void {
    this.#of.set(id, NEW)
  }

  isOld(id: MemberId): boolean {
    return this.#of.get(id) === OLD
  }

  wasDowngraded(id: MemberId): boolean {
    return this.#downgraded.has(id)
  }
}
