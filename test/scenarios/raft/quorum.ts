import type { LogIndex, MemberId } from '../../../lib/raft/core/entry.ts'
import { type JointQuorum, jointCommittedIndex, jointVoteResult } from '../../../lib/raft/core/quorum/joint.ts'
import { type AckedIndex, committedIndex, majorityOf, voteResult } from '../../../lib/raft/core/quorum/majority.ts'
import { type Directive, valuesOf } from './script.ts'

const WORDS = { won: 'VoteWon', pending: 'VotePending', lost: 'VoteLost' } as const

/** `vote` and `committed`, on one majority (`cfg`) or, with `cfgj`, on a joint quorum. */
export function runQuorum(directive: Directive): string {
  const voters = valuesOf(directive, 'cfg').map(Number) as MemberId[]
  const outgoing = valuesOf(directive, 'cfgj')
  const votersOutgoing = outgoing.filter((value) => value !== 'zero').map(Number) as MemberId[]
  const quorum = outgoing.length > 0 ? { voters, votersOutgoing } : undefined
  const everyone = [...new Set([...voters, ...votersOutgoing])]
  switch (directive.command) {
    case 'vote': {
      const given = valuesOf(directive, 'votes')
      const votes = new Map(
        everyone.flatMap((id, place) => (given[place] === '_' ? [] : ([[id, given[place] === 'y']] as const))),
      )
      return quorum ? voteJointly(quorum, votes) : WORDS[voteResult(voters, votes)]
    }
    case 'committed': {
      const given = valuesOf(directive, 'idx')
      const indices = new Map(
        everyone.flatMap((id, place) => (given[place] === '_' ? [] : ([[id, Number(given[place])]] as const))),
      )
      const acked = (id: MemberId): LogIndex | undefined => indices.get(id) as LogIndex | undefined
      return quorum ? commitJointly(quorum, everyone, acked) : commit(voters, acked)
    }
    default:
      return `unknown command ${directive.command}`
  }
}

function voteJointly(quorum: JointQuorum, votes: ReadonlyMap<MemberId, boolean>): string {
  const result = jointVoteResult(quorum, votes)
  const swapped = jointVoteResult(swap(quorum), votes)
  return `${swapped === result ? '' : `${WORDS[swapped]} <-- via symmetry\n`}${WORDS[result]}`
}

function commitJointly(quorum: JointQuorum, everyone: readonly MemberId[], acked: AckedIndex): string {
  const index = jointCommittedIndex(quorum, acked)
  const swapped = jointCommittedIndex(swap(quorum), acked)
  return `${chart(everyone, acked)}${swapped === index ? '' : `${show(swapped)} <-- via symmetry\n`}${show(index)}`
}

/** Computed a second way, and as the half of joint quorums that must not change it: a difference shows in the output. */
function commit(voters: readonly MemberId[], acked: AckedIndex): string {
  const index = committedIndex(voters, acked)
  const others = {
    'alternative computation': bySorting(voters, acked),
    'zero-joint quorum': jointCommittedIndex({ voters, votersOutgoing: [] }, acked),
    'self-joint quorum': jointCommittedIndex({ voters, votersOutgoing: voters }, acked),
  }
  const differing = Object.entries(others).filter(([, other]) => other !== index)
  const lowered = voters.filter((voter) => (acked(voter) ?? 0) > 0 && (acked(voter) ?? 0) < index)
  const swayed = lowered.filter((voter) => committedIndex(voters, (id) => (id === voter ? undefined : acked(id))) !== index)
  return [
    chart(voters, acked),
    ...differing.map(([way, other]) => `${show(other)} <-- via ${way}\n`),
    ...swayed.map((voter) => `swayed by ${voter}, which holds less\n`),
    show(index),
  ].join('')
}

function bySorting(voters: readonly MemberId[], acked: AckedIndex): number {
  if (voters.length === 0) return Number.POSITIVE_INFINITY
  const sorted = voters.map((voter): number => acked(voter) ?? 0).sort((a, b) => b - a)
  return sorted[majorityOf(voters) - 1] ?? 0
}

function chart(voters: readonly MemberId[], acked: AckedIndex): string {
  if (voters.length === 0) return '<empty majority quorum>'
  const n = voters.length
  const sorted = [...voters].sort((a, b) => a - b)
  const rows = sorted.map((id) => {
    const index = acked(id)
    const below = voters.filter((other) => (acked(other) ?? 0) < (index ?? 0)).length
    const bar = index === undefined ? `?${' '.repeat(n)}` : `${'x'.repeat(below)}>${' '.repeat(n - below)}`
    return `${bar} ${String(index ?? 0).padStart(5)}    (id=${id})\n`
  })
  return `${' '.repeat(n)}    idx\n${rows.join('')}`
}

const swap = (quorum: JointQuorum): JointQuorum => ({ voters: quorum.votersOutgoing, votersOutgoing: quorum.voters })
const show = (index: number): string => (index === Number.POSITIVE_INFINITY ? '∞' : String(index))
