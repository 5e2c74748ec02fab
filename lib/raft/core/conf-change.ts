import { type MemberId, NO_DATA } from './entry.ts'
import { invariant } from './invariant.ts'
import { decodeObject, encodeObject } from './object-codec.ts'

export type MemberChangeType = 'add-voter' | 'add-learner' | 'remove' | 'update'

/** `add-voter` also promotes a learner, `add-learner` also demotes a voter; `update` changes nothing that Raft knows of. */
export interface MemberChange {
  readonly type: MemberChangeType
  readonly id: MemberId
}

/**
 * How the group gets from one configuration to the next.
 *
 * `auto`: directly for one change, else through a joint configuration that the leader leaves by itself; `implicit`: through
 * a joint configuration in any case, left by itself; `explicit`: through a joint configuration that a second, empty change
 * leaves.
 */
export type Transition = 'auto' | 'implicit' | 'explicit'

/** What a `conf-change` entry says. `auto` without changes leaves a joint configuration. */
export interface ConfChange {
  readonly transition: Transition
  readonly changes: readonly MemberChange[]
  /** The proposer's own words (an address, say); the core only carries them. */
  readonly context: string
}

export const LEAVE_JOINT: ConfChange = Object.freeze({ transition: 'auto', changes: [], context: '' })

export const leavesJoint = (change: ConfChange): boolean => change.transition === 'auto' && change.changes.length === 0

/** One change alone may go without a joint configuration: the majorities before and after it overlap (thesis §4.1). */
export const entersJoint = (change: ConfChange): boolean => change.transition !== 'auto' || change.changes.length > 1

export const leavesByItself = (change: ConfChange): boolean => change.transition !== 'explicit'

const TRANSITIONS: readonly unknown[] = ['auto', 'implicit', 'explicit'] satisfies Transition[]
const TYPES: readonly unknown[] = ['add-voter', 'add-learner', 'remove', 'update'] satisfies MemberChangeType[]

/** As the data of an entry. Leaving a joint configuration takes no byte, so no limit on sizes can ever prevent it. */
export function encodeConfChange(change: ConfChange): Uint8Array {
  if (leavesJoint(change) && change.context === '') return NO_DATA
  const { transition, context } = change
  return encodeObject({ transition, changes: change.changes.map(({ type, id }) => [type, id]), context })
}

export function decodeConfChange(data: Uint8Array): ConfChange {
  if (data.length === 0) return LEAVE_JOINT
  const { transition, changes, context } = decodeObject(data) ?? {}
  invariant(TRANSITIONS.includes(transition) && Array.isArray(changes) && typeof context === 'string', unreadable)
  return { transition: transition as Transition, changes: changes.map(memberChange), context }
}

function memberChange(value: unknown): MemberChange {
  const [type, id] = Array.isArray(value) ? (value as unknown[]) : []
  invariant(TYPES.includes(type) && Number.isSafeInteger(id), unreadable)
  return { type: type as MemberChangeType, id: id as MemberId }
}

const unreadable = (): string => 'a configuration change in the log cannot be read'
