import type { MemberId } from '../../lib/raft/core/entry.ts'
import type { RaftNode } from '../../lib/raft/node/node.ts'
import type { CommandOutcome, ReadOutcome } from '../../lib/raft/node/outcome.ts'
import type { Chance } from './chance.ts'
import type { Host } from './host.ts'
import type { Invariants } from './invariants.ts'
import type { Scheduler } from './scheduler.ts'

export interface ObservedWorld {
  readonly scheduler: Scheduler
  readonly chance: Chance
  readonly invariants: Invariants
  readonly probeMs: number
  readonly hosts: () => readonly Host[]
  readonly leader: () => Host | undefined
  readonly isCalm: () => boolean
  readonly guard: (work: () => void) => void
}

/** Above all sessions that are ever opened: what bears such a number changes nothing, and can be told from all else. */
export const FIRST_PROBE: number = 2 ** 40

/**
 * Those who ask and command only to see whether they are told the truth: each answer is judged as it comes, by what the whole
 * world knows, so that a lie is found though no client happens to be hurt by it. They never ask twice.
 */
export class Observers {
  readonly #world: ObservedWorld
  readonly #leads = new Set<string>()
  #next = FIRST_PROBE

  constructor(world: ObservedWorld) {
    this.#world = world
  }

  begin(): void {
    const { scheduler, chance, probeMs, isCalm } = this.#world
    if (isCalm()) return
    this.#ask(this.#someone())
    this.#command(chance.happens(0.8) ? this.#world.leader() : this.#someone())
    scheduler.after(probeMs * (0.3 + chance.fraction()), () => this.begin())
  }

  /** Whoever has just come back, or was just elected, knows least. */
  stepped({ id, term, role }: { readonly id: MemberId; readonly term: number; readonly role: string }): void {
    if (role !== 'leader' || this.#world.isCalm()) return
    const key = `${id} in ${term}`
    if (this.#leads.has(key)) return
    this.#leads.add(key)
    const host = this.#world.hosts()[id - 1]
    for (const later of [0, 0.5, 2, 5]) this.#soon(later, host)
  }

  started(host: Host): void {
    if (!this.#world.isCalm()) for (const later of [3, 6, 9, 12, 15, 18]) this.#soon(later, host)
  }

  burst(commands: number, everyMs: number): void {
    for (let i = 0; i < commands; i++)
      this.#world.scheduler.after(i * everyMs, () => this.#world.isCalm() || this.#command(this.#world.leader()))
  }

  #soon(ms: number, host: Host | undefined): void {
    this.#world.scheduler.after(ms, () => {
      this.#ask(host)
      if (this.#world.chance.happens(0.5)) this.#command(host)
    })
  }

  #someone(): Host {
    return this.#world.chance.pick(this.#world.hosts())
  }

  /** A read sees all that anybody had committed when it was asked for (thesis §6.4). */
  #ask(host: Host | undefined): void {
    const { invariants, guard } = this.#world
    const bound = invariants.highest
    const hear = (outcome: ReadOutcome): void => guard(() => invariants.read(host?.id ?? 0, outcome, bound))
    host?.call((node: RaftNode) => node.read(hear))
  }

  #command(host: Host | undefined): void {
    const { invariants, guard } = this.#world
    const session = this.#next++
    const hear = (outcome: CommandOutcome): void => guard(() => invariants.told(session, outcome))
    host?.call((node) => node.submit({ session, sequence: 1, acknowledged: 0, payload: NOTHING }, hear))
  }
}

const NOTHING = new Uint8Array(0)
