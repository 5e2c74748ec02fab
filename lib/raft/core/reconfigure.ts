import { type ConfChange, entersJoint, leavesByItself, leavesJoint, type MemberChange } from './conf-change.ts'
import { type Configuration, isJoint, membersOf, union } from './configuration.ts'
import { type MemberId, NONE } from './entry.ts'

/** A change that must not be made is an answer, not an exception: it is asked for before anything is decided. */
export type Reconfigured =
  | { readonly outcome: 'changed'; readonly configuration: Configuration }
  | { readonly outcome: 'refused'; readonly reason: string }

/** The configuration after `change`, by the way that the change asks for. */
export function reconfigure(configuration: Configuration, change: ConfChange): Reconfigured {
  if (leavesJoint(change)) return leaveJoint(configuration)
  if (entersJoint(change)) return enterJoint(configuration, change.changes, leavesByItself(change))
  return changeSimply(configuration, change.changes)
}

/** From C_old to C_old,new (thesis §4.3): the voters of now go on counting until the joint configuration is left. */
export function enterJoint(configuration: Configuration, changes: readonly MemberChange[], autoLeave: boolean): Reconfigured {
  if (isJoint(configuration)) return refused('config is already joint')
  if (configuration.voters.length === 0) return refused("can't make a zero-voter config joint")
  const next = changes.reduce(changeMember, { ...configuration, votersOutgoing: configuration.voters, autoLeave })
  return withVoters(next)
}

/** From C_old,new to C_new. */
export function leaveJoint(configuration: Configuration): Reconfigured {
  if (!isJoint(configuration)) return refused("can't leave a non-joint config")
  const learners = union(configuration.learners, configuration.learnersNext)
  return changed({ ...configuration, votersOutgoing: [], learners, learnersNext: [], autoLeave: false })
}

/** Directly: at most one voter comes or goes, so that every old and every new majority have a member in common. */
export function changeSimply(configuration: Configuration, changes: readonly MemberChange[]): Reconfigured {
  if (isJoint(configuration)) return refused("can't apply simple config change in joint config")
  const next = changes.reduce(changeMember, configuration)
  if (next.voters.length === 0) return refused('removed all voters')
  if (differences(configuration.voters, next.voters) > 1) {
    return refused('more than one voter changed without entering joint config')
  }
  return changed(next)
}

function changeMember(configuration: Configuration, change: MemberChange): Configuration {
  if (change.id === NONE) return configuration
  switch (change.type) {
    case 'add-voter':
      return addVoter(configuration, change.id)
    case 'add-learner':
      return addLearner(configuration, change.id)
    case 'remove':
      return removeMember(configuration, change.id)
    case 'update':
      return configuration
  }
}

function addVoter(configuration: Configuration, id: MemberId): Configuration {
  return { ...removeMember(configuration, id), voters: union(configuration.voters, [id]) }
}

function addLearner(configuration: Configuration, id: MemberId): Configuration {
  const without = removeMember(configuration, id)
  // Still a voter of the outgoing half: it has to wait until that half is left.
  if (without.votersOutgoing.includes(id)) return { ...without, learnersNext: union(without.learnersNext, [id]) }
  return { ...without, learners: union(without.learners, [id]) }
}

/** From the incoming half only: a voter of the outgoing half counts until that is left. */
function removeMember(configuration: Configuration, id: MemberId): Configuration {
  if (!membersOf(configuration).includes(id)) return configuration
  return {
    ...configuration,
    voters: without(configuration.voters, id),
    learners: without(configuration.learners, id),
    learnersNext: without(configuration.learnersNext, id),
  }
}

const without = (ids: readonly MemberId[], id: MemberId): readonly MemberId[] => ids.filter((other) => other !== id)

const differences = (a: readonly MemberId[], b: readonly MemberId[]): number =>
  a.filter((id) => !b.includes(id)).length + b.filter((id) => !a.includes(id)).length

const withVoters = (next: Configuration): Reconfigured =>
  next.voters.length === 0 ? refused('removed all voters') : changed(next)

const changed = (configuration: Configuration): Reconfigured => ({ outcome: 'changed', configuration })
const refused = (reason: string): Reconfigured => ({ outcome: 'refused', reason })
