import { lockTransition } from '../../lib/lock/transitions.ts'
import type { ApplyMoment, StateMachine } from '../../lib/raft/node/ports.ts'
import type { LockCommand, Replies } from '../../lib/store/command.ts'
import type { LockRecord, OnceRecord, RecordKey } from '../../lib/store/record.ts'
import { mix } from './chance.ts'
import { executeOnce, type OnceOperation, type OnceReply, resultIn } from './once.ts'
import { demand } from './violation.ts'

export type Operation = { readonly type: 'add'; readonly key: string } | LockOperation | OnceOperation

export type LockOperation =
  | { readonly type: 'acquire'; readonly key: string; readonly owner: string; readonly leaseMs: number }
  | { readonly type: 'renew'; readonly key: string; readonly owner: string; readonly leaseMs: number; readonly fence: number }
  | { readonly type: 'release'; readonly key: string; readonly owner: string }

export type Reply = { readonly type: 'added'; readonly value: number } | LockReply | OnceReply

export type LockReply =
  | { readonly type: 'acquired'; readonly fence: number; readonly expiresAtMs: number; readonly timeMs: number }
  | {
      readonly type: 'held'
      readonly fence: number
      readonly owner: string
      readonly expiresAtMs: number
      readonly timeMs: number
    }
  | { readonly type: 'renewed'; readonly expiresAtMs: number; readonly timeMs: number }
  | { readonly type: 'released' | 'lost' | 'stale'; readonly timeMs: number }

/** What a read sees under a key. */
export interface Seen {
  readonly value: number
  readonly fence: number
  readonly owner: string | undefined
  readonly expiresAtMs: number | undefined
  /** Of an operation that is completed. */
  readonly result?: string | undefined
}

/**
 * Counters, since executing "add" twice shows; locks and idempotent operations, by the library's own transitions. It also counts
 * the locks' leases that end without a release, when their time has come, so that somebody has to say how late it is.
 */
export class SimulatedMachine implements StateMachine {
  #counters = new Map<string, number>()
  #locks = new Map<string, LockRecord>()
  #operations = new Map<string, OnceRecord>()
  /** Of everything that was executed, in order: two members that differ have had different lives. */
  digest = 0
  expired = 0
  #timeMs = 0
  readonly #release: number

  constructor(release = 1) {
    this.#release = release
  }

  advanceTo(timeMs: number): void {
    const due = [...this.#locks.values()].filter((record) => isBetween(record, this.#timeMs, timeMs)).length
    this.expired += due
    this.#timeMs = timeMs
    if (due > 0) this.digest = mix(this.digest, `${due} expired at ${timeMs}`)
  }

  dueAtMs(): number | undefined {
    let due: number | undefined
    for (const { holder } of this.#locks.values())
      if (holder && holder.expiresAtMs >= this.#timeMs && (due === undefined || holder.expiresAtMs < due))
        due = holder.expiresAtMs
    return due === undefined ? undefined : due + 1
  }

  apply(command: Uint8Array, { timeMs, version }: ApplyMoment): Uint8Array {
    demand(version <= this.#release, () => `release ${this.#release} is to execute by version ${version}`)
    const text = new TextDecoder().decode(command)
    const reply = JSON.stringify(this.#execute(JSON.parse(text) as Operation, timeMs))
    this.digest = mix(mix(this.digest, text), `${timeMs}${version}${reply}`)
    return new TextEncoder().encode(reply)
  }

  #execute(operation: Operation, timeMs: number): Reply {
    const { key } = operation
    switch (operation.type) {
      case 'add': {
        const value = (this.#counters.get(key) ?? 0) + 1
        this.#counters.set(key, value)
        return { type: 'added', value }
      }
      case 'acquire':
      case 'renew':
      case 'release':
        return this.#executeLock(operation, timeMs)
      default: {
        const before = this.#operations.get(key)
        const { record, reply } = executeOnce(before, operation, timeMs)
        if (record) this.#operations.set(key, rising(record, before))
        return reply
      }
    }
  }

  #executeLock(operation: LockOperation, timeMs: number): LockReply {
    const { key } = operation
    const command = { ...operation, type: `lock.${operation.type}`, key: key as RecordKey } as LockCommand
    const moment = { earliest: timeMs, latest: timeMs, sentAtMs: timeMs, resent: false, seed: 0 }
    const before = this.#locks.get(key)
    const { record, reply } = lockTransition(before, command, moment)
    if (record) this.#locks.set(key, rising(record, before))
    return lockReply(reply as Answer, timeMs)
  }

  look(key: string): Seen {
    const operation = this.#operations.get(key)
    if (operation) {
      const { fence, owner, retainUntilMs, result } = operation
      return { value: 0, fence, owner, expiresAtMs: operation.expiresAtMs ?? retainUntilMs, result: resultIn(result) }
    }
    const lock = this.#locks.get(key)
    const { owner, expiresAtMs } = lock?.holder ?? {}
    return { value: this.#counters.get(key) ?? 0, fence: lock?.fence ?? 0, owner, expiresAtMs }
  }

  snapshot(): Iterable<Uint8Array> {
    const head = { digest: this.digest, expired: this.expired, timeMs: this.#timeMs }
    const pieces = [
      head,
      ...[...this.#counters].map((entry) => ({ counter: entry })),
      ...[...this.#locks].map((entry) => ({ lock: entry })),
      ...[...this.#operations].map((entry) => ({ once: entry })),
    ]
    return encoded(pieces)
  }

  async restore(pieces: AsyncIterable<Uint8Array>): Promise<void> {
    this.#counters = new Map()
    this.#locks = new Map()
    this.#operations = new Map()
    this.digest = 0
    this.expired = 0
    this.#timeMs = 0
    for await (const piece of pieces) {
      const { digest, expired, timeMs, counter, lock, once } = JSON.parse(new TextDecoder().decode(piece))
      if (counter) this.#counters.set(counter[0], counter[1])
      else if (lock) this.#locks.set(lock[0], lock[1])
      else if (once) this.#operations.set(once[0], once[1])
      else {
        this.digest = digest
        this.expired = expired
        this.#timeMs = timeMs
      }
    }
  }
}

/** Fences never fall, versions neither (V2). */
function rising<R extends LockRecord | OnceRecord>(record: R, before: R | undefined): R {
  const rises = !before || (record.fence >= before.fence && record.version >= before.version)
  demand(rises, () => `fence ${before?.fence} (version ${before?.version}) becomes ${record.fence} (${record.version})`)
  return record
}

function* encoded(pieces: readonly object[]): Generator<Uint8Array, void, void> {
  for (const piece of pieces) yield new TextEncoder().encode(JSON.stringify(piece))
}

const isBetween = ({ holder }: LockRecord, from: number, to: number): boolean =>
  holder !== undefined && holder.expiresAtMs >= from && holder.expiresAtMs < to

type Answer = Replies['lock.acquire' | 'lock.renew' | 'lock.release']

function lockReply(reply: Answer, timeMs: number): LockReply {
  switch (reply.outcome) {
    case 'acquired':
      return { type: 'acquired', fence: reply.fence, expiresAtMs: reply.expiresAtMs, timeMs }
    case 'held':
      return { type: 'held', fence: reply.fence, owner: reply.holder.owner, expiresAtMs: reply.holder.expiresAtMs, timeMs }
    case 'renewed':
      return { type: 'renewed', expiresAtMs: reply.expiresAtMs, timeMs }
    case 'released':
      return { type: 'released', timeMs }
    case 'stale':
      return { type: 'stale', timeMs }
    default:
      return { type: 'lost', timeMs }
  }
}
