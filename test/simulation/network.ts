import type { MemberId } from '../../lib/raft/core/entry.ts'
import type { PeerMessage } from '../../lib/raft/node/ports.ts'
import type { Chance } from './chance.ts'
import type { Profile } from './profile.ts'
import type { Scheduler } from './scheduler.ts'

/** Loses, repeats, delays and so reorders; cuts one way. What arrives is a copy: nobody shares memory with a peer. */
export class SimulatedNetwork {
  readonly #cuts = new Set<string>()
  readonly #scheduler: Scheduler
  readonly #chance: Chance
  readonly #profile: Profile
  readonly #deliver: (message: PeerMessage) => void
  extraLoss = 0
  isPerfect = false

  constructor(parts: {
    readonly scheduler: Scheduler
    readonly chance: Chance
    readonly profile: Profile
    readonly deliver: (message: PeerMessage) => void
  }) {
    this.#scheduler = parts.scheduler
    this.#chance = parts.chance
    this.#profile = parts.profile
    this.#deliver = parts.deliver
  }

  cut(from: MemberId, to: MemberId): void {
    this.#cuts.add(`${from}-${to}`)
  }

  mend(from: MemberId, to: MemberId): void {
    this.#cuts.delete(`${from}-${to}`)
  }

  heal(): void {
    this.#cuts.clear()
    this.extraLoss = 0
    this.isPerfect = true
  }

  send(message: PeerMessage): void {
    const copy = clone(message)
    if (this.#isLost(message)) return
    this.#later(copy)
    if (!this.isPerfect && this.#chance.happens(this.#profile.repeats)) this.#later(clone(message))
  }

  #later(message: PeerMessage): void {
    this.#scheduler.after(this.delay(), () => {
      if (!this.#cuts.has(`${message.from}-${message.to}`)) this.#deliver(message)
    })
  }

  delay(): number {
    const { delayMs, tailMs } = this.#profile
    const tail = this.#chance.happens(0.1) ? this.#chance.fraction() * tailMs : 0
    return delayMs * (0.5 + this.#chance.fraction()) + (this.isPerfect ? 0 : tail)
  }

  #isLost({ from, to }: PeerMessage): boolean {
    if (this.#cuts.has(`${from}-${to}`)) return true
    return !this.isPerfect && this.#chance.happens(this.#profile.loss + this.extraLoss)
  }
}

export function clone<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Uint8Array) return Uint8Array.from(value) as T
  if (Array.isArray(value)) return value.map(clone) as T
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, clone(member)])) as T
}
