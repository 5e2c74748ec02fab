import type { Chance } from './chance.ts'
import { type Attempt, type Client, LEASE_MS, RETAIN_MS } from './client.ts'
import type { Leases } from './leases.ts'
import type { Reply } from './machine.ts'
import type { OnceOperation } from './once.ts'
import type { Profile } from './profile.ts'
import { Results } from './results.ts'
import type { Scheduler } from './scheduler.ts'
import { demand } from './violation.ts'

export interface HabitsWorld {
  readonly scheduler: Scheduler
  readonly chance: Chance
  readonly profile: Profile
  readonly leases: Leases
}

/** What clients do, one thing after the other: well-behaved ones, careless ones, and zombies that come back too late. */
export class Habits {
  readonly #world: HabitsWorld
  readonly #results = new Results()

  constructor(world: HabitsWorld) {
    this.#world = world
  }

  /** With pauses, until the faults end. */
  live(client: Client): void {
    const { scheduler, chance, profile } = this.#world
    if (scheduler.now > profile.horizonMs) return
    const again = (): void => scheduler.after(1 + chance.below(30), () => this.live(client))
    const key = chance.below(profile.keys)
    const dice = chance.fraction()
    const { held, attempt } = client
    if (held && dice < 0.5) this.#useLock(client, again)
    else if (attempt && dice < 0.7) this.#useAttempt(client, attempt, again)
    else if (dice < 0.35) client.execute({ type: 'add', key: `counter${key}` }, again)
    else if (dice < 0.6 && !held)
      client.execute({ type: 'acquire', key: `lock${key}`, owner: client.newOwner(), leaseMs: LEASE_MS }, again)
    else if (dice < 0.8) this.begin(client, `once${key}`, again)
    else client.read(chance.pick([`counter${key}`, `lock${key}`, `once${key}`]), again)
  }

  #useLock(client: Client, done: () => void): void {
    const { scheduler, chance, leases } = this.#world
    const { held } = client
    if (!held) {
      done()
      return
    }
    if (chance.happens(0.5)) {
      client.execute({ ...held, type: 'renew', leaseMs: LEASE_MS }, (reply) => {
        if (reply?.type !== 'renewed') client.held = undefined
        done()
      })
      return
    }
    client.held = undefined
    // A third just forgets, as who crashes does; its lease has to end by itself.
    if (chance.happens(0.33)) {
      done()
      return
    }
    leases.left(held.key, held.owner, scheduler.now)
    client.execute({ type: 'release', key: held.key, owner: held.owner }, done)
  }

  /** Begins an attempt, or is told of another's, or of its result. Whoever hears nothing asks again, under the same owner. */
  begin(client: Client, key: string, done: (reply: Reply | undefined) => void): void {
    const { scheduler, leases } = this.#world
    const owner = client.newOwner()
    const asked = scheduler.now
    const operation: OnceOperation = { type: 'begin', key, owner, leaseMs: LEASE_MS, retainMs: RETAIN_MS, resent: false }
    this.#persist(client, operation, (reply) => {
      const { now } = scheduler
      if (reply?.type === 'replayed') holds(this.#results.replayed(key, reply))
      if (reply?.type === 'started') {
        const { fence } = reply
        holds(this.#results.begun(key, fence, now))
        holds(leases.granted({ key, owner, fence, asked, since: now, until: asked + LEASE_MS }, now))
        client.attempt = { key, owner, fence, resent: false }
      }
      done(reply)
    })
  }

  #useAttempt(client: Client, attempt: Attempt, done: () => void): void {
    const { scheduler, chance } = this.#world
    const { key, owner, fence } = attempt
    const dice = chance.fraction()
    if (dice < 0.2) client.execute({ type: 'extend', key, owner, leaseMs: LEASE_MS, resent: false }, done)
    else if (dice < 0.6) this.complete(client, attempt, done)
    // A zombie: it goes on as if nothing had happened, when its lease has ended long ago.
    else if (dice < 0.75) scheduler.after(LEASE_MS * (1 + chance.fraction()), () => this.complete(client, attempt, done))
    else if (dice < 0.85) {
      this.#leave(client, attempt)
      this.#abandon(client, attempt, (reply) => (reply && chance.happens(0.4) ? this.#beginLate(client, attempt, done) : done()))
    } else if (dice < 0.92) {
      // An operator clears the record, whoever is at work.
      this.#results.forgetting(key, fence)
      this.#leave(client, attempt)
      client.execute({ type: 'forget', key, owner: client.newOwner(), fence, resent: false }, done)
    } else {
      // It just forgets, as who crashes does.
      client.attempt = undefined
      done()
    }
  }

  complete(client: Client, attempt: Attempt, done: (reply: Reply | undefined) => void): void {
    const { key, owner, fence } = attempt
    const until = this.#world.scheduler.now + RETAIN_MS
    this.#leave(client, attempt)
    const operation: OnceOperation = { type: 'complete', key, owner, value: `by ${owner}`, retainMs: RETAIN_MS, resent: false }
    this.#persist(client, operation, (reply) => {
      if (reply?.type === 'completed') holds(this.#results.completed(key, { fence, value: operation.value, until }))
      // It gives up what may be completed by now.
      if (reply || this.#world.chance.happens(0.3)) done(reply)
      else this.#abandon(client, attempt, done)
    })
  }

  #abandon(client: Client, { key, owner }: Attempt, done: (reply: Reply | undefined) => void): void {
    this.#persist(client, { type: 'abandon', key, owner, resent: false }, done)
  }

  /** A begin that got lost on the way, of an attempt that has been given back since. */
  #beginLate(client: Client, { key, owner }: Attempt, done: () => void): void {
    client.execute({ type: 'begin', key, owner, leaseMs: LEASE_MS, retainMs: RETAIN_MS, resent: true }, done)
  }

  /** Nobody else counts on its lease from here on. */
  #leave(client: Client, { key, owner }: Attempt): void {
    client.attempt = undefined
    this.#world.leases.left(key, owner, this.#world.scheduler.now)
  }

  /** A second time when nobody answers, as a command of its own: the record has to know it again, not the session. */
  #persist(client: Client, operation: OnceOperation, done: (reply: Reply | undefined) => void): void {
    client.execute(operation, (reply) => {
      if (reply || this.#world.chance.happens(0.3)) done(reply)
      else client.execute({ ...operation, resent: true }, done)
    })
  }

  /** Until it has the operation's result: its own, or another's that is kept. */
  insist(client: Client, { key, since }: { readonly key: string; readonly since: number }, done: () => void): void {
    const { scheduler } = this.#world
    const again = (): void => {
      const waitedMs = scheduler.now - since
      demand(waitedMs < 6 * LEASE_MS + 1000, () => `${key} has no result after ${waitedMs} ms, though nobody is at work`)
      scheduler.after(20, () => this.insist(client, { key, since }, done))
    }
    this.begin(client, key, (begun) => {
      const { attempt } = client
      if (begun?.type === 'replayed') done()
      else if (begun?.type === 'started' && attempt)
        this.complete(client, attempt, (reply) => (reply?.type === 'completed' ? done() : again()))
      else again()
    })
  }
}

const holds = (problem: string | undefined): void => demand(problem === undefined, () => problem ?? '')
