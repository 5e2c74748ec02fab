import { lockTransition } from '../../lib/lock/transitions.ts'
import type { ApplyMoment, StateMachine } from '../../lib/raft/node/ports.ts'
import type { LockAcquire } from '../../lib/store/command.ts'
import type { LockRecord, RecordKey } from '../../lib/store/record.ts'

/** In one piece of a snapshot. */
const RECORDS_IN_PIECE = 32

/**
 * Locks by the library's own transitions. A snapshot costs nothing when it begins: the map is read on while it changes, and whoever
 * changes a record that is not written yet leaves its old value aside. So no record is copied that nobody changes.
 */
export class LocksMachine implements StateMachine {
  readonly #records = new Map<string, LockRecord>()
  /** While a snapshot is under way: what it is to hold of records that have changed; `undefined` of those that were not there. */
  #aside: Map<string, LockRecord | undefined> | undefined
  onSnapshot: () => void = () => undefined

  fill(count: number): void {
    for (let i = 0; i < count; i++) this.apply(encodeAcquire(keyOf(i), `owner-${i}`), { timeMs: 1, version: 1 })
  }

  advanceTo(): void {}

  dueAtMs(): undefined {
    return undefined
  }

  apply(command: Uint8Array, { timeMs }: ApplyMoment): Uint8Array {
    const { key, owner, leaseMs } = decodeAcquire(command)
    const before = this.#records.get(key)
    const acquire: LockAcquire = { type: 'lock.acquire', key: key as RecordKey, owner, leaseMs }
    const moment = { earliest: timeMs, latest: timeMs, sentAtMs: timeMs, resent: false, seed: 0 }
    const { record, reply } = lockTransition(before, acquire, moment)
    if (record && record !== before) this.#set(key, record, before)
    return Buffer.from(reply.outcome, 'latin1')
  }

  #set(key: string, record: LockRecord, before: LockRecord | undefined): void {
    if (this.#aside && !this.#aside.has(key)) this.#aside.set(key, before)
    this.#records.set(key, record)
  }

  snapshot(): Iterable<Uint8Array> {
    this.onSnapshot()
    const aside = new Map<string, LockRecord | undefined>()
    this.#aside = aside
    return this.#pieces(aside)
  }

  *#pieces(aside: ReadonlyMap<string, LockRecord | undefined>): Generator<Uint8Array, void, void> {
    let lines: string[] = []
    for (const [key, now] of this.#records) {
      const record = aside.has(key) ? aside.get(key) : now
      if (record) lines.push(JSON.stringify([key, record]))
      if (lines.length === RECORDS_IN_PIECE) {
        yield Buffer.from(lines.join('\n'))
        lines = []
      }
    }
    if (lines.length > 0) yield Buffer.from(lines.join('\n'))
    this.#aside = undefined
  }

  async restore(pieces: AsyncIterable<Uint8Array>): Promise<void> {
    this.#records.clear()
    for await (const piece of pieces)
      for (const line of Buffer.from(piece).toString().split('\n')) {
        const [key, record] = JSON.parse(line) as [string, LockRecord]
        this.#records.set(key, record)
      }
  }
}

export const keyOf = (number: number): string => `lock/account-${String(number).padStart(8, '0')}`

/** Key and owner, each with its length before it, and the lease: small and quick, as the production protocol will be. */
export function encodeAcquire(key: string, owner: string, leaseMs = 30_000): Uint8Array {
  const out = Buffer.allocUnsafe(6 + key.length + owner.length)
  out.writeUInt32LE(leaseMs, 0)
  out.writeUInt8(key.length, 4)
  out.write(key, 5, 'latin1')
  out.writeUInt8(owner.length, 5 + key.length)
  out.write(owner, 6 + key.length, 'latin1')
  return out
}

function decodeAcquire(command: Uint8Array): { readonly key: string; readonly owner: string; readonly leaseMs: number } {
  const from = Buffer.from(command.buffer, command.byteOffset, command.length)
  const end = 5 + from.readUInt8(4)
  return { key: from.toString('latin1', 5, end), owner: from.toString('latin1', end + 1), leaseMs: from.readUInt32LE(0) }
}
