import type { LogIndex, MemberId, Term } from '../entry.ts'
import type { Network } from './ports.ts'

/** What a group founds itself with, whatever its first members know: all of them have to begin with the same state. */
export const FIRST_VERSION = 1

/** A leader asks which version of the transitions a member knows, and says which one is in force. */
export interface VersionQuestion {
  readonly type: 'VersionQuestion'
  readonly from: MemberId
  readonly to: MemberId
  readonly term: Term
  readonly inForce: number
}

export interface VersionAnswer {
  readonly type: 'VersionAnswer'
  readonly from: MemberId
  readonly to: MemberId
  /** As in the question: an answer to an earlier reign tells nothing. */
  readonly term: Term
  readonly knows: number
}

/** This member's program is older than what the group has agreed on. It stops; check `code`. */
export class VersionUnknown extends Error {
  override readonly name = 'VersionUnknown'
  readonly code = 'VERSION_UNKNOWN'
  readonly needed: number
  readonly known: number

  constructor(where: string, { needed, known }: { readonly needed: number; readonly known: number }) {
    super(
      `${where} version ${needed} of the transitions, and this member knows them up to version ${known}. Nothing was skipped, and ` +
        'its disk is as it should be. Upgrade this member to the release that the others run, and start it again.',
    )
    this.needed = needed
    this.known = known
  }
}

/** What a leader goes by. */
export interface Reign {
  readonly term: Term
  /** Learners too: they apply entries as others do. */
  readonly members: () => readonly MemberId[]
  readonly inForce: number
}

export interface VersionPorts {
  readonly id: MemberId
  readonly network: Network
  /** The highest version of the transitions that this program has; it has all before, too. */
  readonly knows: number
  /** Ticks between two questions to the same member. */
  readonly askTicks: number
}

/**
 * Switches the group to a newer version of the transitions, once every member knows it.
 *
 * Each entry carries a version, never a lower one than those before it, and is applied by that version everywhere: the entry that
 * carries a higher one for the first time is the switch. A leader that knows a newer version than the one in force asks the others,
 * and makes that entry when all have answered, lately, that they know it. Who was asked may still be replaced by an older program
 * a moment later, and who joins may be old. Nothing goes wrong then: a member that meets a version that it does not know
 * stops before it applies the entry, restores the snapshot or answers the question, and says why.
 */
export class Versions {
  readonly #ports: VersionPorts
  readonly #heard = new Map<MemberId, { readonly knows: number; readonly tick: number }>()
  readonly #askedAt = new Map<MemberId, number>()
  #term = 0 as Term
  /** The highest one that an entry of this reign has. It may not be applied yet. */
  #stamped = 0
  #tick = 0

  constructor(ports: VersionPorts) {
    this.#ports = ports
  }

  /** Of a leader, on each tick: who has not answered yet is asked, and who may have changed since, if it matters. */
  tick(reign: Reign): void {
    this.#enter(reign.term)
    this.#tick++
    const { id, network, askTicks, knows } = this.#ports
    const isNewer = knows > reign.inForce
    for (const to of reign.members()) {
      const isKnown = this.#heard.has(to) && !isNewer
      if (to === id || isKnown || this.#tick < (this.#askedAt.get(to) ?? 0)) continue
      this.#askedAt.set(to, this.#tick + askTicks)
      network.send({ type: 'VersionQuestion', from: id, to, term: reign.term, inForce: reign.inForce })
    }
  }

  asked({ from, term, inForce }: VersionQuestion): void {
    const { id, network, knows } = this.#ports
    if (inForce > knows) throw new VersionUnknown(`Member ${from} leads a group that works by`, { needed: inForce, known: knows })
    network.send({ type: 'VersionAnswer', from: id, to: from, term, knows })
  }

  answered({ from, term, knows }: VersionAnswer): void {
    if (term === this.#term) this.#heard.set(from, { knows, tick: this.#tick })
  }

  /** Whether there is an entry to make for nothing but the switch. */
  isDue(reign: Reign): boolean {
    if (this.#ports.knows <= reign.inForce) return false
    return this.next(reign) > Math.max(reign.inForce, this.#stampedIn(reign.term))
  }

  /** For the next entry. */
  next(reign: Reign): number {
    const highest = Math.max(reign.inForce, this.#stampedIn(reign.term))
    return highest < this.#ports.knows ? Math.max(highest, this.#knownByAll(reign.members())) : highest
  }

  stamped(version: number): void {
    this.#stamped = Math.max(this.#stamped, version)
  }

  #knownByAll(members: readonly MemberId[]): number {
    const { id, knows, askTicks } = this.#ports
    let lowest = knows
    for (const member of members) {
      if (member === id) continue
      const heard = this.#heard.get(member)
      // Two questions without an answer: it may be down, and come back as another program.
      if (!heard || this.#tick - heard.tick > 3 * askTicks) return 0
      lowest = Math.min(lowest, heard.knows)
    }
    return lowest
  }

  #stampedIn(term: Term): number {
    this.#enter(term)
    return this.#stamped
  }

  /** What it stamped as the leader of an earlier term may not have come to anything. */
  #enter(term: Term): void {
    if (term === this.#term) return
    this.#term = term
    this.#stamped = 0
    this.#heard.clear()
    this.#askedAt.clear()
  }
}

/** Throws `VersionUnknown` unless this program can apply the entry at `index`. */
export function mustKnow(version: number, known: number, index: LogIndex): void {
  if (version > known) throw new VersionUnknown(`Entry ${index} of the log is to be applied by`, { needed: version, known })
}
