import { type Entry, type HardState, NO_TERM, ORIGIN, type Snapshot } from './entry.ts'
import { broadcastHeartbeat } from './heartbeat.ts'
import { invariant } from './invariant.ts'
import type {
  Message,
  MsgStorageAppend,
  MsgStorageAppendResp,
  MsgStorageApply,
  MsgStorageApplyResp,
  StorageResponse,
} from './messages.ts'
import type { RaftState } from './raft-state.ts'
import { beginRound, canBeginRound } from './read-index.ts'
import type { ReadState, Ready, SoftState } from './ready.ts'

/** Gathers what there is to do into a Ready, and marks it as handed out. */
export class ReadyTaker {
  readonly #raft: RaftState
  #softState: SoftState
  #hardState: HardState
  /** What a member with synchronous storage says to itself once it has carried out the Ready. */
  #onAdvance: (Message | StorageResponse)[] | undefined

  constructor(raft: RaftState) {
    this.#raft = raft
    this.#softState = raft.softState
    this.#hardState = raft.hardState
  }

  has(): boolean {
    const { log, messages, afterAppend, readStates } = this.#raft
    return (
      messages.length > 0 ||
      afterAppend.length > 0 ||
      log.unstable.hasNextEntries ||
      log.hasNextCommitted(this.#mayApplyUnstable) ||
      this.#hasNewHardState() ||
      this.#hasNewSoftState() ||
      readStates.length > 0 ||
      log.unstable.nextSnapshot() !== undefined ||
      canBeginRound(this.#raft)
    )
  }

  take(): Ready {
    invariant(this.#onAdvance === undefined, () => 'a Ready is taken before the last one is done: call advance()')
    const raft = this.#raft
    if (canBeginRound(raft) && beginRound(raft)) broadcastHeartbeat(raft)
    const ready = this.#describe()
    raft.messages = []
    raft.afterAppend = []
    if (ready.readStates.length > 0) raft.readStates = []
    if (ready.softState) this.#softState = ready.softState
    if (ready.hardState) this.#hardState = ready.hardState
    raft.log.unstable.accept()
    raft.log.acceptApplying(ready.committedEntries, this.#mayApplyUnstable)
    return ready
  }

  /** With synchronous storage: the last Ready is done. What is to be stepped now, in this order. */
  advance(): readonly (Message | StorageResponse)[] {
    const steps = this.#onAdvance
    invariant(steps !== undefined, () => 'advance() without a Ready, or with asynchronous storage')
    this.#onAdvance = undefined
    return steps
  }

  /** Only when they are written before they are applied, as synchronous storage does: else a crash might forget them. */
  get #mayApplyUnstable(): boolean {
    return !this.#raft.settings.asyncStorageWrites
  }

  /** Spelled out, as spreading objects costs more than all else here, and this runs for every batch of messages. */
  #describe(): Ready {
    const raft = this.#raft
    const { log } = raft
    const hardState = this.#hasNewHardState() ? raft.hardState : undefined
    const snapshot = log.unstable.nextSnapshot()
    const entries = log.unstable.nextEntries()
    const mustSync = entries.length > 0 || raft.term !== this.#hardState.term || raft.vote !== this.#hardState.vote
    const write: Write = { hardState, snapshot, entries, mustSync }
    const committedEntries = log.nextCommitted(this.#mayApplyUnstable)
    const softState = this.#hasNewSoftState() ? raft.softState : undefined
    const readStates = raft.readStates.length > 0 ? raft.readStates : NO_READ_STATES
    const isBeside = raft.settings.asyncStorageWrites
    const storageAppend = isBeside ? this.#storageAppend(write) : undefined
    const storageApply = isBeside ? this.#storageApply(committedEntries) : undefined
    if (!isBeside) this.#before(write, committedEntries)
    const { messages } = raft
    return {
      softState,
      readStates,
      hardState,
      snapshot,
      entries,
      mustSync,
      committedEntries,
      messages,
      storageAppend,
      storageApply,
    }
  }

  /** Synchronous storage: what waits for the write goes out with the rest, as all of it is sent after the write. */
  #before(write: Write, committedEntries: readonly Entry[]): void {
    const { id, messages, afterAppend } = this.#raft
    const appended = this.#appended(write.snapshot)
    this.#onAdvance = afterAppend.filter((message) => message.to === id)
    if (appended) this.#onAdvance.push(appended)
    if (committedEntries.length > 0) this.#onAdvance.push(this.#applied(committedEntries))
    for (const message of afterAppend) if (message.to !== id) messages.push(message)
  }

  #storageApply(entries: readonly Entry[]): MsgStorageApply | undefined {
    if (entries.length === 0) return undefined
    return { type: 'MsgStorageApply', from: this.#raft.id, entries, responses: [this.#applied(entries)] }
  }

  #storageAppend(write: Write): MsgStorageAppend | undefined {
    const { id: from, afterAppend } = this.#raft
    if (!write.hardState && !write.snapshot && write.entries.length === 0 && afterAppend.length === 0) return undefined
    const appended = this.#appended(write.snapshot)
    // Acknowledgements first: they are about entries that are found faster while they are still unstable.
    return { type: 'MsgStorageAppend', from, ...write, responses: appended ? [...afterAppend, appended] : afterAppend }
  }

  /** Whatever is unstable, not only what this Ready writes: see `handleStorageAppended`. */
  #appended(snapshot: Snapshot | undefined): MsgStorageAppendResp | undefined {
    const { id: to, term, log } = this.#raft
    if (log.unstable.isEmpty && snapshot === undefined) return undefined
    const index = log.unstable.isEmpty ? ORIGIN : log.lastIndex
    const logTerm = log.unstable.isEmpty ? NO_TERM : log.lastTerm
    return { type: 'MsgStorageAppendResp', to, term, index, logTerm, snapshot }
  }

  #applied(entries: readonly Entry[]): MsgStorageApplyResp {
    return { type: 'MsgStorageApplyResp', to: this.#raft.id, entries }
  }

  #hasNewHardState(): boolean {
    const { term, vote, log } = this.#raft
    const last = this.#hardState
    return term !== last.term || vote !== last.vote || log.committed !== last.commit
  }

  #hasNewSoftState(): boolean {
    return this.#raft.lead !== this.#softState.lead || this.#raft.role !== this.#softState.role
  }
}

const NO_READ_STATES: readonly ReadState[] = Object.freeze([])

type Write = Pick<Ready, 'hardState' | 'snapshot' | 'entries' | 'mustSync'>
