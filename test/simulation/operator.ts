import type { ConfChange, MemberChange, Transition } from '../../lib/raft/core/conf-change.ts'
import type { MemberId } from '../../lib/raft/core/entry.ts'
import type { Chance } from './chance.ts'
import type { Operation } from './disk.ts'
import type { Host } from './host.ts'
import { type Fault, TICK_MS } from './profile.ts'
import type { World } from './world.ts'

/** The most members that ever are in a world. */
const MOST_HOSTS = 9

/** Makes the faults happen and ends them; adds and removes members, and replaces those whose disks are damaged. */
export class Operator {
  readonly #world: World
  readonly #chance: Chance
  #hasFlipped = false

  constructor(world: World, chance: Chance) {
    this.#world = world
    this.#chance = chance
  }

  act(fault: Fault): void {
    const { hosts, scheduler, network } = this.#world
    const host = hosts[fault.who % hosts.length] as Host
    const other = hosts[fault.whom % hosts.length] as Host
    const end = (undo: () => void): void => scheduler.after(fault.lastsMs, undo)
    this.#world.log(`${fault.kind} ${host.id} ${other.id}`)
    this.#world.count(fault.kind)
    switch (fault.kind) {
      case 'crash':
        this.#crash(host, fault)
        break
      case 'crash-leader':
        this.#crash(this.#world.leader() ?? host, fault)
        break
      case 'crash-all':
        for (const each of hosts) this.#crash(each, fault)
        break
      case 'pause':
        host.pausedUntil = scheduler.now + fault.lastsMs
        break
      case 'pause-leader': {
        // Long enough for another to be elected.
        const leader = this.#world.leader() ?? host
        leader.pausedUntil = scheduler.now + 100 + fault.lastsMs
        break
      }
      case 'cut':
        network.cut(host.id, other.id)
        end(() => network.mend(host.id, other.id))
        break
      case 'split':
        this.#split(fault)
        break
      case 'isolate':
        this.#isolate(host, fault)
        break
      case 'isolate-leader':
        this.#isolate(this.#world.leader() ?? host, fault)
        break
      case 'slow-disk':
        host.slowness = 5 + fault.draw * 60
        end(() => {
          host.slowness = 1
        })
        break
      case 'eio':
        host.disk.fail({ operation: this.#operation(fault), code: 'EIO', after: Math.floor(fault.draw * 7) })
        break
      case 'enospc':
        host.disk.capacityBytes = host.usedBytes + Math.floor(fault.draw * 12_000)
        end(() => {
          host.disk.capacityBytes = Number.POSITIVE_INFINITY
        })
        break
      case 'figure-8':
        this.#orphanEntries(fault)
        break
      case 'flip':
        this.#flip(host, fault)
        break
      case 'busy':
        this.#keepBusy(host, fault)
        break
      case 'stall':
        this.#stall(fault.draw < 0.6 ? (this.#world.leader() ?? host) : host, fault)
        break
      case 'flaky':
        this.#flicker(host, fault, 3 + (fault.whom % 6))
        break
      case 'hush':
        network.hushedBut = fault.draw < 0.5 ? 0 : other.id
        scheduler.after(60 + fault.lastsMs, () => {
          network.hushedBut = undefined
        })
        break
      case 'loss':
        network.extraLoss = fault.draw * 0.4
        end(() => {
          network.extraLoss = 0
        })
        break
      case 'transfer':
        this.#world.leader()?.call((node) => node.transferLeadership(other.id))
        break
      case 'change':
        if (!this.#world.profile.changes) break
        this.#change(fault)
        // Often a second one follows before the first is done; perhaps of another leader.
        if (fault.whom % 2 === 0)
          scheduler.after(
            this.#chance.fraction() ** 2 * 150,
            () => this.#world.isCalm || this.#change({ ...fault, draw: 1 - fault.draw }),
          )
        break
      case 'wall-clock':
        host.wallJump += (fault.draw - 0.5) * 1e9
        break
    }
  }

  #operation({ whom }: Fault): Operation {
    const operations: readonly Operation[] = ['write', 'write', 'write', 'sync', 'rename', 'syncDirectory', 'preallocate', 'read']
    return operations[whom % operations.length] as Operation
  }

  #crash(host: Host, { draw, lastsMs }: Fault): void {
    host.crash(draw < 0.4 ? 'process' : 'power')
    this.#world.scheduler.after(lastsMs * (0.2 + this.#chance.fraction()), () => host.start())
  }

  /** Down and up again at once, several times: what was sent to one life arrives in the next. */
  #flicker(host: Host, fault: Fault, times: number): void {
    const { scheduler, isCalm } = this.#world
    if (times === 0 || isCalm) return
    host.crash(fault.draw < 0.7 ? 'process' : 'power')
    scheduler.after(this.#chance.fraction() * 3, () => host.start())
    scheduler.after(10 + this.#chance.below(50), () => this.#flicker(host, fault, times - 1))
  }

  /**
   * A follower that is so slow to apply that a change of members waits in its queue when it is sent a snapshot that holds it; and
   * it goes on applying while that is written. Or it is cut off for so long that it stands for election with a full queue.
   */
  #keepBusy(host: Host, fault: Fault): void {
    const { hosts, network, scheduler, profile } = this.#world
    const leader = this.#world.leader()
    if (!leader || host === leader || hosts.some(({ busyMs }) => busyMs > 0)) return
    const { draw, lastsMs } = fault
    const stands = fault.who % 4 === 0
    const cutForMs = stands ? 2.2 * profile.electionTicks * TICK_MS : 15 + this.#chance.below(40)
    const cutAt = 62 + draw * 50 + this.#chance.below(30)
    host.busyMs = 10 + draw * 30
    this.#world.burst(50, 4)
    if (profile.changes) for (let times = 0; times < 20; times++) scheduler.after(5 + times * 5, () => this.#toggleLearner())
    scheduler.after(cutAt, () => {
      if (!this.#world.isCalm) for (const other of hosts) network.cut(other.id, host.id)
    })
    scheduler.after(cutAt + cutForMs, () => {
      for (const other of hosts) network.mend(other.id, host.id)
      if (!this.#world.isCalm && !stands) host.slowness = (10 + draw * 30) / profile.diskMs
    })
    scheduler.after(cutAt + cutForMs + 100 + lastsMs / 2, () => {
      host.busyMs = 0
      host.slowness = 1
    })
  }

  /** A learner comes or goes, by way of a joint configuration: two entries, and no majority is hurt. */
  #toggleLearner(): void {
    const leader = this.#world.leader()
    const configuration = leader?.node?.status().configuration
    if (!leader || !configuration || this.#world.isCalm) return
    const { voters, learners } = configuration
    const change: MemberChange = learners[0]
      ? { type: 'remove', id: learners[0] }
      : { type: 'add-learner', id: this.#outsider(voters) }
    this.#propose(leader, [change], 'implicit')
  }

  /** Its disk is so slow that one write outlasts a term: what is queued behind it is replaced before it is written. */
  #stall(host: Host, { draw, lastsMs }: Fault): void {
    const { network, scheduler, profile } = this.#world
    const leader = this.#world.leader() ?? host
    host.slowness = (100 + draw * 300) / profile.diskMs
    scheduler.after(200 + lastsMs, () => {
      host.slowness = 1
    })
    scheduler.after(5 + this.#chance.below(40), () => {
      if (!this.#world.isCalm) network.hushedBut = host === leader ? 0 : host.id
    })
    scheduler.after(30 + this.#chance.below(60), () => {
      network.hushedBut = undefined
      if (!this.#world.isCalm)
        this.#isolate(leader, { lastsMs: profile.electionTicks * TICK_MS * this.#chance.between(1.2, 2.5), draw: 0.5 })
    })
  }

  #isolate(host: Host, { lastsMs, draw }: Pick<Fault, 'lastsMs' | 'draw'>): void {
    const { hosts, network, scheduler } = this.#world
    for (const other of hosts) {
      if (draw < 0.66) network.cut(host.id, other.id)
      if (draw > 0.33) network.cut(other.id, host.id)
      scheduler.after(lastsMs, () => {
        network.mend(host.id, other.id)
        network.mend(other.id, host.id)
      })
    }
  }

  /**
   * The paper's figure 8, in its order: a leader's entries reach nobody, then those of the next one neither; then the first is
   * elected again, and brings what it has to the others while the second is away.
   */
  #orphanEntries({ draw, lastsMs }: Fault): void {
    const { network, scheduler } = this.#world
    const first = this.#world.leader()
    if (!first) return
    network.hushedBut = 0
    const endHush = (): void => {
      network.hushedBut = undefined
    }
    scheduler.after(500, endHush)
    scheduler.after(5 + draw * 25, () => {
      const mendFirst = this.#cutOff(first)
      this.#onceLed(first, (second) => {
        mendFirst()
        const mendSecond = this.#cutOff(second)
        scheduler.after(300 + lastsMs, mendSecond)
        this.#onceLed(second, endHush)
      })
      scheduler.after(300, mendFirst)
    })
  }

  /** Calls `then` as soon as another than `former` leads, if that is soon. */
  #onceLed(former: Host, then: (leader: Host) => void, patience = 100): void {
    if (patience === 0 || this.#world.isCalm) return
    const leader = this.#world.leader()
    if (leader && leader !== former) then(leader)
    else this.#world.scheduler.after(2, () => this.#onceLed(former, then, patience - 1))
  }

  /** Returns what ends it. */
  #cutOff(host: Host): () => void {
    const { hosts, network } = this.#world
    const others = this.#world.isCalm ? [] : [...hosts]
    for (const other of others) {
      network.cut(host.id, other.id)
      network.cut(other.id, host.id)
    }
    return () => {
      for (const other of others) {
        network.mend(host.id, other.id)
        network.mend(other.id, host.id)
      }
    }
  }

  /** In two: nothing goes from one side to the other. */
  #split({ lastsMs }: Fault): void {
    const { hosts, network, scheduler } = this.#world
    const isHere = hosts.map(() => this.#chance.happens(0.5))
    for (const [i, one] of hosts.entries())
      for (const [j, other] of hosts.entries()) {
        if (isHere[i] === isHere[j]) continue
        network.cut(one.id, other.id)
        scheduler.after(100 + lastsMs, () => network.mend(one.id, other.id))
      }
  }

  /** One disk at a time, and never so that a majority would need it. */
  #flip(host: Host, fault: Fault): void {
    if (this.#hasFlipped || this.#world.profile.changes || this.#world.profile.founders < 3 || !host.isUp) return
    this.#hasFlipped = true
    host.crash(fault.draw < 0.5 ? 'process' : 'power')
    host.flip()
    this.#world.scheduler.after(20 + fault.lastsMs, () => host.start())
    this.#mend()
  }

  /** Whoever has a damaged disk is removed, and another comes in its place, under a new id. */
  #mend(): void {
    const { scheduler, hosts } = this.#world
    scheduler.after(60, () => this.#mend())
    const damaged = hosts.find(({ isDamaged }) => isDamaged)
    const leader = this.#world.leader()
    const configuration = leader?.node?.status().configuration
    if (!damaged || !leader || !configuration) return
    const isMember = configuration.voters.includes(damaged.id)
    if (isMember) this.#propose(leader, [{ type: 'remove', id: damaged.id }])
    else if (configuration.voters.length < this.#world.profile.founders) {
      const fresh = hosts.find(({ id }) => id > this.#world.profile.founders) ?? this.#world.addHost('join')
      this.#propose(leader, [{ type: 'add-voter', id: fresh.id }])
    }
  }

  #change({ draw, who }: Fault): void {
    const leader = this.#world.leader()
    const configuration = leader?.node?.status().configuration
    if (!leader || !configuration) return
    const { voters, learners } = configuration
    const victim = voters[who % voters.length] as MemberId
    const isSpare = voters.length > 1
    if (draw < 0.3) this.#propose(leader, [{ type: 'add-voter', id: this.#outsider(voters) }])
    else if (draw < 0.45) this.#propose(leader, [{ type: 'add-learner', id: this.#outsider([...voters, ...learners]) }])
    else if (draw < 0.6 && learners[0]) this.#propose(leader, [{ type: 'add-voter', id: learners[0] }])
    else if (draw < 0.8 && isSpare) this.#propose(leader, [{ type: 'remove', id: victim }])
    else if (isSpare) {
      // Most of them at once, with others in their places or not: a majority of the new members is far from one of the old.
      const victims = voters.filter(
        (_, place) => (place + who) % voters.length < Math.min(voters.length / 2 + 0.5, voters.length - 1),
      )
      const places = victims.slice(0, this.#chance.below(victims.length + 1))
      const fresh = places.map((): MemberChange => ({ type: 'add-voter', id: this.#outsider(voters) }))
      this.#propose(leader, [...fresh, ...victims.map((id): MemberChange => ({ type: 'remove', id }))])
    }
  }

  #outsider(members: readonly MemberId[]): MemberId {
    const { hosts } = this.#world
    const spare = hosts.find(({ id }) => !members.includes(id))
    if (hosts.length < MOST_HOSTS && (!spare || this.#chance.happens(0.6))) return this.#world.addHost('join').id
    return (spare ?? (hosts.at(-1) as Host)).id
  }

  #propose(leader: Host, changes: readonly MemberChange[], transition: Transition = 'auto'): void {
    const change: ConfChange = { transition, changes, context: '' }
    leader.call((node) => node.changeMembers(change, ({ outcome }) => this.#world.count(`change ${outcome}`)))
  }

  /** Everything that can be repaired is. */
  calm(): void {
    for (const host of this.#world.hosts) {
      host.disk.capacityBytes = Number.POSITIVE_INFINITY
      host.slowness = 1
      host.busyMs = 0
      host.pausedUntil = 0
      host.start()
    }
  }
}
