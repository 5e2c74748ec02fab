import type { Entry } from '../../lib/raft/core/entry.ts'
import { isBatch } from '../../lib/raft/node/applier.ts'
import { decodeBatch } from '../../lib/raft/node/batch.ts'
import type { CommandOutcome } from '../../lib/raft/node/outcome.ts'
import { FIRST_PROBE } from './observers.ts'
import { demand } from './violation.ts'

interface Place {
  readonly index: number
  readonly term: number
}

/**
 * What the observers were told of their commands, each of which is sent once. "Not executed" has to be certain as it is said: it
 * is in no log, or its place in the log is taken for good.
 */
export class Promises {
  readonly #refused = new Set<number>()
  readonly #executed = new Set<number>()
  readonly #places = new Map<number, Place>()
  /** The term of the entry that is decided for an index, once one is. */
  readonly #decided: (index: number) => number | undefined

  constructor(decided: (index: number) => number | undefined) {
    this.#decided = decided
  }

  /** An entry is on a disk for the first time. */
  placed({ index, term, ...entry }: Entry): void {
    for (const probe of probesIn({ index, term, ...entry })) {
      this.#places.set(probe, { index, term })
      if (this.#refused.has(probe)) this.#demandGone(probe)
    }
  }

  /** An entry is applied for the first time. */
  decided(entry: Entry): void {
    for (const probe of probesIn(entry)) {
      demand(!this.#executed.has(probe), () => `a command is executed in entry ${entry.index}, and was before`)
      demand(!this.#refused.has(probe), () => `entry ${entry.index} executes a command that is told not to be executed`)
      this.#executed.add(probe)
    }
  }

  told(probe: number, outcome: CommandOutcome['outcome']): void {
    if (outcome === 'unknown') return
    if (outcome !== 'not-executed') {
      demand(this.#executed.has(probe), () => `the answer to a command ("${outcome}") comes before it is decided`)
      return
    }
    demand(!this.#executed.has(probe), () => 'a command that was executed is told not to be')
    this.#refused.add(probe)
    this.#demandGone(probe)
  }

  #demandGone(probe: number): void {
    const place = this.#places.get(probe)
    if (!place) return
    const winner = this.#decided(place.index)
    demand(
      winner !== undefined && winner !== place.term,
      () => `a command is told not to be executed, but entry ${place.index} of term ${place.term} may be committed yet`,
    )
  }
}

function probesIn(entry: Entry): readonly number[] {
  if (!isBatch(entry)) return NONE
  const probes = decodeBatch(entry.data).commands.filter(({ session }) => session >= FIRST_PROBE)
  return probes.length === 0 ? NONE : probes.map(({ session }) => session)
}

const NONE: readonly number[] = []
