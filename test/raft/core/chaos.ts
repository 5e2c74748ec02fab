import type { MemberChangeType, Transition } from '../../../lib/raft/core/conf-change.ts'
import { type Configuration, membersOf, NO_MEMBERS } from '../../../lib/raft/core/configuration.ts'
import {
  type Entry,
  type HardState,
  isConfChange,
  type LogIndex,
  type MemberId,
  NO_DATA,
  NO_HARD_STATE,
  type Snapshot,
  type Term,
} from '../../../lib/raft/core/entry.ts'
import type { Message, MsgStorageAppend, MsgStorageApply, StorageResponse } from '../../../lib/raft/core/messages.ts'
import type { RaftSettings } from '../../../lib/raft/core/options.ts'
import { RaftCore } from '../../../lib/raft/core/raft-core.ts'
import type { Ready } from '../../../lib/raft/core/ready.ts'
import { MemoryLog } from './memory-log.ts'

/** A member on its machine: the log survives a crash, but for what was not flushed; all else is lost. */
interface Host {
  readonly id: MemberId
  readonly log: MemoryLog
  core: RaftCore | undefined
  /** As of the last flush. */
  durable: HardState
  /** The state machine is in memory: what counts after a crash is the last snapshot. */
  snapshot: Snapshot
  applied: LogIndex
  configuration: Configuration
  appends: MsgStorageAppend[]
  applies: MsgStorageApply[]
  commit: LogIndex
}

/**
 * The core alone under everything that a network, a disk and operators do to it, drawn from a seed. (The whole node has its
 * own simulation; this one is for the protocol's rules, and fast.) Throws when one of the paper's safety properties breaks.
 */
export class Chaos {
  readonly #random: () => number
  readonly #settings: Partial<RaftSettings>
  readonly #hosts: Host[]
  #network: Message[] = []
  readonly #cut = new Set<string>()
  readonly #leaders = new Map<number, number>()
  readonly #decided = new Map<number, string>()
  readonly #reads = new Map<number, number>()
  #highest = 1
  #count = 0
  readonly counts = { elections: 0, decided: 0, reads: 0, crashes: 0, snapshots: 0, changes: 0 }

  constructor(seed: number, settings: Partial<RaftSettings>) {
    this.#random = mulberry32(seed)
    this.#settings = settings
    const configuration: Configuration = { ...NO_MEMBERS, voters: [1, 2, 3] as MemberId[] }
    const base: Snapshot = { index: 1 as LogIndex, term: 1 as Term, configuration, data: NO_DATA }
    const none: Snapshot = { index: 0 as LogIndex, term: 0 as Term, configuration: NO_MEMBERS, data: NO_DATA }
    this.#hosts = [1, 2, 3, 4, 5].map((id) => this.#host(id as MemberId, id <= 3 ? base : none))
    for (const host of this.#hosts) this.#start(host)
  }

  #host(id: MemberId, snapshot: Snapshot): Host {
    const log = new MemoryLog(snapshot)
    const { index: applied, configuration } = snapshot
    return {
      id,
      log,
      core: undefined,
      durable: NO_HARD_STATE,
      snapshot,
      applied,
      configuration,
      appends: [],
      applies: [],
      commit: applied,
    }
  }

  #start(host: Host): void {
    host.applied = host.snapshot.index
    host.configuration = host.snapshot.configuration
    host.commit = host.applied
    host.log.latestSnapshot = () => (host.snapshot.index > 0 ? host.snapshot : undefined)
    const { id, log, applied, configuration } = host
    const { hardState } = log
    host.core = new RaftCore({
      ...this.#settings,
      id,
      log,
      hardState,
      applied,
      configuration,
      fraction: this.#random,
      electionTicks: 5,
    })
  }

  run(steps: number): void {
    for (let step = 0; step < steps; step++) this.#step()
  }

  #step(): void {
    const dice = this.#random()
    if (dice < 0.5) this.#deliverOne()
    else if (dice < 0.88) this.#work(this.#anyone())
    else if (dice < 0.91) this.#anyone().core?.tick()
    else if (dice < 0.95) this.#anyone().core?.propose(new TextEncoder().encode(`p${this.#count++}`))
    else if (dice < 0.97) this.#read(this.#anyone())
    else if (dice < 0.985) this.#operate(this.#anyone())
    else if (dice < 0.99) this.#compact(this.#anyone())
    else if (dice < 0.994) this.#changeNetwork()
    else this.#crashOrStart(this.#anyone())
  }

  #anyone(): Host {
    return pick(this.#hosts, this.#random)
  }

  #deliverOne(): void {
    const place = Math.floor(this.#random() * this.#network.length)
    const message = this.#network[place]
    if (message === undefined) return
    // Some are delivered again, later; some never.
    if (this.#random() > 0.05) this.#network.splice(place, 1)
    const isCut = this.#cut.has(`${message.from}-${message.to}`)
    if (!isCut && this.#random() > 0.05) this.#hosts[message.to - 1]?.core?.step(message)
    else if (message.type === 'MsgSnap') this.#hosts[message.from - 1]?.core?.reportSnapshot(message.to, 'failed')
  }

  /** One piece of what there is to do; with asynchronous storage the log and the state machine take their time. */
  #work(host: Host): void {
    const { core } = host
    if (core === undefined) return
    const dice = this.#random()
    if (dice < 0.3 && host.appends.length > 0) this.#append(host)
    else if (dice < 0.6 && host.applies.length > 0) this.#applyNext(host)
    else if (core.hasReady()) this.#carryOut(host, core)
    this.#check(host)
  }

  #carryOut(host: Host, core: RaftCore): void {
    const ready = core.ready()
    for (const { context, index } of ready.readStates) this.#checkRead(context, index)
    if (this.#settings.asyncStorageWrites) {
      this.#network.push(...ready.messages)
      if (ready.storageAppend) host.appends.push(ready.storageAppend)
      if (ready.storageApply) host.applies.push(ready.storageApply)
      return
    }
    // One Ready in fifty is cut short by a crash, before or after the write.
    const dice = this.#random()
    if (dice > 0.01) this.#write(host, ready)
    if (dice < 0.02) {
      this.#crash(host)
      return
    }
    this.#network.push(...ready.messages)
    this.#apply(host, ready.committedEntries)
    core.advance()
  }

  #append(host: Host): void {
    const work = host.appends.shift()
    if (!work) return
    this.#write(host, work)
    this.#respond(host, work.responses)
  }

  #applyNext(host: Host): void {
    const work = host.applies.shift()
    if (!work) return
    this.#apply(host, work.entries)
    this.#respond(host, work.responses)
  }

  #respond(host: Host, responses: readonly (Message | StorageResponse)[]): void {
    for (const response of responses) {
      if (response.to === host.id) host.core?.step(response)
      else this.#network.push(response as Message)
    }
  }

  #write(
    host: Host,
    { hardState, snapshot, entries, mustSync }: Pick<Ready, 'hardState' | 'snapshot' | 'entries' | 'mustSync'>,
  ): void {
    host.log.write(hardState, snapshot, entries)
    if (snapshot) {
      this.counts.snapshots++
      host.snapshot = snapshot
      host.applied = snapshot.index
      host.configuration = snapshot.configuration
      host.log.latestSnapshot = () => host.snapshot
    }
    if (mustSync || snapshot) host.durable = host.log.hardState
  }

  #apply(host: Host, entries: readonly Entry[]): void {
    // With asynchronous storage a snapshot may have overtaken entries that waited to be applied.
    const due = this.#settings.asyncStorageWrites ? entries.filter(({ index }) => index > host.applied) : entries
    for (const entry of due) {
      demand(entry.index === host.applied + 1, `${host.id} applies ${entry.index} after ${host.applied}`)
      const content = `${entry.term}:${entry.kind}:${new TextDecoder().decode(entry.data)}`
      const decided = this.#decided.get(entry.index)
      demand(decided === undefined || decided === content, `entry ${entry.index} is ${decided} and, on ${host.id}, ${content}`)
      if (decided === undefined) this.counts.decided++
      this.#decided.set(entry.index, content)
      host.applied = entry.index
      if (!isConfChange(entry)) continue
      this.counts.changes++
      const configuration = host.core?.applyConfChange(entry)
      if (configuration) host.configuration = configuration
    }
  }

  #check(host: Host): void {
    const status = host.core?.status()
    if (!status) return
    demand(status.commit >= host.commit, `${host.id} takes back what it committed`)
    host.commit = status.commit
    this.#highest = Math.max(this.#highest, status.commit)
    if (status.role !== 'leader') return
    const leader = this.#leaders.get(status.term)
    demand(leader === undefined || leader === host.id, `${leader} and ${host.id} lead in term ${status.term}`)
    if (leader !== undefined) return
    this.#leaders.set(status.term, host.id)
    this.counts.elections++
    for (const index of this.#decided.keys()) demand(index <= status.lastIndex, `leader ${host.id} lacks entry ${index}`)
  }

  #read(host: Host): void {
    for (const other of this.#hosts) this.#check(other)
    const context = this.#count++
    if (host.core?.readIndex(context) === 'pending') this.#reads.set(context, this.#highest)
  }

  /** Linearizable: a read sees all that was committed when it was asked for. */
  #checkRead(context: number, index: LogIndex): void {
    this.counts.reads++
    const floor = this.#reads.get(context) ?? 0
    demand(index >= floor, `a read is served at ${index}, but ${floor} was committed before it`)
  }

  #operate(host: Host): void {
    const other = this.#anyone().id
    const dice = this.#random()
    if (dice < 0.5) this.#change(host)
    else if (dice < 0.7) host.core?.transferLeader(other)
    else if (dice < 0.8) host.core?.campaign()
    else if (dice < 0.9) host.core?.reportUnreachable(other)
    else host.core?.forgetLeader()
  }

  #change(host: Host): void {
    if (host.core?.status().role !== 'leader') return
    const types: MemberChangeType[] = ['add-voter', 'add-voter', 'add-learner', 'remove']
    const count = Math.floor(this.#random() * 3)
    const changes = Array.from({ length: count }, () => ({ type: pick(types, this.#random), id: this.#anyone().id }))
    const transition = pick<Transition>(['auto', 'auto', 'implicit', 'explicit'], this.#random)
    host.core.proposeConfChange({ transition: count === 0 ? 'auto' : transition, changes, context: '' })
  }

  #changeNetwork(): void {
    if (this.#random() < 0.5) {
      this.#cut.clear()
      return
    }
    const [one, rest] = [this.#anyone().id, this.#hosts.map(({ id }) => id)]
    for (const other of rest) {
      if (this.#random() < 0.7) this.#cut.add(`${one}-${other}`)
      if (this.#random() < 0.7) this.#cut.add(`${other}-${one}`)
    }
  }

  /** Takes a snapshot of what is applied and forgets some of what is before it. */
  #compact(host: Host): void {
    const { log, applied: index, configuration } = host
    const term = log.term(index)
    if (term === undefined || index <= host.snapshot.index || index > log.lastIndex()) return
    host.snapshot = { index, term, configuration, data: NO_DATA }
    const upTo = log.firstIndex() - 1 + Math.floor(this.#random() * (index - log.firstIndex() + 2))
    log.compact(upTo as LogIndex)
  }

  #crashOrStart(host: Host): void {
    if (!host.core) this.#start(host)
    else if (this.#random() < 0.4) this.#crash(host)
  }

  #crash(host: Host): void {
    this.counts.crashes++
    host.core = undefined
    host.appends = []
    host.applies = []
    if (this.#random() < 0.5) host.log.hardState = host.durable
  }

  /** All faults end. Whether the group then decides something new, on every member, within a time in which it has to. */
  recovers(): boolean {
    this.#cut.clear()
    this.#network = []
    for (const host of this.#hosts) if (!host.core) this.#start(host)
    let proposed = -1
    for (let round = 0; round < 400; round++) {
      for (const host of this.#hosts) this.#drain(host)
      const messages = this.#network
      this.#network = []
      for (const message of messages) this.#hosts[message.to - 1]?.core?.step(message)
      if (messages.length === 0) for (const host of this.#hosts) this.#tickAndReport(host)
      const leader = this.#leader()
      if (proposed < 0 && round > 100) proposed = this.#proposeAnew(leader)
      if (proposed >= 0 && this.#everyoneHas(leader, proposed)) return true
    }
    return false
  }

  #drain(host: Host): void {
    for (let busy = true; busy; ) {
      busy = host.core?.hasReady() === true || host.appends.length > 0 || host.applies.length > 0
      if (host.appends.length > 0) this.#append(host)
      else if (host.applies.length > 0) this.#applyNext(host)
      else if (busy) this.#carryOutSurely(host)
      this.#check(host)
    }
  }

  #carryOutSurely(host: Host): void {
    if (!host.core) this.#start(host)
    if (host.core) this.#carryOut(host, host.core)
    if (!host.core) this.#start(host)
  }

  #tickAndReport(host: Host): void {
    host.core?.tick()
    for (const { id, state } of host.core?.status().progress ?? [])
      if (state === 'snapshot') host.core?.reportSnapshot(id, 'failed')
  }

  #leader(): Host | undefined {
    const term = (host: Host): number => host.core?.status().term ?? 0
    return this.#hosts.filter(({ core }) => core?.status().role === 'leader').sort((a, b) => term(b) - term(a))[0]
  }

  #proposeAnew(leader: Host | undefined): number {
    const proposed = leader?.core?.propose(new TextEncoder().encode('last'))
    return proposed?.outcome === 'appended' ? proposed.index : -1
  }

  #everyoneHas(leader: Host | undefined, index: number): boolean {
    if (!leader) return false
    return membersOf(leader.configuration).every((id) => (this.#hosts[id - 1]?.applied ?? 0) >= index)
  }
}

function demand(holds: boolean, problem: string): asserts holds {
  if (!holds) throw new Error(problem)
}

const pick = <T>(values: readonly T[], random: () => number): T => values[Math.floor(random() * values.length)] as T

/** Tommy Ettinger's mulberry32: small, and good enough to explore with. */
function mulberry32(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}
