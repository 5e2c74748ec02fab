import type { Transition } from '../../../../lib/raft/core/conf-change.ts'
import { type Configuration, isVoter, NO_MEMBERS } from '../../../../lib/raft/core/configuration.ts'
import type { LogIndex, MemberId, Snapshot, Term } from '../../../../lib/raft/core/entry.ts'
import type { RaftSettings } from '../../../../lib/raft/core/options.ts'
import type { Proposed } from '../../../../lib/raft/core/proposal.ts'
import { describeMember, parseChanges } from '../confchange.ts'
import { type Argument, type Directive, parseCommand, valuesOf } from '../script.ts'
import { OLD_FORMAT, ROLES } from './describe.ts'
import { Group, PROPOSAL_DROPPED } from './group.ts'
import { Member, NO_SNAPSHOT } from './member.ts'

type Command = Pick<Directive, 'command' | 'arguments'>
/** An error's text, or nothing. */
type Handled = string | undefined

/** Runs the directives of one file on one group. */
export function interactionRunner(): (directive: Directive) => string {
  const group = new Group()
  return (directive) => {
    const error = run(group, directive)
    const output = group.takeOutput()
    // Errors are shown even when the rest is not.
    return `${output}${error ?? ''}` || 'ok'
  }
}

function run(group: Group, directive: Directive): Handled {
  if (directive.command === 'propose-conf-change') return proposeConfChange(group, directive)
  const further = directive.input.split('\n').filter((line) => line !== '')
  const errors = [directive, ...further.map(parseCommand)].map((command) => runCommand(group, command))
  return errors.filter((error) => error !== undefined).join('') || undefined
}

function runCommand(group: Group, command: Command): Handled {
  const handle = COMMANDS[command.command]
  return handle ? handle(group, command) : 'unknown command'
}

const COMMANDS: { readonly [command: string]: (group: Group, command: Command) => Handled } = {
  _breakpoint: () => undefined,
  'add-nodes': addNodes,
  campaign: (group, command) => void first(group, command).core.campaign(),
  compact(group, command) {
    const [id = 0, index = 0] = numbers(command)
    group.member(id).log.compact(index as LogIndex)
    group.printLog(group.member(id))
    return undefined
  },
  'deliver-msgs'(group, command) {
    const deliver = numbers(command).map((id) => ({ id, drop: false }))
    const drop = valuesOf(command, 'drop').map((id) => ({ id: Number(id), drop: true }))
    if (group.deliver([...deliver, ...drop], valuesOf(command, 'type')[0]) === 0) group.print('no messages\n')
    return undefined
  },
  'forget-leader': (group, command) => void first(group, command).core.forgetLeader(),
  'log-level'(group, command) {
    group.quiet = command.arguments[0]?.key.toLowerCase() === 'none'
    return undefined
  },
  'process-append-thread': (group, command) =>
    each(group, command, 'processing append thread', (member) => group.processAppend(member)),
  'process-apply-thread': (group, command) =>
    each(group, command, 'processing apply thread', (member) => group.processApply(member)),
  'process-ready': (group, command) => each(group, command, 'handling Ready', (member) => group.processReady(member)),
  propose: (group, command) =>
    errorOf(first(group, command).core.propose(new TextEncoder().encode(command.arguments[1]?.key ?? ''))),
  'raft-log': (group, command) => void group.printLog(first(group, command)),
  'raft-state'(group) {
    for (const member of group.members) {
      const { id, role, term, lead, configuration } = member.core.status()
      group.print(`${id}: ${ROLES[role]} (${isVoter(configuration, id) ? 'Voter' : 'Non-Voter'}) Term:${term} Lead:${lead}\n`)
    }
    return undefined
  },
  'report-unreachable'(group, command) {
    const [on = 0, id = 0] = numbers(command)
    group.member(on).core.reportUnreachable(id as MemberId)
    return undefined
  },
  'send-snapshot'(group, command) {
    const [from = 0, to = 0] = numbers(command)
    return void group.sendSnapshot(group.member(from), to as MemberId)
  },
  'set-randomized-election-timeout': (group, command) =>
    void first(group, command).core.overrideElectionTimeout(Number(valuesOf(command, 'timeout')[0])),
  stabilize(group, command) {
    const { quiet } = group
    if (valuesOf(command, 'log-level').length > 0) group.quiet = valuesOf(command, 'log-level')[0]?.toLowerCase() === 'none'
    const ids = numbers(command)
    group.stabilize(ids.length > 0 ? ids.map((id) => group.member(id)) : group.members)
    group.quiet = quiet
    return undefined
  },
  status: (group, command) =>
    void group.print(
      first(group, command)
        .core.status()
        .progress.map((progress) => `${describeMember(progress)}\n`)
        .join(''),
    ),
  'tick-election': (group, command) => tick(first(group, command), first(group, command).electionTicks),
  'tick-heartbeat': (group, command) => tick(first(group, command), 1),
  'transfer-leadership': (group, command) =>
    void group.member(Number(valuesOf(command, 'from')[0])).core.transferLeader(Number(valuesOf(command, 'to')[0]) as MemberId),
}

/** The arguments that are numbers and nothing else. */
const numbers = (command: Command): number[] =>
  command.arguments.filter(({ values }) => values.length === 0).map(({ key }) => Number(key))

const first = (group: Group, command: Command): Member => group.member(numbers(command)[0] ?? 0)

function each(group: Group, command: Command, doing: string, act: (member: Member) => void): undefined {
  const members = numbers(command).map((id) => group.member(id))
  for (const member of members) {
    if (members.length > 1) group.under(`${member.id} ${doing}`, () => act(member))
    else act(member)
  }
}

function tick(member: Member, ticks: number): undefined {
  for (let count = 0; count < ticks; count++) member.core.tick()
}

const errorOf = (proposed: Proposed): Handled => (proposed.outcome === 'dropped' ? PROPOSAL_DROPPED : undefined)

function proposeConfChange(group: Group, directive: Directive): Handled {
  const isOld = valuesOf(directive, 'v1')[0] === 'true'
  const transition = (valuesOf(directive, 'transition')[0] ?? 'auto') as Transition
  const changes = parseChanges(directive.input)
  if (isOld && (changes.length > 1 || transition !== 'auto')) {
    return 'v1 conf change can only have one operation and no transition'
  }
  return errorOf(first(group, directive).core.proposeConfChange({ transition, changes, context: isOld ? OLD_FORMAT : '' }))
}

/** `add-nodes 3 voters=(1,2) learners=(3) index=10 …`: members with consecutive ids, all with the same state. */
function addNodes(group: Group, command: Command): Handled {
  const snapshot = initialState(command)
  if (snapshot !== NO_SNAPSHOT && snapshot.index <= 1) return 'index must be specified as > 1 due to bootstrap'
  const settings = Object.assign({}, ...command.arguments.map(settingOf)) as Partial<RaftSettings>
  const [count = 0] = numbers(command)
  for (let added = 0; added < count; added++) {
    group.members.push(new Member((group.members.length + 1) as MemberId, settings, snapshot))
  }
  return undefined
}

function initialState(command: Command): Snapshot {
  const ids = (key: string): MemberId[] => valuesOf(command, key).map(Number) as MemberId[]
  const [index] = valuesOf(command, 'index')
  const configuration: Configuration = { ...NO_MEMBERS, voters: ids('voters'), learners: ids('learners') }
  if (index === undefined && configuration.voters.length === 0) return NO_SNAPSHOT
  const data = new TextEncoder().encode(valuesOf(command, 'content')[0] ?? '')
  return { index: Number(index ?? 0) as LogIndex, term: 1 as Term, configuration, data }
}

function settingOf({ key, values: [value = ''] }: Argument): Partial<RaftSettings> {
  switch (key) {
    case 'async-storage-writes':
      return { asyncStorageWrites: value === 'true' }
    case 'checkquorum':
      return { checkQuorum: value === 'true' }
    case 'disable-conf-change-validation':
      return { disableConfChangeValidation: value === 'true' }
    case 'inflight':
      return { maxInflightMessages: Number(value) }
    case 'max-committed-size-per-ready':
      return { maxApplyingBytes: Number(value) }
    case 'prevote':
      return { preVote: value === 'true' }
    case 'read-only':
      return { readMode: value === 'lease-based' ? 'lease-based' : 'safe' }
    case 'step-down-on-removal':
      return { stepDownOnRemoval: value === 'true' }
    default:
      return {}
  }
}
