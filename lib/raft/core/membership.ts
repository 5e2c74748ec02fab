import { type Configuration, isVoter, membersOf } from './configuration.ts'
import type { LogIndex, MemberId } from './entry.ts'
import type { InflightLimits } from './inflights.ts'
import { Progress } from './progress.ts'
import { jointCommittedIndex } from './quorum/joint.ts'
import type { AckedIndex } from './quorum/majority.ts'

/** The configuration in force, and the progress of each of its members. */
export class Membership {
  readonly #limits: InflightLimits
  #configuration: Configuration
  #progress: readonly Progress[] = []
  readonly #byId = new Map<MemberId, Progress>()

  /** Bound once: these are asked on every answer. */
  readonly #match: AckedIndex = (id) => this.#byId.get(id)?.match
  readonly #ackedRound: AckedIndex = (id) => this.#byId.get(id)?.ackedRound as LogIndex | undefined

  constructor(configuration: Configuration, next: LogIndex, limits: InflightLimits) {
    this.#limits = limits
    this.#configuration = configuration
    this.reconfigure(configuration, next)
  }

  get configuration(): Configuration {
    return this.#configuration
  }

  /** Of everyone, in ascending order of their ids. */
  get progress(): readonly Progress[] {
    return this.#progress
  }

  find(id: MemberId): Progress | undefined {
    return this.#byId.get(id)
  }

  isVoter(id: MemberId): boolean {
    return isVoter(this.#configuration, id)
  }

  /** Who stays keeps its progress; newcomers are probed from `next`. */
  reconfigure(configuration: Configuration, next: LogIndex): void {
    this.#configuration = configuration
    this.#progress = membersOf(configuration).map((id) => this.#byId.get(id) ?? this.#newcomer(id, next))
    this.#byId.clear()
    for (const progress of this.#progress) {
      progress.isLearner = configuration.learners.includes(progress.id)
      this.#byId.set(progress.id, progress)
    }
  }

  /** The highest index that a majority (of each half) holds. */
  committedIndex(): LogIndex {
    return jointCommittedIndex(this.#configuration, this.#match)
  }

  /** The latest round of read confirmation that a majority (of each half) answered. */
  confirmedRound(): number {
    return jointCommittedIndex(this.#configuration, this.#ackedRound)
  }

  #newcomer(id: MemberId, next: LogIndex): Progress {
    const progress = new Progress(id, Math.max(next, 1) as LogIndex, this.#limits)
    // Otherwise a leader that checks its quorum before the newcomer had a chance to answer would step down.
    progress.recentActive = true
    return progress
  }
}
