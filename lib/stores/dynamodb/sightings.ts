import type { RecordKey } from '../../store/record.ts'
import { DRIFT, type Reading, shortest } from '../../store/server-clock.ts'
import type { Moment } from '../../store/time.ts'
import { type Lease, leasesOf } from './grant.ts'
import type { Seen } from './table.ts'
import type { Basis } from './table-clock.ts'

interface Sighting {
  readonly expiresAtMs: number
  readonly received: Reading
}

/** Between which moments of ours an item was read, by the strongly consistent way. */
export interface Look {
  readonly sent: Reading
  readonly received: Reading
}

/** Of which record, and when it was looked at. */
export interface Place {
  readonly key: RecordKey
  readonly look: Look
}

const MOST = 4096

/**
 * Taking over without a clock: a holder that has not renewed for a whole lease, by our own clock, has lost it, whatever any
 * wall clock says. The rule of Amazon's lock client for DynamoDB, with the lease taken from the record, not from ourselves.
 */
export class Sightings {
  readonly #seen = new Map<string, Sighting>()

  /**
   * The earliest time that it can be, as far as these leases tell: later than the end of each that has passed since it was first
   * seen, and not later than the end of any other. Remembers those that are new.
   */
  earliest(leases: readonly Lease[], { key, look }: Place, otherwise: number): number {
    const outlasted = leases.map((lease) => this.#outlasted(`${key}#${lease.owner}`, lease, look))
    const ended = leases.filter((_, index) => outlasted[index]).map((lease) => lease.expiresAtMs + 1)
    const running = leases.filter((_, index) => !outlasted[index]).map((lease) => lease.expiresAtMs)
    return Math.min(Math.max(otherwise, ...ended), ...running)
  }

  /** Where the server's clock is not known, or did not write the expiry, a lease has ended when we saw it last that long. */
  momentFor<M extends Moment & { readonly basis: Basis }>(key: RecordKey, { head, look }: Seen, moment: M): M {
    if (!head || (!head.unclocked && moment.basis === 'server')) return moment
    return { ...moment, earliest: this.earliest(leasesOf(head), { key, look }, moment.earliest) }
  }

  #outlasted(name: string, { expiresAtMs, leaseMs }: Lease, look: Look): boolean {
    const before = this.#seen.get(name)
    if (before?.expiresAtMs === expiresAtMs) {
      return leaseMs !== undefined && shortest(before.received, look.sent) > leaseMs * (1 + DRIFT)
    }
    this.#remember(name, { expiresAtMs, received: look.received })
    return false
  }

  #remember(name: string, sighting: Sighting): void {
    const oldest = this.#seen.keys().next()
    if (this.#seen.size >= MOST && !oldest.done) this.#seen.delete(oldest.value)
    this.#seen.set(name, sighting)
  }
}
