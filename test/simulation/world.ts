import type { MemberId } from '../../lib/raft/core/entry.ts'
import { isLogFailure } from '../../lib/raft/log/failure.ts'
import type { PeerMessage } from '../../lib/raft/node/ports.ts'
import { VersionUnknown } from '../../lib/raft/node/versions.ts'
import { Chance, mix } from './chance.ts'
import { Client, LEASE_MS } from './client.ts'
import { Habits } from './habits.ts'
import { Host } from './host.ts'
import { Invariants } from './invariants.ts'
import { Leases } from './leases.ts'
import type { HistoryOperation } from './linearizability.ts'
import { type Action, checkKey } from './models.ts'
import { SimulatedNetwork } from './network.ts'
import { Observers } from './observers.ts'
import { Operator } from './operator.ts'
import { type Fault, faultsOf, type Profile, profileOf, SETTLE_MS } from './profile.ts'
import { NEW, Releases } from './releases.ts'
import { Scheduler } from './scheduler.ts'
import { demand, Violation } from './violation.ts'

export interface WorldOptions {
  readonly seed: number
  /** Which of the seed's faults happen, by their places; all by default. */
  readonly keep?: readonly number[] | undefined
  /** When the faults and the clients stop; as the seed says by default. */
  readonly horizonMs?: number | undefined
  /** Keep what happened, line by line. */
  readonly trace?: boolean | undefined
}

export interface WorldReport {
  readonly seed: number
  readonly problem: string | undefined
  readonly events: number
  /** Of everything that happened, in order. */
  readonly digest: number
  readonly lines: readonly string[]
  readonly faults: readonly Fault[]
  readonly horizonMs: number
  readonly counts: Readonly<Record<string, number>>
}

/** The whole cluster, its clients and all that goes wrong, drawn from one seed: the same seed, the same run, to the byte. */
export async function runWorld(options: WorldOptions): Promise<WorldReport> {
  const world = new World(options)
  return await world.run()
}

export class World {
  readonly seed: number
  readonly profile: Profile
  readonly scheduler: Scheduler = new Scheduler()
  readonly hosts: Host[] = []
  readonly network: SimulatedNetwork
  readonly invariants: Invariants
  readonly faults: readonly Fault[]
  readonly counts: Record<string, number> = {}
  readonly #chance: Chance
  readonly #clients: readonly Client[]
  readonly #operator: Operator
  readonly #observers: Observers
  readonly #habits: Habits
  readonly #releases: Releases
  readonly #leases = new Leases()
  readonly #histories = new Map<string, HistoryOperation<Action>[]>()
  readonly #founders: readonly MemberId[]
  readonly #lines: string[] = []
  readonly #traces: boolean
  #digest = 0
  #problem: Violation | undefined
  /** Since the last look. */
  readonly #stepped = new Set<Host>()
  isCalm = false

  constructor({ seed, keep, horizonMs, trace }: WorldOptions) {
    this.seed = seed
    const profile = profileOf(seed)
    this.profile = { ...profile, horizonMs: horizonMs ?? profile.horizonMs }
    this.faults = faultsOf(seed, profile).filter((_, place) => keep?.includes(place) ?? true)
    this.#traces = trace ?? false
    this.#chance = new Chance(seed, 'world')
    const deliver = (message: PeerMessage): void => this.#deliver(message)
    this.network = new SimulatedNetwork({
      scheduler: this.scheduler,
      chance: new Chance(seed, 'network'),
      profile: this.profile,
      deliver,
    })
    this.#founders = Array.from({ length: profile.founders }, (_, place) => (place + 1) as MemberId)
    this.invariants = new Invariants(this.#founders)
    this.#clients = Array.from({ length: profile.clients }, (_, place) => this.#client(`client${place}`))
    this.#operator = new Operator(this, new Chance(seed, 'operator'))
    this.#observers = new Observers({
      scheduler: this.scheduler,
      chance: new Chance(seed, 'observers'),
      invariants: this.invariants,
      probeMs: profile.probeMs,
      hosts: () => this.hosts,
      leader: () => this.leader(),
      isCalm: () => this.isCalm,
      guard: (work) => this.#guard(work),
    })
    this.#releases = new Releases(new Chance(seed, 'releases'))
    const { scheduler } = this
    this.#habits = new Habits({ scheduler, chance: this.#chance, profile: this.profile, leases: this.#leases })
  }

  #client(name: string): Client {
    return new Client(
      {
        scheduler: this.scheduler,
        leases: this.#leases,
        hosts: () => this.hosts,
        delay: () => (!this.isCalm && this.#chance.happens(this.profile.loss) ? undefined : this.network.delay()),
        ghosts: () => (this.isCalm ? 0 : this.profile.repeats),
        record: (key, operation) => {
          const history = this.#histories.get(key) ?? []
          this.#histories.set(key, history)
          history.push(operation)
        },
        log: (line) => this.log(line),
      },
      name,
      new Chance(this.seed, name),
    )
  }

  log(line: string): void {
    const text = `${this.scheduler.now.toFixed(3)} ${line}`
    this.#digest = mix(this.#digest, text)
    if (this.#traces) this.#lines.push(text)
  }

  count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1
  }

  addHost(start: 'found' | 'join'): Host {
    const host = new Host(
      {
        seed: this.seed,
        profile: this.profile,
        scheduler: this.scheduler,
        founders: this.#founders,
        send: (from, message) => this.#guard(() => this.#send(from, message)),
        opened: (opened) => this.#guard(() => this.#opened(opened)),
        died: (dead, error) => this.#guard(() => this.#died(dead, error)),
        stepped: (stepped) => this.#stepped.add(stepped),
        release: (id) => this.#releases.start(id),
        options: (own) => ({
          observer: {
            applied: (entry) => this.#guard(() => this.invariants.applied(own.id, entry, stateOf(own))),
            restored: () => this.#guard(() => this.#restored(own)),
            snapshotTaken: () => this.count('snapshots taken'),
            full: () => this.count('full disks'),
          },
        }),
      },
      (this.hosts.length + 1) as MemberId,
      start,
    )
    this.hosts.push(host)
    host.start()
    return host
  }

  #restored(host: Host): void {
    this.count('snapshots installed')
    if (host.node) this.invariants.restored(host.id, host.node.applied, stateOf(host))
  }

  /** The first thing that is wrong ends the run; what is thrown into the node's own code must not change its course. */
  #guard(work: () => void): void {
    if (this.#problem) return
    try {
      work()
    } catch (error) {
      this.#problem = error instanceof Violation ? error : new Violation(`it breaks: ${(error as Error).stack ?? String(error)}`)
    }
  }

  #send(from: Host, message: PeerMessage): void {
    this.invariants.sent(message, from.node?.durable)
    this.network.send(message)
  }

  #deliver(message: PeerMessage): void {
    this.log(`${message.from} > ${message.to} ${message.type} ${'term' in message ? message.term : message.taken}`)
    this.hosts[message.to - 1]?.receive(message)
  }

  #opened(host: Host): void {
    this.log(`member ${host.id} starts`)
    const { node } = host
    if (!node) return
    const { term, vote, commit } = node.status()
    this.invariants.restarted(host.id, node.durable, { term, vote, commit })
    const at = node.applied
    if (at.index > 0) this.invariants.restored(host.id, at, stateOf(host))
    this.#check(host)
    this.#observers.started(host)
  }

  #died(host: Host, error: unknown): void {
    this.log(`member ${host.id} ends: ${String(error)}`)
    const isDamage = isLogFailure(error, 'LOG_DAMAGED') && host.wasFlipped
    const isExpected =
      this.#isTooOld(host, error) || isDamage || isLogFailure(error, 'LOG_DEAD') || isLogFailure(error, 'LOG_FULL')
    demand(isExpected, () => `member ${host.id} stops: ${error instanceof Error ? error.stack : String(error)}`)
    this.count(error instanceof VersionUnknown ? 'refused releases' : isDamage ? 'damaged disks' : 'dead disks')
    host.isDamaged ||= isDamage
    if (host.node) this.invariants.follow(host.id, host.node.durable)
    host.crash(this.#chance.happens(0.5) ? 'process' : 'power')
    this.scheduler.after(20 + this.#chance.below(100), () => host.start())
  }

  /** Only who was not there when the others switched, or is another program since, may meet what it does not know. */
  #isTooOld({ id, release }: Host, error: unknown): boolean {
    if (!(error instanceof VersionUnknown) || error.needed <= release) return false
    this.#releases.upgrade(id)
    return this.#releases.wasDowngraded(id) || this.profile.changes || id > this.profile.founders
  }

  #check(host: Host): void {
    const { node } = host
    if (!node || node.failure !== undefined) return
    const status = node.status()
    this.invariants.check(status, node.durable, node.applied)
    this.#observers.stepped(status)
  }

  async run(): Promise<WorldReport> {
    for (const _ of this.#founders) this.addHost('found')
    for (const fault of this.faults)
      this.scheduler.after(fault.at, () => this.#guard(() => this.isCalm || this.#operator.act(fault)))
    for (const client of this.#clients) this.scheduler.after(50 + this.#chance.below(60), () => this.#habits.live(client))
    this.#observers.begin()
    await this.#until(this.profile.horizonMs, () => false)
    if (!this.#problem) await this.#settle()
    for (const client of this.#clients) client.end()
    if (!this.#problem) this.#guard(() => this.#checkHistories())
    const { seed, faults } = this
    const counts = { ...this.counts, elections: this.invariants.elections, decided: this.invariants.highestApplied }
    const { horizonMs } = this.profile
    return {
      seed,
      problem: this.#problem?.message,
      events: this.scheduler.ran,
      digest: this.#digest,
      lines: this.#lines,
      faults,
      horizonMs,
      counts,
    }
  }

  async #until(ms: number, isDone: () => boolean): Promise<boolean> {
    let isEnded = false
    const isOver = (): boolean => {
      for (const host of this.#stepped) this.#guard(() => this.#check(host))
      this.#stepped.clear()
      isEnded = isDone()
      return isEnded || this.#problem !== undefined || this.scheduler.next > ms
    }
    try {
      await this.scheduler.run(isOver)
    } catch (error) {
      this.#guard(() => {
        throw error
      })
    }
    return isEnded && this.#problem === undefined
  }

  /** Faults off: within a time in which it has to, the group leads, agrees, serves, and lets go of what nobody renews. */
  async #settle(): Promise<void> {
    this.isCalm = true
    this.network.heal()
    this.#operator.calm()
    this.#upgrade()
    const end = this.scheduler.now + SETTLE_MS
    const converged = await this.#until(
      end,
      this.#nowAndThen(() => this.#hasConverged()),
    )
    this.#guard(() => demand(converged, () => `it does not converge within ${SETTLE_MS} ms: ${this.#describe()}`))
    if (this.#problem) return
    this.log('converged')
    const served = this.#serve()
    const isServed = await this.#until(this.scheduler.now + SETTLE_MS, () => served.left === 0)
    this.#guard(() => demand(isServed, () => `it does not serve within ${SETTLE_MS} ms: ${this.#describe()}`))
    const isAgreed = (): boolean => this.#hasConverged() && this.#isUpgraded()
    const agreed = await this.#until(this.scheduler.now + SETTLE_MS, isAgreed)
    this.#guard(() => demand(agreed, () => `it does not agree in the end: ${this.#describe()}`))
    this.log('ended')
  }

  /** All know the newer transitions, so all have to work by them. */
  #isUpgraded(): boolean {
    return !this.#releases.isUpgrade || this.leader()?.node?.version === NEW
  }

  /** Whoever runs the old release is stopped and started with the new one, one after the other. */
  #upgrade(): void {
    this.#releases.isCalm = true
    if (!this.#releases.isUpgrade) return
    const old = this.hosts.filter(({ id }) => this.#releases.isOld(id))
    for (const [place, host] of old.entries())
      this.scheduler.after(300 * place, () => {
        host.crash('process')
        host.start()
      })
  }

  /** Clients that take every lock, add to every counter and complete every operation. Leases that nobody renews end in time. */
  #serve(): { left: number } {
    const served = { left: 3 * this.profile.keys }
    for (let key = 0; key < this.profile.keys; key++) {
      const adder = this.#client(`adder${key}`)
      const locker = this.#client(`locker${key}`)
      const started = this.scheduler.now
      const add = (): void =>
        adder.execute({ type: 'add', key: `counter${key}` }, (reply) =>
          reply ? adder.read(`counter${key}`, () => served.left--) : add(),
        )
      const lock = (): void =>
        locker.execute({ type: 'acquire', key: `lock${key}`, owner: locker.newOwner(), leaseMs: LEASE_MS }, (reply) => {
          const waitedMs = this.scheduler.now - started
          this.#guard(() =>
            demand(
              waitedMs < 6 * LEASE_MS + 1000,
              () => `lock${key} is not to be had for ${waitedMs} ms, though nobody renews it`,
            ),
          )
          if (reply?.type === 'acquired') served.left--
          else this.scheduler.after(20, lock)
        })
      add()
      lock()
      this.#habits.insist(this.#client(`caller${key}`), { key: `once${key}`, since: started }, () => served.left--)
    }
    return served
  }

  /** Many small commands, one after the other. */
  burst(commands: number, everyMs: number): void {
    this.#observers.burst(commands, everyMs)
  }

  /** Of the latest term, if several think so. */
  leader(): Host | undefined {
    let found: Host | undefined
    let latest = 0
    for (const host of this.hosts) {
      const status = host.isUp ? host.node?.status() : undefined
      if (status?.role !== 'leader' || status.term <= latest) continue
      found = host
      latest = status.term
    }
    return found
  }

  /** Asked after every step, it would take most of the time. */
  #nowAndThen(ask: () => boolean): () => boolean {
    let next = 0
    return () => {
      const { now } = this.scheduler
      if (now < next) return false
      next = now + 2
      return ask()
    }
  }

  #hasConverged(): boolean {
    const leader = this.leader()
    if (!leader?.node) return false
    const { commit, lastIndex, configuration, applied } = leader.node.status()
    if (commit !== lastIndex || applied !== commit || configuration.votersOutgoing.length > 0) return false
    return [...configuration.voters, ...configuration.learners].every((id) => {
      const host = this.hosts[id - 1]
      return host?.isUp === true && host.node?.applied.index === commit && host.machine.digest === leader.machine.digest
    })
  }

  #describe(): string {
    const one = ({ id, isUp, isDamaged, node }: Host): string => {
      const status = node?.status()
      const state = isDamaged ? 'damaged' : !isUp ? 'down' : node ? 'up' : 'starting'
      return `${id} ${state}${status ? ` ${status.role} of ${status.term}, voters ${status.configuration.voters}, version ${node?.version}, log ${status.lastIndex}, commit ${status.commit}, applied ${status.applied}` : ''}`
    }
    return this.hosts.map(one).join('; ')
  }

  #checkHistories(): void {
    for (const [key, history] of [...this.#histories].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const verdict = checkKey(key, history)
      this.count(verdict)
      if (verdict === 'not linearizable')
        for (const { action, start, end } of history)
          this.log(`  ${key} ${start.toFixed(2)} to ${end.toFixed(2)}: ${JSON.stringify(action)}`)
      this.counts['operations'] = (this.counts['operations'] ?? 0) + history.length
      demand(verdict !== 'not linearizable', () => `the history of ${key} is not linearizable (${history.length} operations)`)
    }
  }
}

/** All that has to be the same on every member after the same entry: what was executed, and by which transitions they go on. */
const stateOf = ({ machine, node }: Host): number => machine.digest ^ Math.imul(node?.version ?? 0, 0x9e3779b1)
