import type { ConfChange } from '../core/conf-change.ts'
import { membersOf } from '../core/configuration.ts'
import { type Entry, type HardState, type MemberId, NONE, type Snapshot, type Term } from '../core/entry.ts'
import type { Message, MsgSnap, StorageResponse } from '../core/messages.ts'
import { RaftCore } from '../core/raft-core.ts'
import type { Ready, Role } from '../core/ready.ts'
import type { StableLog } from '../core/stable-log.ts'
import type { RaftStatus } from '../core/status.ts'
import type { RaftLog } from '../log/log.ts'
import { type AppliedTo, Applier, isBatch } from './applier.ts'
import type { Command } from './batch.ts'
import { ClusterTime } from './cluster-time.ts'
import { installSnapshot } from './install.ts'
import { type Durable, LogWriter } from './log-writer.ts'
import { type NodeOptions, type NodeSettings, nodeSettings } from './options.ts'
import { notExecuted } from './outcome.ts'
import type { NodeObserver, PeerMessage } from './ports.ts'
import { type ChangeDone, type CommandDone, Proposals } from './proposals.ts'
import { type ReadDone, Reads } from './reads.ts'
import type { ReplicatedState } from './replicated-state.ts'
import type { Answer } from './sessions.ts'
import { SnapshotReceiver } from './snapshot-receiver.ts'
import { SnapshotSender } from './snapshot-sender.ts'
import { SnapshotTaker } from './snapshot-taker.ts'
import { StableView } from './stable-view.ts'
import { successor } from './successor.ts'
import { type Reign, Versions } from './versions.ts'

/** What `openNode` has found on the disk. */
export interface NodeParts {
  readonly log: RaftLog
  readonly state: ReplicatedState
  readonly at: AppliedTo
  readonly hardState: HardState
}

/**
 * One member: the protocol, its log, the state machine, and the clients that wait. Persist before send before answer.
 *
 * Whatever arrives only wakes the loop; a turn then takes all of it as one batch. The disk works beside: while a write is under
 * way, commands are collected for the next entry, and the protocol's writes for the next write.
 *
 * Callbacks are called within a turn, never within the call that they were given to (refusals excepted), and must not throw.
 */
export class RaftNode {
  readonly id: MemberId
  /** What is on the disk, for those who examine. */
  readonly durable: StableLog
  readonly #options: NodeOptions
  readonly #settings: NodeSettings
  readonly #log: RaftLog
  readonly #state: ReplicatedState
  readonly #core: RaftCore
  readonly #time: ClusterTime
  readonly #writer: LogWriter
  readonly #applier: Applier
  readonly #taker: SnapshotTaker
  readonly #sender: SnapshotSender
  readonly #receiver: SnapshotReceiver
  readonly #proposals: Proposals
  readonly #reads: Reads
  readonly #versions: Versions
  /** Of snapshots that have arrived; each is kept for as long as the protocol has a use for it. */
  readonly #pieces = new WeakMap<Snapshot, readonly Uint8Array[]>()
  readonly #endTicks: () => void
  #role: Role = 'follower'
  #lead: MemberId = NONE
  #term: Term
  /** It leads, and knows the latest stamp there is: it has applied an entry of its own term, and so all before. */
  #stamps = false
  #tick = 0
  #scheduled = false
  #stopped = false
  #wasFull = false
  #failure: unknown
  /** Told once, when this member can't go on: a dead disk, a broken invariant. The process has to end. */
  onFailure: ((error: unknown) => void) | undefined

  constructor(options: NodeOptions, { log, state, at, hardState }: NodeParts) {
    const { id, network, loop, clock, random } = options
    const settings = nodeSettings(options)
    const failed = (error: unknown): void => this.#fail(error)
    this.id = id
    this.#options = options
    this.#settings = settings
    this.#log = log
    this.#state = state
    this.durable = new StableView(log)
    this.#core = new RaftCore({
      ...options.raft,
      id,
      log: this.durable,
      hardState,
      configuration: at.configuration,
      applied: at.index,
      fraction: () => random.fraction(),
      asyncStorageWrites: true,
    })
    this.#time = new ClusterTime(settings.maxTimeStepMs, clock.monotonic())
    this.#time.learn(state.timeMs)
    this.#term = hardState.term
    this.#applier = new Applier(
      {
        state,
        observer: this.#observer,
        changeConfiguration: (entry) => this.#core.applyConfChange(entry),
        applied: (entry, answers) => this.#onApplied(entry, answers),
        respond: (response) => this.#deliver(response),
      },
      at,
    )
    this.#writer = new LogWriter({
      log,
      install: (snapshot, follows) => this.#install(snapshot, follows),
      written: ({ responses }) => {
        for (const response of responses) this.#deliver(response)
      },
      changed: () => this.#wake(),
      failed,
    })
    const taken = (index: AppliedTo['index']): void => this.#observer.snapshotTaken?.(index)
    this.#taker = new SnapshotTaker({ log, settings, taken, failed })
    const ended = (to: MemberId, how: 'delivered' | 'failed'): void => {
      this.#core.reportSnapshot(to, how)
      this.#wake()
    }
    this.#sender = new SnapshotSender({ log, network, settings, ended, failed }, random.fraction())
    this.#receiver = new SnapshotReceiver({
      id,
      network,
      settings,
      complete: (message, pieces) => this.#takeSnapshot(message, pieces),
    })
    this.#proposals = new Proposals(settings.maxPendingCommands)
    this.#reads = new Reads(random.fraction())
    this.#versions = new Versions({ id, network, knows: settings.version, askTicks: settings.versionTicks })
    this.#endTicks = loop.every(settings.tickMs, () => this.#onTick())
    this.#wake()
  }

  get #observer(): NodeObserver {
    return this.#options.observer ?? NO_OBSERVER
  }

  /** Executes `command` once the group has agreed on it. For the leader; others refuse and say who leads. */
  submit(command: Command, done: CommandDone): void {
    if (this.#stopped) {
      done(notExecuted('not-leader', NONE))
      return
    }
    if (this.#writer.isFull) {
      done(notExecuted('overloaded', this.#lead))
      return
    }
    this.#proposals.add(command, done)
    this.#wake()
  }

  /** Opens a session: the reply to the command is its id, eight bytes, little-endian. */
  openSession(done: CommandDone): void {
    this.submit({ session: 0, sequence: 0, acknowledged: 0, payload: NO_PAYLOAD }, done)
  }

  /** On any member: `done` may look at the state machine, within its call. */
  read(done: ReadDone): void {
    if (this.#stopped) {
      done(notExecuted('not-leader', NONE))
      return
    }
    this.#reads.add(done)
    this.#wake()
  }

  changeMembers(change: ConfChange, done: ChangeDone): void {
    if (this.#stopped) {
      done(notExecuted('not-leader', NONE))
      return
    }
    this.#guard(() => this.#proposals.proposeChange(this.#core, change, { deadline: this.#deadline(), done }))
    this.#wake()
  }

  transferLeadership(to: MemberId): void {
    if (this.#stopped) return
    this.#guard(() => this.#core.transferLeader(to))
    this.#wake()
  }

  receive(message: PeerMessage): void {
    if (this.#stopped) return
    this.#guard(() => {
      if (message.type === 'SnapshotPart') this.#receiver.handle(message)
      else if (message.type === 'SnapshotPartResp') this.#sender.handle(message)
      else if (message.type === 'VersionQuestion') this.#versions.asked(message)
      else if (message.type === 'VersionAnswer') this.#versions.answered(message)
      else this.#core.step(message)
    })
    this.#wake()
  }

  status(): RaftStatus {
    return this.#core.status()
  }

  get applied(): AppliedTo {
    return this.#applier.at
  }

  /** Of the transitions: the one that the group works by, as far as this member has applied. */
  get version(): number {
    return this.#state.version
  }

  get failure(): unknown {
    return this.#failure
  }

  /** Whoever waits is told what is certain, which is little. The log is closed when the last write has ended. */
  async stop(): Promise<void> {
    this.#end()
    await this.#log.close()
  }

  #end(): void {
    if (this.#stopped) return
    this.#stopped = true
    this.#endTicks()
    this.#writer.stop()
    this.#sender.dropAll()
    this.#proposals.stop()
    this.#reads.stop()
  }

  #fail(error: unknown): void {
    if (this.#stopped) return
    this.#failure = error
    this.#end()
    this.onFailure?.(error)
  }

  #guard(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.#fail(error)
    }
  }

  #wake(): void {
    if (this.#scheduled || this.#stopped) return
    this.#scheduled = true
    this.#options.loop.soon(() => {
      this.#scheduled = false
      if (!this.#stopped) this.#guard(() => this.#turn())
    })
  }

  #deadline(): number {
    return this.#tick + this.#settings.patienceTicks
  }

  #onTick(): void {
    if (this.#stopped) return
    this.#tick++
    this.#guard(() => {
      this.#time.observe(this.#options.clock.monotonic())
      // A member that can't write can't vote: it need not ask for votes.
      if (!this.#writer.isFull || this.#role === 'leader') this.#core.tick()
      this.#sender.tick()
      if (this.#stamps) this.#versions.tick(this.#reign)
      this.#proposals.expire(this.#tick)
      this.#reads.expire(this.#tick, this.#lead)
      this.#mindTheDisk()
    })
    this.#wake()
  }

  /** A full disk: hand over to somebody who can write, refuse what was not begun, go on answering reads. */
  #mindTheDisk(): void {
    const { isFull } = this.#writer
    if (isFull !== this.#wasFull) this.#observer.full?.(isFull)
    this.#wasFull = isFull
    if (!isFull) return
    this.#proposals.refuseCollected('overloaded', this.#lead)
    const to = this.#role === 'leader' ? successor(this.#core.status()) : undefined
    if (to !== undefined) this.#core.transferLeader(to)
    this.#writer.retry()
  }

  #turn(): void {
    this.#time.observe(this.#options.clock.monotonic())
    // First whether it leads: it may have been elected since the last turn, and know too little of the time yet.
    this.#drain()
    this.#propose()
    this.#reads.ask(this.#core, { deadline: this.#deadline(), lead: this.#lead })
    this.#drain()
    this.#applier.run(this.#settings.maxApplyPerTurn)
    this.#drain()
    if (this.#applier.hasWork) this.#wake()
    if (this.#applier.isPaused) return
    this.#reads.serve(this.#applier.at.index, this.#state.timeMs)
    if (!this.#writer.isInstalling) this.#taker.take({ ...this.#applier.at, pieces: () => this.#state.snapshot() })
  }

  /** One entry for all that has come. A write under way is waited for, unless there is enough for an entry already. */
  #propose(): void {
    const { maxBatchBytes } = this.#settings
    const isLeader = this.#role === 'leader'
    if (isLeader && !this.#stamps) return
    if (isLeader && this.#writer.isBusy && this.#proposals.collectedBytes < maxBatchBytes) return
    if (!this.#proposals.hasCollected && !(isLeader && (this.#isTimeDue() || this.#versions.isDue(this.#reign)))) return
    const version = this.#versions.next(this.#reign)
    const stamp = { timeMs: this.#time.ms, version, maxBatchBytes, deadline: this.#deadline() }
    if (this.#proposals.hasCollected) this.#proposals.propose(this.#core, stamp)
    else this.#proposals.proposeTime(this.#core, stamp)
    this.#versions.stamped(version)
  }

  get #reign(): Reign {
    return { term: this.#term, members: () => membersOf(this.#applier.at.configuration), inForce: this.#state.version }
  }

  /** Something is to expire, and no command comes to say how late it is. */
  #isTimeDue(): boolean {
    if (this.#applier.isPaused || this.#proposals.isWaiting) return false
    const dueAtMs = this.#state.dueAtMs
    return dueAtMs !== undefined && dueAtMs <= this.#time.ms
  }

  #drain(): void {
    while (this.#core.hasReady()) this.#carryOut(this.#core.ready())
  }

  /** See `Ready`, "with asynchronous storage". */
  #carryOut(ready: Ready): void {
    if (ready.hardState && ready.hardState.term !== this.#term) {
      this.#term = ready.hardState.term
      this.#stamps = false
    }
    if (ready.softState) this.#changeRole(ready.softState.role, ready.softState.lead)
    for (const message of ready.messages) this.#send(message)
    if (ready.storageAppend) this.#writer.enqueue(ready.storageAppend)
    if (ready.storageApply) this.#applier.enqueue(ready.storageApply)
    for (const readState of ready.readStates) this.#reads.answered(readState)
  }

  #onApplied(entry: Entry, answers: readonly Answer[]): void {
    if (!this.#stamps && isBatch(entry)) this.#time.learn(this.#state.timeMs)
    if (this.#role === 'leader' && entry.term === this.#term) this.#stamps = true
    this.#proposals.applied(entry, answers, this.#lead)
  }

  #changeRole(role: Role, lead: MemberId): void {
    if (this.#role === 'leader' && role !== 'leader') this.#sender.dropAll()
    if (role !== this.#role || lead !== this.#lead) this.#reads.leaderChanged(lead)
    if (role !== 'leader') this.#stamps = false
    this.#role = role
    this.#lead = lead
  }

  #send(message: Message): void {
    if (message.type === 'MsgSnap') this.#sender.begin(message)
    else this.#options.network.send(message)
  }

  #deliver(response: Message | StorageResponse): void {
    if (response.to === this.id) this.#core.step(response)
    else this.#send(response as Message)
    this.#wake()
  }

  #takeSnapshot(message: MsgSnap, pieces: readonly Uint8Array[]): void {
    this.#pieces.set(message.snapshot, pieces)
    this.#core.step(message)
  }

  async #install(snapshot: Snapshot, follows: Durable): Promise<void> {
    await this.#taker.idle()
    const pieces = this.#pieces.get(snapshot)
    await installSnapshot({ log: this.#log, applier: this.#applier, pieces }, snapshot, follows)
    this.#time.learn(this.#state.timeMs)
    this.#proposals.skippedTo(snapshot.index)
  }
}

const NO_OBSERVER: NodeObserver = Object.freeze({})
const NO_PAYLOAD = new Uint8Array(0)
