import { NO_MEMBERS } from '../../../../lib/raft/core/configuration.ts'
import {
  type Entry,
  isConfChange,
  type LogIndex,
  type MemberId,
  NO_DATA,
  type Snapshot,
  type Term,
} from '../../../../lib/raft/core/entry.ts'
import type { Message, MsgStorageAppend, MsgStorageApply } from '../../../../lib/raft/core/messages.ts'
import type { RaftSettings } from '../../../../lib/raft/core/options.ts'
import { RaftCore } from '../../../../lib/raft/core/raft-core.ts'
import { MemoryLog } from '../../../raft/core/memory-log.ts'

export const NO_SNAPSHOT: Snapshot = { index: 0 as LogIndex, term: 0 as Term, configuration: NO_MEMBERS, data: NO_DATA }

/** What the scripts take for granted: no limits, and none of what we switch on by default. */
const SCRIPT_SETTINGS: Partial<RaftSettings> = {
  electionTicks: 3,
  heartbeatTicks: 1,
  preVote: false,
  checkQuorum: false,
  disableProposalForwarding: false,
  stepDownOnRemoval: false,
  maxMessageBytes: Number.POSITIVE_INFINITY,
  maxApplyingBytes: Number.POSITIVE_INFINITY,
  maxUncommittedBytes: Number.POSITIVE_INFINITY,
  maxInflightMessages: Number.POSITIVE_INFINITY,
  maxInflightBytes: Number.POSITIVE_INFINITY,
}

/** A member with its log, and with a state machine that strings the data of all entries together. */
export class Member {
  readonly id: MemberId
  readonly core: RaftCore
  readonly log: MemoryLog
  readonly isAsync: boolean
  readonly electionTicks = SCRIPT_SETTINGS.electionTicks ?? 0
  /** What the log and the state machine still have to do (asynchronous storage). */
  readonly appendWork: MsgStorageAppend[] = []
  readonly applyWork: MsgStorageApply[] = []
  #state: Snapshot

  constructor(id: MemberId, settings: Partial<RaftSettings>, snapshot: Snapshot) {
    this.id = id
    this.log = new MemoryLog(snapshot)
    this.#state = snapshot
    this.log.latestSnapshot = () => this.#state
    this.isAsync = settings.asyncStorageWrites === true
    this.core = new RaftCore({
      ...SCRIPT_SETTINGS,
      ...settings,
      id,
      log: this.log,
      hardState: this.log.hardState,
      configuration: snapshot.configuration,
      applied: snapshot.index,
      fraction: () => 0.5,
    })
  }

  /** The latest state, as of the last applied entry. */
  get state(): Snapshot {
    return this.#state
  }

  /** Writes, without losing track of the state machine's own latest state. */
  append(write: Pick<MsgStorageAppend, 'hardState' | 'snapshot' | 'entries'>): void {
    this.log.write(write.hardState, write.snapshot, write.entries)
    this.log.latestSnapshot = () => this.#state
  }

  apply(entries: readonly Entry[]): void {
    for (const entry of entries) {
      const isChange = isConfChange(entry)
      const configuration = isChange ? this.core.applyConfChange(entry) : this.#state.configuration
      const data = isChange ? this.#state.data : Buffer.concat([this.#state.data, entry.data])
      this.#state = { index: entry.index, term: entry.term, configuration, data }
    }
  }

  /** The latest state, as a message. */
  snapshotTo(to: MemberId): Message {
    return { type: 'MsgSnap', from: this.id, to, term: this.core.status().term, snapshot: this.#state }
  }
}
