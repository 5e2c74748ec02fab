import type { NodeId } from './entry.ts'
import type { JointQuorum } from './quorum/joint.ts'

/**
 * Who belongs to the group (thesis chapter 4). Every list is sorted and without duplicates.
 *
 * Outside of a transition `votersOutgoing` and `learnersNext` are empty. Learners receive the log but count for nothing.
 */
export interface Configuration extends JointQuorum {
  readonly learners: readonly NodeId[]
  /** Voters of the outgoing half that become learners when it is left: nobody is voter and learner at once. */
  readonly learnersNext: readonly NodeId[]
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

export const isVoter = (configuration: Configuration, id: NodeId): boolean =>
  configuration.voters.includes(id) || configuration.votersOutgoing.includes(id)

/** The voters of both halves, ascending. */
export const votersOf = (configuration: Configuration): readonly NodeId[] =>
  union(configuration.voters, configuration.votersOutgoing)

/** Everyone that the leader replicates to, ascending. `learnersNext` are voters of the outgoing half. */
export const membersOf = (configuration: Configuration): readonly NodeId[] =>
  union(votersOf(configuration), configuration.learners)

export const sameConfiguration = (a: Configuration, b: Configuration): boolean =>
  a.autoLeave === b.autoLeave &&
  sameIds(a.voters, b.voters) &&
  sameIds(a.votersOutgoing, b.votersOutgoing) &&
  sameIds(a.learners, b.learners) &&
  sameIds(a.learnersNext, b.learnersNext)

/** As `voters=(1 2 3)&&(1) learners=(4) autoleave`. */
export function describeConfiguration(configuration: Configuration): string {
  const ids = (list: readonly NodeId[]): string => `(${list.join(' ')})`
  const parts = [`voters=${ids(configuration.voters)}${isJoint(configuration) ? `&&${ids(configuration.votersOutgoing)}` : ''}`]
  if (configuration.learners.length > 0) parts.push(`learners=${ids(configuration.learners)}`)
  if (configuration.learnersNext.length > 0) parts.push(`learners_next=${ids(configuration.learnersNext)}`)
  if (configuration.autoLeave) parts.push('autoleave')
  return parts.join(' ')
}

export function union(a: readonly NodeId[], b: readonly NodeId[]): readonly NodeId[] {
  return [...new Set([...a, ...b])].sort((x, y) => x - y)
}

const sameIds = (a: readonly NodeId[], b: readonly NodeId[]): boolean =>
  a.length === b.length && a.every((id, place) => id === b[place])
