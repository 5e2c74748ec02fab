import type { LogIndex, MemberId } from '../../../lib/raft/core/entry.ts'
import { readWhole } from '../../../lib/raft/log/bytes.ts'
import type { RaftNode } from '../../../lib/raft/node/node.ts'
import { openNode } from '../../../lib/raft/node/open.ts'
import type { NodeSettings } from '../../../lib/raft/node/options.ts'
import type { CommandOutcome, ReadOutcome } from '../../../lib/raft/node/outcome.ts'
import type { PeerMessage } from '../../../lib/raft/node/ports.ts'
import { SimulatedDisk } from '../../simulation/disk.ts'
import { clone } from '../../simulation/network.ts'
import { Scheduler } from '../../simulation/scheduler.ts'
import { NotedMachine } from './noted-machine.ts'
import { bytes, text } from './text.ts'

const TICK_MS = 10
const DISK_MS = 2
const NETWORK_MS = 1

/** One member and the machine that it runs on. */
interface Member {
  readonly id: MemberId
  disk: SimulatedDisk
  machine: NotedMachine
  node: RaftNode | undefined
  failure: unknown
  life: number
  pausedUntil: number
}

/** What became of something that was asked for; `undefined` until it is known. */
export interface Asked<Outcome> {
  outcome: Outcome | undefined
}

/** Whole members over simulated disks, in virtual time and without chance; a journal of what happens, in order. */
export class Cluster {
  readonly scheduler: Scheduler = new Scheduler()
  readonly journal: string[] = []
  readonly sent: PeerMessage[] = []
  readonly #members = new Map<number, Member>()
  readonly #settings: Partial<NodeSettings>
  readonly #founders: readonly MemberId[]
  readonly #cuts = new Set<string>()

  private constructor(voters: number, settings: Partial<NodeSettings>) {
    this.#settings = settings
    this.#founders = Array.from({ length: voters }, (_, place) => (place + 1) as MemberId)
  }

  static async found(voters: number, settings: Partial<NodeSettings> = {}): Promise<Cluster> {
    const cluster = new Cluster(voters, settings)
    for (const id of cluster.#founders) cluster.start(id, { start: 'found' })
    return cluster
  }

  member(id: number): Member {
    const member = this.#members.get(id)
    if (!member) throw new Error(`no member ${id}`)
    return member
  }

  node(id: number): RaftNode {
    const { node, failure } = this.member(id)
    if (!node) throw new Error(`member ${id} is not there: ${String(failure)}`)
    return node
  }

  machine(id: number): NotedMachine {
    return this.member(id).machine
  }

  /** Its process starts, with what is on its disk. */
  start(id: number, { start = 'resume', version = 1 }: { start?: 'found' | 'join' | 'resume'; version?: number } = {}): void {
    const turn = (): Promise<void> => new Promise((resolve) => this.#later(member, DISK_MS, resolve))
    const before = this.#members.get(id)
    const disk = before?.disk.crash('power', id, { turn }) ?? new SimulatedDisk({ turn })
    const machine = new NotedMachine()
    const life = (before?.life ?? 0) + 1
    const member: Member = { id: id as MemberId, disk, machine, node: undefined, failure: undefined, life, pausedUntil: 0 }
    this.#members.set(id, member)
    this.#watchWrites(member)
    const origin = this.scheduler.now - 1000 * id
    openNode({
      ...this.#settings,
      clusterId: 'tests',
      id: member.id,
      start,
      founders: this.#founders,
      disk,
      machine,
      version,
      network: { send: (message) => this.#send(member, message) },
      loop: { soon: (work) => this.#later(member, 0, work), every: (ms, work) => this.#every(member, ms, work) },
      clock: { monotonic: () => this.scheduler.now - origin },
      // Member 1 stands first, then 2, and so on.
      random: { fraction: () => (id - 1) / 10 },
      tickMs: TICK_MS,
      log: { segmentBytes: 32 * 1024 },
      observer: { applied: ({ index }) => this.journal.push(`${id} applies ${index}`) },
    }).then(
      (node) => {
        member.node = node
        node.onFailure = (error) => {
          member.failure = error
          member.node = undefined
        }
      },
      (error: unknown) => {
        member.failure = error
      },
    )
  }

  #watchWrites({ id, disk }: Member): void {
    const open = disk.open.bind(disk)
    const create = disk.create.bind(disk)
    const watched = (opening: typeof open) => async (name: string) => {
      const file = await opening(name)
      const writeDurably = async (offset: number, data: Uint8Array): Promise<void> => {
        await file.writeDurably(offset, data)
        this.journal.push(`${id} wrote`)
      }
      return { ...file, writeDurably }
    }
    disk.open = watched(open)
    disk.create = watched(create)
  }

  /** In this life of the process only, and not while it is stopped. */
  #later(member: Member, ms: number, run: () => void): void {
    this.scheduler.after(ms, () => {
      if (this.#members.get(member.id) !== member) return
      const { pausedUntil } = member
      if (this.scheduler.now < pausedUntil) this.#later(member, pausedUntil - this.scheduler.now, run)
      else run()
    })
  }

  #every(member: Member, ms: number, work: () => void): () => void {
    let ended = false
    const again = (): void => {
      if (ended) return
      work()
      this.#later(member, ms, again)
    }
    this.#later(member, ms, again)
    return () => {
      ended = true
    }
  }

  #send(from: Member, message: PeerMessage): void {
    this.journal.push(`${message.from} sends ${message.type} to ${message.to}`)
    const copy = clone(message)
    this.sent.push(copy)
    this.#later(from, NETWORK_MS, () => {
      const to = this.#members.get(message.to)
      if (!this.#cuts.has(`${message.from}-${message.to}`) && to?.node) this.#later(to, 0, () => to.node?.receive(copy))
    })
  }

  isolate(id: number): void {
    for (const other of this.#members.keys()) {
      this.#cuts.add(`${id}-${other}`)
      this.#cuts.add(`${other}-${id}`)
    }
  }

  heal(): void {
    this.#cuts.clear()
  }

  /** Its process is stopped, as by SIGSTOP, and goes on later as if nothing had happened. */
  pause(id: number, ms: number): void {
    this.member(id).pausedUntil = this.scheduler.now + ms
  }

  async run(ms: number): Promise<void> {
    const end = this.scheduler.now + ms
    await this.scheduler.run(() => this.scheduler.next > end)
    this.scheduler.now = end
  }

  /** Within ten seconds. */
  async until(what: string, holds: () => boolean): Promise<void> {
    const end = this.scheduler.now + 10_000
    let isSo = false
    await this.scheduler.run(() => {
      isSo = holds()
      return isSo || this.scheduler.next > end
    })
    if (!isSo) throw new Error(`It did not come to pass within ten seconds: ${what}`)
  }

  /** Who leads, of those who are `among` (all by default). */
  async leader(among: readonly number[] = [...this.#members.keys()]): Promise<number> {
    const lead = (): number | undefined => among.find((id) => this.member(id).node?.status().role === 'leader')
    await this.until('a leader', () => lead() !== undefined)
    return lead() as number
  }

  submit(id: number, session: number, command: { readonly sequence: number; readonly name: string }): Asked<CommandOutcome> {
    const { sequence, name } = command
    const asked: Asked<CommandOutcome> = { outcome: undefined }
    this.node(id).submit({ session, sequence, acknowledged: sequence - 1, payload: bytes(name) }, (outcome) => {
      asked.outcome = outcome
      this.journal.push(`${id} answers ${name}`)
    })
    return asked
  }

  read(id: number): Asked<ReadOutcome> {
    const asked: Asked<ReadOutcome> = { outcome: undefined }
    this.node(id).read((outcome) => {
      asked.outcome = outcome
    })
    return asked
  }

  async open(id: number): Promise<number> {
    let session: number | undefined
    this.node(id).openSession((outcome) => {
      if (outcome.outcome === 'executed') session = readWhole(Buffer.from(outcome.reply), 0)
    })
    await this.until('a session', () => session !== undefined)
    return session as number
  }

  /** The reply of a command that is executed in the end. */
  async execute(id: number, session: number, command: { readonly sequence: number; readonly name: string }): Promise<string> {
    const asked = this.submit(id, session, command)
    await this.until(`an answer to ${command.name}`, () => asked.outcome !== undefined)
    const { outcome } = asked
    return outcome?.outcome === 'executed' ? text(outcome.reply) : `${outcome?.outcome}`
  }

  appliedBy(id: number): LogIndex {
    return this.node(id).applied.index
  }
}
