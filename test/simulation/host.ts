import type { MemberId } from '../../lib/raft/core/entry.ts'
import type { RaftNode } from '../../lib/raft/node/node.ts'
import { openNode } from '../../lib/raft/node/open.ts'
import type { NodeOptions } from '../../lib/raft/node/options.ts'
import type { PeerMessage, StateMachine } from '../../lib/raft/node/ports.ts'
import { Chance } from './chance.ts'
import { type CrashKind, SimulatedDisk } from './disk.ts'
import { SimulatedMachine } from './machine.ts'
import { type Profile, TICK_MS } from './profile.ts'
import type { Scheduler } from './scheduler.ts'

export interface HostWorld {
  readonly seed: number
  readonly profile: Profile
  readonly scheduler: Scheduler
  readonly founders: readonly MemberId[]
  readonly send: (host: Host, message: PeerMessage) => void
  readonly opened: (host: Host) => void
  /** Its process ended by itself, or did not start. */
  readonly died: (host: Host, error: unknown) => void
  readonly stepped: (host: Host) => void
  /** Of the program that it is started with. */
  readonly release: (id: MemberId) => number
  readonly options: (host: Host) => Pick<NodeOptions, 'observer'>
}

/** A machine with a disk; now and then a member runs on it. */
export class Host {
  readonly id: MemberId
  readonly #world: HostWorld
  readonly #chance: Chance
  #start: 'found' | 'join' | 'resume'
  #life = 0
  /** A crash ends a life: whatever was under way in it is forgotten. */
  disk: SimulatedDisk
  machine = new SimulatedMachine()
  node: RaftNode | undefined
  isUp = false
  isDamaged = false
  wasFlipped = false
  release = 1
  pausedUntil = 0
  /** Of the disk. */
  slowness = 1
  /** By which each turn is late. */
  busyMs = 0
  #clockOrigin = 0
  #clockRate = 1
  wallJump = 0

  constructor(world: HostWorld, id: MemberId, start: 'found' | 'join') {
    this.#world = world
    this.id = id
    this.#start = start
    this.#chance = new Chance(world.seed, `host ${id}`)
    this.disk = new SimulatedDisk(this.#diskOptions())
  }

  #diskOptions(): { seed: number; turn: () => Promise<void> } {
    return { seed: 0, turn: () => this.#diskTurn() }
  }

  #diskTurn(): Promise<void> {
    const ms = this.#world.profile.diskMs * (0.5 + this.#chance.fraction()) * this.slowness
    return new Promise((resolve) => this.#later(ms, resolve))
  }

  /** In this life only, and not while the process is stopped: the system keeps what arrives until then. */
  #later(ms: number, run: () => void): void {
    const life = this.#life
    const attempt = (): void => {
      const { scheduler } = this.#world
      if (life !== this.#life) return
      if (scheduler.now < this.pausedUntil) scheduler.after(this.pausedUntil - scheduler.now, attempt)
      else {
        run()
        this.#world.stepped(this)
      }
    }
    this.#world.scheduler.after(ms, attempt)
  }

  start(): void {
    if (this.isUp || this.isDamaged) return
    this.isUp = true
    this.#life++
    const life = this.#life
    this.release = this.#world.release(this.id)
    this.machine = new SimulatedMachine(this.release)
    this.#clockOrigin = this.#world.scheduler.now - this.#chance.below(1_000_000)
    // A clock that is slow makes leases long, never short.
    this.#clockRate = this.#chance.happens(0.5) ? 1 : this.#chance.between(0.97, 1)
    const isCurrent = (): boolean => life === this.#life
    openNode(this.#options(isCurrent)).then(
      (node) => {
        if (!isCurrent()) return
        this.node = node
        this.#start = 'resume'
        node.onFailure = (error) => isCurrent() && this.#world.died(this, error)
        this.#world.opened(this)
      },
      (error: unknown) => {
        if (isCurrent()) this.#world.died(this, error)
      },
    )
  }

  #options(isCurrent: () => boolean): NodeOptions {
    const { profile, scheduler, founders, send } = this.#world
    const { snapshotEntries, keepEntries, maxApplyPerTurn, maxSessions, sliceBytes, patienceTicks, turnMs } = profile
    const { electionTicks, maxMessageBytes, maxInflightMessages } = profile
    return {
      clusterId: 'simulation',
      id: this.id,
      start: this.#start,
      founders,
      disk: this.disk,
      machine: this.#slowly(this.machine),
      network: { send: (message) => isCurrent() && send(this, message) },
      loop: {
        soon: (work) => this.#later(turnMs + this.busyMs, work),
        every: (ms, work) => this.#every(ms, work),
      },
      clock: { monotonic: () => (scheduler.now - this.#clockOrigin) * this.#clockRate },
      random: this.#chance,
      raft: { electionTicks, maxMessageBytes, maxInflightMessages, maxInflightBytes: 8000, maxApplyingBytes: 3000 },
      log: { segmentBytes: 8192, sliceBytes },
      tickMs: TICK_MS,
      version: this.release,
      maxPendingCommands: 20,
      maxBatchBytes: 600,
      patienceTicks,
      maxTimeStepMs: 50,
      partTicks: 3,
      partAttempts: 6,
      snapshotEntries,
      keepEntries,
      maxApplyPerTurn,
      sessions: { maxSessions, maxAhead: 8 },
      ...this.#world.options(this),
    }
  }

  /** A large state takes its time: other things happen before it is there. */
  #slowly(machine: SimulatedMachine): StateMachine {
    const { restoreMs } = this.#world.profile
    const pause = (): Promise<void> => new Promise((resolve) => this.#later(restoreMs, resolve))
    async function* slowed(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
      for await (const piece of pieces) {
        if (restoreMs > 0) await pause()
        yield piece
      }
    }
    return {
      advanceTo: (timeMs) => machine.advanceTo(timeMs),
      dueAtMs: () => machine.dueAtMs(),
      apply: (command, moment) => machine.apply(command, moment),
      snapshot: () => machine.snapshot(),
      restore: (pieces) => machine.restore(slowed(pieces)),
    }
  }

  #every(ms: number, work: () => void): () => void {
    let ended = false
    const again = (): void => {
      if (ended) return
      work()
      this.#later(ms, again)
    }
    this.#later(ms * this.#chance.fraction(), again)
    return () => {
      ended = true
    }
  }

  receive(message: PeerMessage): void {
    const { node } = this
    if (!node || !this.isUp) return
    if (this.#world.scheduler.now < this.pausedUntil) this.call((later) => later.receive(message))
    else {
      node.receive(message)
      this.#world.stepped(this)
    }
  }

  /** Something arrives from outside. False if nobody is there. */
  call(act: (node: RaftNode) => void): boolean {
    if (!this.node || !this.isUp) return false
    this.#later(0, () => this.node && act(this.node))
    return true
  }

  crash(kind: CrashKind): void {
    if (!this.isUp) return
    this.isUp = false
    this.#life++
    this.node = undefined
    this.pausedUntil = 0
    const { capacityBytes } = this.disk
    this.disk = this.disk.crash(kind, this.#chance.below(2 ** 31), this.#diskOptions())
    this.disk.capacityBytes = capacityBytes
  }

  /** One bit of what is on the disk turns over while nobody looks. */
  flip(): void {
    const names = this.disk.names().filter((name) => this.disk.content(name).length > 0)
    if (names.length === 0 || this.isUp) return
    const name = this.#chance.pick(names)
    this.disk.flip(name, this.#chance.below(this.disk.content(name).length * 8))
    this.wasFlipped = true
  }

  get usedBytes(): number {
    return this.disk.names().reduce((sum, name) => sum + this.disk.content(name).length, 0)
  }
}
