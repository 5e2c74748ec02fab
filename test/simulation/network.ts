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
  /** Entries reach nobody but this member (0: nobody at all), while everything else does; `undefined` for as usual. */
  hushedBut: number | undefined
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
    this.hushedBut = undefined
    this.isPerfect = true
  }

  send(message: PeerMessage): void {
    if (this.#isLost(message)) return
    this.#later(clone(message))
    if (!this.isPerfect && this.#chance.happens(this.#profile.repeats)) this.#later(clone(message))
  }

  #later(message: PeerMessage): void {
    this.#scheduler.after(this.delay(), () => {
      if (this.#cuts.size === 0 || !this.#cuts.has(`${message.from}-${message.to}`)) this.#deliver(message)
    })
  }

  delay(): number {
    const { delayMs, tailMs, tailShare } = this.#profile
    const tail = this.#chance.happens(tailShare) ? this.#chance.fraction() * tailMs : 0
    return delayMs * (0.5 + this.#chance.fraction()) + (this.isPerfect ? 0 : tail)
  }

  #isLost({ type, from, to }: PeerMessage): boolean {
    if (this.#cuts.size > 0 && this.#cuts.has(`${from}-${to}`)) return true
    if (type === 'MsgApp' && this.hushedBut !== undefined && this.hushedBut !== to) return true
    return !this.isPerfect && this.#chance.happens(this.#profile.loss + this.extraLoss)
  }
}

export function clone<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Uint8Array) return (value.length === 0 ? NO_BYTES : new Uint8Array(value)) as T
  if (Array.isArray(value)) return value.map(clone) as T
  const copy: Record<string, unknown> = {}
  for (const name in value) copy[name] = clone(value[name])
  return copy as T
}

const NO_BYTES = new Uint8Array(0)
