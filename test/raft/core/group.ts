import { expect } from 'vitest'
import type { ConfChange, MemberChangeType } from '../../../lib/raft/core/conf-change.ts'
import { type Configuration, NO_MEMBERS } from '../../../lib/raft/core/configuration.ts'
import {
  type Entry,
  isConfChange,
  type LogIndex,
  type MemberId,
  NO_DATA,
  type Snapshot,
  type Term,
} from '../../../lib/raft/core/entry.ts'
import type { Message, StorageResponse } from '../../../lib/raft/core/messages.ts'
import type { RaftSettings } from '../../../lib/raft/core/options.ts'
import type { Proposed } from '../../../lib/raft/core/proposal.ts'
import { RaftCore } from '../../../lib/raft/core/raft-core.ts'
import type { ReadState, Ready } from '../../../lib/raft/core/ready.ts'
import { MemoryLog } from './memory-log.ts'

export interface GroupOptions {
  readonly voters?: readonly number[]
  readonly learners?: readonly number[]
  /** Ids that exist from the start without being members. Then the members begin with a snapshot, which strangers need. */
  readonly strangers?: readonly number[]
  /** The terms of each member's log, from index 1 on; all members begin in the latest term of all. */
  readonly logs?: { readonly [id: number]: readonly number[] }
  /** All of the log up to here is committed and applied at the start. */
  readonly applied?: number
  readonly settings?: Partial<RaftSettings>
}

interface Host {
  readonly id: number
  core: RaftCore
  readonly log: MemoryLog
  readonly applied: Entry[]
  readonly reads: ReadState[]
  configuration: Configuration
}

/**
 * Members whose messages go nowhere until a test delivers them. The paper's safety properties (figure 3) are checked at every
 * step, and whatever the core hands out or takes in is frozen: nobody may rely on changing it.
 */
export class Group {
  readonly #hosts = new Map<number, Host>()
  readonly #options: GroupOptions
  readonly #leaders = new Map<number, number>()
  readonly #decided = new Map<number, string>()
  readonly #down = new Set<number>()
  inFlight: Message[] = []

  constructor(options: GroupOptions = {}) {
    this.#options = options
    const { voters = [1, 2, 3], learners = [], strangers = [] } = options
    const configuration: Configuration = { ...NO_MEMBERS, voters: voters as MemberId[], learners: learners as MemberId[] }
    const base: Snapshot = { index: 1 as LogIndex, term: 1 as Term, configuration, data: NO_DATA }
    for (const id of [...voters, ...learners])
      this.#hosts.set(id, this.#host(id, configuration, strangers.length > 0 ? base : undefined))
    for (const id of strangers) this.#hosts.set(id, this.#host(id, NO_MEMBERS, undefined))
  }

  #host(id: number, configuration: Configuration, base: Snapshot | undefined): Host {
    const log = new MemoryLog(base)
    const terms = this.#options.logs?.[id] ?? []
    const term = Math.max(base?.term ?? 0, ...Object.values(this.#options.logs ?? {}).flat()) as Term
    log.write(
      { term, vote: 0, commit: Math.max(this.#options.applied ?? 0, base?.index ?? 0) as LogIndex },
      undefined,
      entriesOf(terms),
    )
    const host = { id, log, applied: [], reads: [], configuration, core: undefined as unknown as RaftCore }
    host.core = this.#start(host, this.#options.applied ?? 0)
    return host
  }

  #start({ id, log, configuration }: Omit<Host, 'core'>, applied: number): RaftCore {
    return new RaftCore({
      preVote: false,
      checkQuorum: false,
      ...this.#options.settings,
      id: id as MemberId,
      log,
      hardState: log.hardState,
      configuration,
      applied: applied as LogIndex,
      fraction: () => (id % 10) / 10,
    })
  }

  host(id: number): Host {
    const host = this.#hosts.get(id)
    if (!host) throw new Error(`no member ${id}`)
    return host
  }
  core(id: number): RaftCore {
    return this.host(id).core
  }
  role(id: number): string {
    return this.core(id).status().role
  }
  /** The terms of the entries in its log. */
  terms(id: number): number[] {
    const { log } = this.host(id)
    return Array.from(
      { length: log.lastIndex() - log.firstIndex() + 1 },
      (_, place) => log.term((log.firstIndex() + place) as LogIndex) ?? -1,
    )
  }
  applied(id: number): string[] {
    return this.host(id)
      .applied.filter((entry) => entry.kind === 'normal' && entry.data.length > 0)
      .map(textOf)
  }
  get ids(): number[] {
    return [...this.#hosts.keys()].filter((id) => !this.#down.has(id))
  }
  get leader(): number | undefined {
    return this.ids
      .filter((id) => this.role(id) === 'leader')
      .sort((a, b) => this.core(b).status().term - this.core(a).status().term)[0]
  }

  propose(id: number, text: string): Proposed {
    return this.core(id).propose(new TextEncoder().encode(text))
  }
  change(
    id: number,
    changes: readonly (readonly [MemberChangeType, number])[],
    transition: ConfChange['transition'] = 'auto',
  ): Proposed {
    return this.core(id).proposeConfChange({
      transition,
      changes: changes.map(([type, member]) => ({ type, id: member as MemberId })),
      context: '',
    })
  }
  tick(id: number, ticks = 1): void {
    for (let count = 0; count < ticks; count++) this.core(id).tick()
  }

  /** What this member has to do, done in the order that `Ready` states. Its messages are under way then. */
  handle(id: number): void {
    const host = this.host(id)
    while (!this.#down.has(id) && host.core.hasReady()) this.#carryOut(host, freeze(host.core.ready()))
  }

  #carryOut(host: Host, ready: Ready): void {
    host.log.write(ready.hardState, ready.snapshot, ready.entries)
    if (ready.snapshot) host.configuration = ready.snapshot.configuration
    this.inFlight.push(...ready.messages)
    this.#apply(host, ready.committedEntries)
    host.reads.push(...ready.readStates)
    if (ready.storageAppend || ready.storageApply) {
      for (const response of [...(ready.storageAppend?.responses ?? []), ...(ready.storageApply?.responses ?? [])])
        this.#respond(host, response)
    } else if (!this.#options.settings?.asyncStorageWrites) {
      host.core.advance()
    }
    this.#check(host)
  }

  #respond(host: Host, response: Message | StorageResponse): void {
    if (response.to === host.id) host.core.step(response)
    else this.inFlight.push(response as Message)
  }

  #apply(host: Host, entries: readonly Entry[]): void {
    for (const entry of entries) {
      // State machine safety: no two members apply different entries at one index.
      const content = `${entry.term}:${textOf(entry)}`
      expect(this.#decided.get(entry.index) ?? content, `entry ${entry.index}, applied by ${host.id}`).toBe(content)
      this.#decided.set(entry.index, content)
      host.applied.push(entry)
      if (isConfChange(entry)) host.configuration = host.core.applyConfChange(entry)
    }
    const last = entries.at(-1)
    if (!last) return
    const snapshot: Snapshot = { index: last.index, term: last.term, configuration: host.configuration, data: NO_DATA }
    host.log.latestSnapshot = () => snapshot
  }

  /** Election safety: at most one leader in a term. Leader completeness: a leader has all that was decided before. */
  #check({ id, core, log }: Host): void {
    const { role, term } = core.status()
    if (role !== 'leader') return
    expect(this.#leaders.get(term) ?? id, `leader of term ${term}`).toBe(id)
    if (this.#leaders.has(term)) return
    this.#leaders.set(term, id)
    for (const index of this.#decided.keys())
      expect(index, `leader ${id} of term ${term} lacks an entry`).toBeLessThanOrEqual(log.lastIndex())
  }

  /** Delivers those messages under way that `where` accepts, once; the others stay. */
  deliver(where: (message: Message) => boolean = () => true): number {
    const due = this.inFlight.filter(where)
    this.inFlight = this.inFlight.filter((message) => !due.includes(message))
    for (const message of due) {
      if (!this.#down.has(message.to) && this.#hosts.has(message.to)) this.core(message.to).step(freeze(message))
    }
    return due.length
  }

  drop(where: (message: Message) => boolean = () => true): void {
    this.inFlight = this.inFlight.filter((message) => !where(message))
  }

  /** Lets everyone work and talk until nothing more happens, with those in `among` (or all) able to reach each other. */
  settle(among: readonly number[] = this.ids): void {
    for (let busy = true; busy; ) {
      for (const id of this.ids) if (among.includes(id)) this.handle(id)
      this.drop((message) => !among.includes(message.from) || !among.includes(message.to))
      busy = this.deliver() > 0
    }
  }

  elect(id: number, among?: readonly number[]): void {
    this.core(id).campaign()
    this.settle(among)
    expect(this.role(id)).toBe('leader')
  }

  /** Loses all that is not in its log, and its messages under way. */
  crash(id: number): void {
    this.#down.add(id)
    this.drop((message) => message.from === id || message.to === id)
  }

  restart(id: number): void {
    const host = this.host(id)
    this.#down.delete(id)
    host.core = this.#start(host, host.applied.at(-1)?.index ?? this.#options.applied ?? 0)
  }
}

/** Entries with these terms, from index 1 on, without data. */
export function entriesOf(terms: readonly number[]): Entry[] {
  return terms.map((term, place) => ({ term: term as Term, index: (place + 1) as LogIndex, kind: 'normal', data: NO_DATA }))
}

export const textOf = (entry: Entry): string => new TextDecoder().decode(entry.data)

/** Bytes cannot be frozen; everything around them is. */
function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value) || ArrayBuffer.isView(value)) return value
  Object.freeze(value)
  for (const each of Object.values(value)) freeze(each)
  return value
}
