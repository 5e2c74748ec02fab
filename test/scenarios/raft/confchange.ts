import type { MemberChange, MemberChangeType } from '../../../lib/raft/core/conf-change.ts'
import { describeConfiguration, NO_MEMBERS } from '../../../lib/raft/core/configuration.ts'
import type { LogIndex, MemberId } from '../../../lib/raft/core/entry.ts'
import { Membership } from '../../../lib/raft/core/membership.ts'
import { changeSimply, enterJoint, leaveJoint, type Reconfigured } from '../../../lib/raft/core/reconfigure.ts'
import { type ProgressStatus, progressStatus } from '../../../lib/raft/core/status.ts'
import { type Directive, valuesOf } from './script.ts'

/** Runs the directives of one file: the configuration goes on from one to the next, and each adds an entry to the log. */
export function confchangeRunner(): (directive: Directive) => string {
  const limits = { maxInflightMessages: 10, maxInflightBytes: Number.POSITIVE_INFINITY }
  const membership = new Membership(NO_MEMBERS, 0 as LogIndex, limits)
  let lastIndex = 0
  return (directive) => {
    const changed = change(membership, directive)
    const next = lastIndex++ as LogIndex
    if (changed.outcome === 'refused') return changed.reason
    membership.reconfigure(changed.configuration, next)
    return [describeConfiguration(membership.configuration), ...membership.progress.map(progressStatus).map(describeMember)].join(
      '\n',
    )
  }
}

function change(membership: Membership, directive: Directive): Reconfigured {
  const changes = parseChanges(directive.input)
  switch (directive.command) {
    case 'simple':
      return changeSimply(membership.configuration, changes)
    case 'enter-joint':
      return enterJoint(membership.configuration, changes, valuesOf(directive, 'autoleave')[0] === 'true')
    case 'leave-joint':
      if (changes.length > 0) return { outcome: 'refused', reason: 'this command takes no input' }
      return leaveJoint(membership.configuration)
    default:
      return { outcome: 'refused', reason: 'unknown command' }
  }
}

const TYPES: { readonly [letter: string]: MemberChangeType } = { v: 'add-voter', l: 'add-learner', r: 'remove', u: 'update' }

/** `v1 l2 r3 u4`: make 1 a voter, 2 a learner, remove 3, update 4. */
export function parseChanges(text: string): MemberChange[] {
  const words = text.split(/\s+/).filter((word) => word !== '')
  return words.map((word) => {
    const type = TYPES[word[0] ?? '']
    if (type === undefined) throw new Error(`unknown input: ${word}`)
    return { type, id: Number(word.slice(1)) as MemberId }
  })
}

export function formatChanges(changes: readonly MemberChange[]): string {
  const letter = (type: MemberChangeType): string => Object.keys(TYPES).find((key) => TYPES[key] === type) ?? '?'
  return changes.map(({ type, id }) => `${letter(type)}${id}`).join(' ')
}

const STATES = { probe: 'StateProbe', replicate: 'StateReplicate', snapshot: 'StateSnapshot' } as const

export function describeMember(progress: ProgressStatus): string {
  return [
    `${progress.id}: ${STATES[progress.state]} match=${progress.match} next=${progress.next}`,
    ...(progress.isLearner ? ['learner'] : []),
    ...(progress.paused ? ['paused'] : []),
    ...(progress.pendingSnapshot > 0 ? [`pendingSnap=${progress.pendingSnapshot}`] : []),
    ...(progress.recentActive ? [] : ['inactive']),
    ...(progress.inflights > 0 ? [`inflight=${progress.inflights}${progress.inflightsFull ? '[full]' : ''}`] : []),
  ].join(' ')
}
