import type { RecordKey } from '../../store/record.ts'
import { DRIFT, type Reading, shortest } from '../../store/server-clock.ts'
import { type Head, ownerOf } from './item.ts'

interface Sighting {
  readonly owner: string
  readonly version: number
  readonly received: Reading
}

/** Between which moments of ours an item was read, by the strongly consistent way. */
export interface Look {
  readonly sent: Reading
  readonly received: Reading
}

const MOST = 1024

/**
 * Taking over without a clock: a holder that has not renewed for a whole lease, by our own clock, has lost it, whatever any
 * wall clock says. The rule of Amazon's lock client for DynamoDB, with the lease taken from the record, not from ourselves.
 */
export class Sightings {
  readonly #seen = new Map<RecordKey, Sighting>()

  /** Whether the record's lease has passed since it was first seen with this owner and version. Remembers it if new. */
  outlasted(key: RecordKey, head: Head, look: Look): boolean {
    const { record, leaseMs } = head
    const owner = ownerOf(record)
    if (owner === undefined) {
      this.#seen.delete(key)
      return false
    }
    const before = this.#seen.get(key)
    if (before?.owner === owner && before.version === record.version) {
      return leaseMs !== undefined && shortest(before.received, look.sent) > leaseMs * (1 + DRIFT)
    }
    this.#remember(key, { owner, version: record.version, received: look.received })
    return false
  }

  #remember(key: RecordKey, sighting: Sighting): void {
    const oldest = this.#seen.keys().next()
    if (this.#seen.size >= MOST && !oldest.done) this.#seen.delete(oldest.value)
    this.#seen.set(key, sighting)
  }
}
