import type { LogIndex, MemberId } from '../../../../lib/raft/core/entry.ts'
import type { MsgStorageAppend, MsgStorageApply } from '../../../../lib/raft/core/messages.ts'
import { type AnyMessage, describeEntry, describeMessage, describeReady } from './describe.ts'
import type { Member } from './member.ts'

/** Errors that the scripts expect in the original library's words. */
export const PROPOSAL_DROPPED = 'raft proposal dropped'
const UNKNOWN_PEER = 'raft: cannot step as peer not found'

export interface Recipient {
  readonly id: number
  readonly drop: boolean
}

/** A group of members, the messages between them, and what is to be printed about it. */
export class Group {
  readonly members: Member[] = []
  #messages: AnyMessage[] = []
  #output = ''
  quiet = false

  member(id: number): Member {
    const member = this.members[id - 1]
    if (!member) throw new Error(`no member ${id}`)
    return member
  }

  print(text: string): void {
    if (!this.quiet) this.#output += text
  }

  /** What was printed since the last time. */
  takeOutput(): string {
    const output = this.#output
    this.#output = ''
    return output
  }

  under(heading: string, act: () => void): void {
    const before = this.#output
    this.#output = ''
    act()
    const lines = this.#output.replace(/\n$/, '').split('\n')
    const inner = this.#output === '' ? '' : lines.map((line) => `  ${line}\n`).join('')
    this.#output = before
    this.print(`> ${heading}\n${inner}`)
  }

  send(message: AnyMessage): void {
    this.#messages.push(message)
  }

  /** A snapshot that the core did not ask for. */
  sendSnapshot(from: Member, to: MemberId): void {
    const message = from.snapshotTo(to)
    this.send(message)
    this.print(describeMessage(message))
  }

  processReady(member: Member): void {
    const ready = member.core.ready()
    this.print(describeReady(ready))
    if (!member.isAsync) {
      member.append(ready)
      member.apply(ready.committedEntries)
    }
    for (const message of ready.messages) this.send(message)
    if (ready.storageAppend) member.appendWork.push(ready.storageAppend)
    if (ready.storageApply) member.applyWork.push(ready.storageApply)
    if (!member.isAsync) member.core.advance()
  }

  processAppend(member: Member): void {
    const work = member.appendWork.shift()
    if (!work) this.print('no append work to perform')
    else this.#process(work, () => member.append(work))
  }

  processApply(member: Member): void {
    const work = member.applyWork.shift()
    if (!work) this.print('no apply work to perform')
    else this.#process(work, () => member.apply(work.entries))
  }

  #process(work: MsgStorageAppend | MsgStorageApply, act: () => void): void {
    const responses: readonly AnyMessage[] = work.responses
    this.print(`Processing:\n${describeMessage({ ...work, responses: [] })}\n`)
    act()
    this.print(`Responses:\n${responses.map((response) => `${describeMessage(response)}\n`).join('')}`)
    for (const response of responses) this.send(response)
  }

  /** Delivers, or drops, what is under way to the recipients. Returns how many messages that were. */
  deliver(recipients: readonly Recipient[], type?: string): number {
    return recipients.reduce((count, recipient) => {
      const messages = this.#messages.filter((message) => concerns(message, recipient, type))
      this.#messages = this.#messages.filter((message) => !messages.includes(message))
      for (const message of messages) {
        this.print(`${recipient.drop ? 'dropped: ' : ''}${describeMessage(message)}\n`)
        if (!recipient.drop) this.#step(message, recipient.id)
      }
      return count + messages.length
    }, 0)
  }

  #step(message: AnyMessage, to: number): void {
    if (message.type === 'MsgStorageAppend' || message.type === 'MsgStorageApply') throw new Error('storage has no member')
    const outcome = this.member(to).core.step(message)
    if (outcome === 'unknown-peer') this.print(`${UNKNOWN_PEER}\n`)
    if (outcome === 'proposal-dropped') this.print(`${PROPOSAL_DROPPED}\n`)
  }

  /** Handles Readys, messages and storage work of `members`, round by round, until there is none left. */
  stabilize(members: readonly Member[]): void {
    for (let busy = true; busy; ) {
      busy = false
      const each = (has: (member: Member) => boolean, doing: string, act: (member: Member) => void): void => {
        for (const member of members) {
          if (!has(member)) continue
          busy = true
          this.under(`${member.id} ${doing}`, () => act(member))
        }
      }
      each(
        (member) => member.core.hasReady(),
        'handling Ready',
        (member) => this.processReady(member),
      )
      each(
        (member) => this.#messages.some((message) => concerns(message, { id: member.id, drop: false })),
        'receiving messages',
        (member) => this.deliver([{ id: member.id, drop: false }]),
      )
      each(
        (member) => member.appendWork.length > 0,
        'processing append thread',
        (member) => {
          while (member.appendWork.length > 0) this.processAppend(member)
        },
      )
      each(
        (member) => member.applyWork.length > 0,
        'processing apply thread',
        (member) => {
          while (member.applyWork.length > 0) this.processApply(member)
        },
      )
    }
  }

  printLog(member: Member): void {
    const { log } = member
    const [first, last] = [log.firstIndex(), log.lastIndex()]
    const entries = log.entries(first, (last + 1) as LogIndex, Number.POSITIVE_INFINITY) ?? []
    if (last < first) this.print(`log is empty: first index=${first}, last index=${last}`)
    else this.print(entries.map((entry) => `${describeEntry(entry)}\n`).join(''))
  }
}

/** What storage, or a member itself, says to a member is never lost. */
function concerns(message: AnyMessage, { id, drop }: Recipient, type?: string): boolean {
  if (!('to' in message) || message.to !== (id as MemberId)) return false
  const isLocal = !('from' in message) || message.from === message.to
  return !(drop && isLocal) && (type === undefined || message.type === type)
}
