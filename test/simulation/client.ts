import { readWhole } from '../../lib/raft/log/bytes.ts'
import type { RaftNode } from '../../lib/raft/node/node.ts'
import type { CommandOutcome } from '../../lib/raft/node/outcome.ts'
import type { Chance } from './chance.ts'
import type { Host } from './host.ts'
import type { Leases } from './leases.ts'
import type { HistoryOperation } from './linearizability.ts'
import type { Operation, Reply } from './machine.ts'
import type { Action } from './models.ts'
import type { Scheduler } from './scheduler.ts'
import { demand } from './violation.ts'

export interface ClientWorld {
  readonly scheduler: Scheduler
  readonly leases: Leases
  readonly hosts: () => readonly Host[]
  /** Of a message between client and member; `undefined` for one that is lost. */
  readonly delay: () => number | undefined
  /** How often a request arrives a second time, much later. */
  readonly ghosts: () => number
  readonly record: (key: string, operation: HistoryOperation<Action>) => void
  readonly log: (line: string) => void
}

export interface Held {
  readonly key: string
  readonly owner: string
  readonly fence: number
}

/** An attempt at an operation that this client believes to run. */
export interface Attempt extends Held {
  /** It may have been told to complete before: nobody knows. */
  readonly resent: boolean
}

const PATIENCE_MS = 120
/** Long enough for the answer of a leader that was stopped, and does not know yet that there is another. */
const READ_PATIENCE_MS = 700
export const LEASE_MS = 150
/** Of results: short enough for some to be forgotten within a run. */
export const RETAIN_MS = 400

/** What the client asks for: a number of its session, or a new session. */
interface Request {
  readonly session: number
  readonly sequence: number
  readonly payload: Uint8Array
}

type Ended = CommandOutcome | { readonly outcome: 'failed' }

/** One client, that does one thing at a time and asks again when nobody answers. */
export class Client {
  readonly #name: string
  readonly #world: ClientWorld
  readonly #chance: Chance
  #session = 0
  #sequence = 0
  #owners = 0
  #target: number
  held: Held | undefined
  attempt: Attempt | undefined
  /** What it waits for. */
  #pending: { readonly operation: Operation; readonly start: number } | undefined
  maxAttempts = 6

  constructor(world: ClientWorld, name: string, chance: Chance) {
    this.#world = world
    this.#name = name
    this.#chance = chance
    this.#target = chance.below(100)
  }

  newOwner(): string {
    return `${this.#name}.${this.#owners++}`
  }

  /** Calls `done` with what it heard, or nothing if nobody knows. */
  execute(operation: Operation, done: (reply: Reply | undefined) => void): void {
    if (this.#session === 0) {
      this.#open((opened) => (opened ? this.execute(operation, done) : done(undefined)))
      return
    }
    const { now: start } = this.#world.scheduler
    this.#sequence++
    this.#pending = { operation, start }
    const payload = new TextEncoder().encode(JSON.stringify(operation))
    this.#ask({ session: this.#session, sequence: this.#sequence, payload }, (ended) =>
      this.#ended(operation, { start, ended, done }),
    )
  }

  /** The world ends: of what it still waits for, nobody knows. */
  end(): void {
    if (!this.#pending) return
    const { operation, start } = this.#pending
    this.#world.record(operation.key, {
      action: { type: 'command', operation, reply: undefined },
      start,
      end: Number.POSITIVE_INFINITY,
    })
  }

  #open(done: (opened: boolean) => void): void {
    this.#ask({ session: 0, sequence: 0, payload: new Uint8Array(0) }, (ended) => {
      if (ended.outcome === 'executed') {
        this.#session = readWhole(Buffer.from(ended.reply), 0)
        this.#sequence = 0
      }
      done(ended.outcome === 'executed')
    })
  }

  #ended(
    operation: Operation,
    { start, ended, done }: { start: number; ended: Ended; done: (reply: Reply | undefined) => void },
  ): void {
    const { outcome } = ended
    this.#pending = undefined
    demand(
      outcome !== 'answered' && outcome !== 'too-far-ahead',
      () => `${this.#name} is told "${outcome}" of its latest command`,
    )
    if (outcome === 'session-unknown') this.#session = 0
    const reply = ended.outcome === 'executed' ? (JSON.parse(new TextDecoder().decode(ended.reply)) as Reply) : undefined
    const { now } = this.#world.scheduler
    const end = reply ? now : Number.POSITIVE_INFINITY
    if (outcome !== 'failed') this.#world.record(operation.key, { action: { type: 'command', operation, reply }, start, end })
    this.#world.log(`${this.#name} ${operation.type} ${operation.key}: ${reply ? JSON.stringify(reply) : outcome}`)
    if (reply) this.#believe(operation, reply, start)
    done(reply)
  }

  #believe(operation: Operation, reply: Reply, start: number): void {
    const { leases, scheduler } = this.#world
    if (operation.type === 'acquire' && reply.type === 'acquired') {
      const { key, owner, leaseMs } = operation
      const grant = { key, owner, fence: reply.fence, asked: start, since: scheduler.now, until: start + leaseMs }
      const problem = leases.granted(grant, scheduler.now)
      demand(problem === undefined, () => problem ?? '')
      this.held = { key, owner, fence: reply.fence }
    }
    const isLonger = reply.type === 'renewed' || reply.type === 'extended'
    if (isLonger && (operation.type === 'renew' || operation.type === 'extend'))
      leases.renewed(operation.key, operation.owner, start + operation.leaseMs)
  }

  /** Until an answer says what became of it, or patience ends. */
  #ask(request: Request, done: (ended: Ended) => void): void {
    let attempts = 0
    let uncertain = false
    let isOver = false
    const end = (ended: Ended): void => {
      isOver = true
      done(ended)
    }
    const attempt = (): void => {
      if (attempts >= this.maxAttempts) {
        end({ outcome: uncertain ? 'unknown' : 'failed' })
        return
      }
      const number = ++attempts
      const hear = (outcome: CommandOutcome): void => {
        if (isOver) return
        if (outcome.outcome === 'executed') end(outcome)
        else if (outcome.outcome === 'session-unknown') end(uncertain || number > 1 ? outcome : { outcome: 'failed' })
        else if (outcome.outcome === 'unknown') uncertain = true
        else if (outcome.outcome === 'not-executed') {
          this.#follow(outcome.lead)
          if (number === attempts)
            this.#world.scheduler.after(5 + this.#chance.below(30), () => !isOver && number === attempts && attempt())
        } else end(outcome)
        if (outcome.outcome === 'session-unknown') this.#session = 0
      }
      if (this.#submit(request, hear)) uncertain = true
      this.#world.scheduler.after(PATIENCE_MS, () => {
        if (isOver || number !== attempts) return
        uncertain = true
        this.#target = this.#chance.below(100)
        attempt()
      })
    }
    attempt()
  }

  #follow(lead: number): void {
    const place = this.#world.hosts().findIndex(({ id }) => id === lead)
    this.#target = place >= 0 ? place : this.#chance.below(100)
  }

  /** True if it will arrive again, later. */
  #submit(request: Request, hear: (outcome: CommandOutcome) => void): boolean {
    const { delay, ghosts } = this.#world
    const command = { ...request, acknowledged: Math.max(0, request.sequence - 1) }
    this.#deliver(delay(), (node) =>
      node.submit(command, (outcome) => {
        const back = delay()
        if (back !== undefined) this.#world.scheduler.after(back, () => hear(outcome))
      }),
    )
    if (!this.#chance.happens(ghosts())) return false
    this.#target = this.#chance.below(100)
    this.#deliver(this.#chance.fraction() ** 2 * 600, (node) => node.submit(command, () => undefined))
    return true
  }

  #deliver(ms: number | undefined, act: (node: RaftNode) => void): void {
    const hosts = this.#world.hosts()
    const host = hosts[this.#target % hosts.length]
    if (ms !== undefined) this.#world.scheduler.after(ms, () => host?.call(act))
  }

  read(key: string, done: (isRead: boolean) => void): void {
    const { scheduler, delay, hosts, record, log } = this.#world
    const { now: start } = scheduler
    const host = this.#chance.happens(0.3) ? this.#chance.pick(hosts()) : hosts()[this.#target % hosts().length]
    let isOver = false
    const end = (isRead: boolean): void => {
      if (isOver) return
      isOver = true
      done(isRead)
    }
    const act = (node: RaftNode): void =>
      node.read((outcome) => {
        const back = delay()
        if (back === undefined) return
        if (outcome.outcome !== 'ready') {
          this.#follow(outcome.lead)
          scheduler.after(back, () => end(false))
          return
        }
        const seen = (host as Host).machine.look(key)
        scheduler.after(back, () => {
          if (isOver) return
          record(key, { action: { type: 'read', seen }, start, end: scheduler.now })
          log(`${this.#name} reads ${key}: ${JSON.stringify(seen)}`)
          end(true)
        })
      })
    const there = delay()
    if (there !== undefined) scheduler.after(there, () => host?.call(act))
    scheduler.after(READ_PATIENCE_MS, () => {
      if (!isOver) this.#target = this.#chance.below(100)
      end(false)
    })
  }
}
