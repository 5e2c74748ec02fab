import { decodeConfChange } from '../../../../lib/raft/core/conf-change.ts'
import type { Configuration } from '../../../../lib/raft/core/configuration.ts'
import type { Entry, HardState, Snapshot } from '../../../../lib/raft/core/entry.ts'
import type {
  Message,
  MsgStorageAppend,
  MsgStorageApply,
  ProposedEntry,
  StorageResponse,
} from '../../../../lib/raft/core/messages.ts'
import type { Ready, Role } from '../../../../lib/raft/core/ready.ts'
import { formatChanges } from '../confchange.ts'

/** The words of the scripts for what the core says. */
export const ROLES: { readonly [role in Role]: string } = {
  follower: 'StateFollower',
  'pre-candidate': 'StatePreCandidate',
  candidate: 'StateCandidate',
  leader: 'StateLeader',
}

/** The scripts tell two formats of configuration changes apart; here the proposer's own words say which one was asked for. */
export const OLD_FORMAT = 'v1'

export type AnyMessage = Message | StorageResponse | MsgStorageAppend | MsgStorageApply

export function describeReady(ready: Ready): string {
  const messages: readonly AnyMessage[] = [...ready.messages, ready.storageAppend, ready.storageApply].filter(
    (each) => each !== undefined,
  )
  const parts = [
    ...(ready.softState ? [`Lead:${ready.softState.lead} State:${ROLES[ready.softState.role]}`] : []),
    ...(ready.hardState ? [`HardState ${describeHardState(ready.hardState)}`] : []),
    ...(ready.readStates.length > 0 ? [`ReadStates ${JSON.stringify(ready.readStates)}`] : []),
    ...(ready.entries.length > 0 ? ['Entries:', ...ready.entries.map(describeEntry)] : []),
    ...(ready.snapshot ? [`Snapshot ${describeSnapshot(ready.snapshot)}`] : []),
    ...(ready.committedEntries.length > 0 ? ['CommittedEntries:', ...ready.committedEntries.map(describeEntry)] : []),
    ...(messages.length > 0 ? ['Messages:', ...messages.map((message) => describeMessage(message))] : []),
  ]
  if (parts.length === 0) return '<empty Ready>'
  return [`Ready MustSync=${ready.mustSync}:`, ...parts, ''].join('\n')
}

const describeHardState = ({ term, vote, commit }: HardState): string =>
  `Term:${term}${vote === 0 ? '' : ` Vote:${vote}`} Commit:${commit}`

const list = (ids: readonly number[]): string => `[${ids.join(' ')}]`

const describeConfState = (configuration: Configuration): string =>
  [
    `Voters:${list(configuration.voters)}`,
    `VotersOutgoing:${list(configuration.votersOutgoing)}`,
    `Learners:${list(configuration.learners)}`,
    `LearnersNext:${list(configuration.learnersNext)}`,
    `AutoLeave:${configuration.autoLeave}`,
  ].join(' ')

const describeSnapshot = ({ index, term, configuration }: Snapshot): string =>
  `Index:${index} Term:${term} ConfState:${describeConfState(configuration)}`

export function describeEntry(entry: Entry | ProposedEntry): string {
  const { term, index } = 'term' in entry ? entry : { term: 0, index: 0 }
  return `${term}/${index} ${describeContent(entry)}`
}

function describeContent({ kind, data }: ProposedEntry): string {
  if (kind === 'normal') return `EntryNormal ${JSON.stringify(new TextDecoder().decode(data))}`
  const { changes, context } = decodeConfChange(data)
  const words = [context === OLD_FORMAT ? 'EntryConfChange' : 'EntryConfChangeV2', formatChanges(changes)]
  return words.filter((word) => word !== '').join(' ')
}

/** The fields of the one message format of the scripts: each of our messages has some of them. */
interface Fields {
  readonly from: string
  readonly to: string
  readonly term: number
  readonly logTerm?: number
  readonly index?: number
  readonly rejected?: number | undefined
  readonly commit?: number | undefined
  readonly vote?: number | undefined
  readonly entries?: readonly (Entry | ProposedEntry)[]
  readonly snapshot?: Snapshot | undefined
  readonly responses?: readonly AnyMessage[]
}

export function describeMessage(message: AnyMessage, indent = ''): string {
  const {
    from,
    to,
    term,
    logTerm = 0,
    index = 0,
    rejected,
    commit = 0,
    vote = 0,
    entries = [],
    snapshot,
    responses = [],
  } = fieldsOf(message)
  const words = [
    `${indent}${from}->${to} ${message.type} Term:${term} Log:${logTerm}/${index}`,
    ...(rejected === undefined ? [] : [`Rejected (Hint: ${rejected})`]),
    ...(commit === 0 ? [] : [`Commit:${commit}`]),
    ...(vote === 0 ? [] : [`Vote:${vote}`]),
    ...(entries.length === 1 ? [`Entries:[${entries.map(describeEntry)}]`] : []),
    ...(entries.length > 1
      ? [`Entries:[${entries.map((entry) => `\n${indent}  ${describeEntry(entry)}`).join('')}\n${indent}]`]
      : []),
  ].join(' ')
  const below = snapshot ? `\n${indent}  Snapshot: ${describeSnapshot(snapshot)}` : ''
  if (responses.length === 0) return words + below
  return `${words}${below} Responses:[\n${responses.map((each) => describeMessage(each, `${indent}  `)).join('\n')}\n${indent}]`
}

function fieldsOf(message: AnyMessage): Fields {
  switch (message.type) {
    case 'MsgStorageAppend': {
      const { hardState } = message
      return {
        ...message,
        from: hex(message.from),
        to: 'AppendThread',
        term: hardState?.term ?? 0,
        vote: hardState?.vote,
        commit: hardState?.commit,
      }
    }
    case 'MsgStorageAppendResp':
      return { ...message, from: 'AppendThread', to: hex(message.to) }
    case 'MsgStorageApply':
      return { ...message, from: hex(message.from), to: 'ApplyThread', term: 0 }
    case 'MsgStorageApplyResp':
      return { ...message, from: 'ApplyThread', to: hex(message.to), term: 0 }
    default:
      return { ...message, ...fieldsOfPeer(message), from: hex(message.from), to: hex(message.to) }
  }
}

function fieldsOfPeer(message: Message): Partial<Fields> {
  switch (message.type) {
    case 'MsgApp':
      return { logTerm: message.prevLogTerm, index: message.prevLogIndex }
    case 'MsgAppResp':
      return { logTerm: message.hintTerm, rejected: message.reject ? message.hintIndex : undefined }
    case 'MsgVote':
    case 'MsgPreVote':
      return { logTerm: message.lastLogTerm, index: message.lastLogIndex, commit: 0 }
    case 'MsgVoteResp':
    case 'MsgPreVoteResp':
      return { rejected: message.reject ? 0 : undefined, commit: 0 }
    default:
      return {}
  }
}

const hex = (id: number): string => id.toString(16)
