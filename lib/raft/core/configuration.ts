import type { MemberId } from './entry.ts'
import { invariant } from './invariant.ts'
import { decodeObject, encodeObject } from './object-codec.ts'
import type { JointQuorum } from './quorum/joint.ts'

/**
 * Who belongs to the group (thesis chapter 4). Every list is sorted and without duplicates.
 *
 * Outside of a transition `votersOutgoing` and `learnersNext` are empty. Learners receive the log but count for nothing.
 */
export interface Configuration extends JointQuorum {
  readonly learners: readonly MemberId[]
  /** Voters of the outgoing half that become learners when it is left: nobody is voter and learner at once. */
  readonly learnersNext: readonly MemberId[]
  /** Whether the leader leaves the joint configuration by itself as soon as it is in force. */
  readonly autoLeave: boolean
}

export const NO_MEMBERS: Configuration = Object.freeze({
  voters: [],
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
})

export const isJoint = (configuration: Configuration): boolean => configuration.votersOutgoing.length > 0

export const isVoter = (configuration: Configuration, id: MemberId): boolean =>
  configuration.voters.includes(id) || configuration.votersOutgoing.includes(id)

/** The voters of both halves, ascending. */
export const votersOf = (configuration: Configuration): readonly MemberId[] =>
  union(configuration.voters, configuration.votersOutgoing)

/** Everyone that the leader replicates to, ascending. `learnersNext` are voters of the outgoing half. */
export const membersOf = (configuration: Configuration): readonly MemberId[] =>
  union(votersOf(configuration), configuration.learners)

/** As `voters=(1 2 3)&&(1) learners=(4) autoleave`. */
export function describeConfiguration(configuration: Configuration): string {
  const ids = (list: readonly MemberId[]): string => `(${list.join(' ')})`
  const parts = [`voters=${ids(configuration.voters)}${isJoint(configuration) ? `&&${ids(configuration.votersOutgoing)}` : ''}`]
  if (configuration.learners.length > 0) parts.push(`learners=${ids(configuration.learners)}`)
  if (configuration.learnersNext.length > 0) parts.push(`learners_next=${ids(configuration.learnersNext)}`)
  if (configuration.autoLeave) parts.push('autoleave')
  return parts.join(' ')
}

export function union(a: readonly MemberId[], b: readonly MemberId[]): readonly MemberId[] {
  return [...new Set([...a, ...b])].sort((x, y) => x - y)
}

/** For a snapshot's head, which keeps it as bytes. */
export const encodeConfiguration = (configuration: Configuration): Uint8Array => encodeObject(configuration)

export function decodeConfiguration(data: Uint8Array): Configuration {
  const { voters, votersOutgoing, learners, learnersNext, autoLeave } = decodeObject(data) ?? {}
  invariant(typeof autoLeave === 'boolean', () => 'the configuration of a snapshot cannot be read')
  return {
    voters: idsOf(voters),
    votersOutgoing: idsOf(votersOutgoing),
    learners: idsOf(learners),
    learnersNext: idsOf(learnersNext),
    autoLeave,
  }
}

function idsOf(value: unknown): readonly MemberId[] {
  const isList = Array.isArray(value) && value.every((id) => Number.isSafeInteger(id) && id > 0)
  invariant(isList, () => 'the configuration of a snapshot cannot be read')
  return union(value as MemberId[], [])
}
