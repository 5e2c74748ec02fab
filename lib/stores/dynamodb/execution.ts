import type { Command, LockCommand, OnceCommand, Reply } from '../../store/command.ts'
import { AlonceError, invariant } from '../../store/errors.ts'
import type { AlonceRecord } from '../../store/record.ts'
import type { Reading } from '../../store/server-clock.ts'
import type { Transitioned } from '../../store/store.ts'
import type { Moment } from '../../store/time.ts'
import { transition } from '../transition.ts'
import type { HotWrite, Sending } from './expression.ts'
import { isGrant, isGrantor, leaseEnd, regranted } from './grant.ts'
import type { Head } from './item.ts'
import { lockWrite, lockWriteOn } from './lock-expressions.ts'
import { onceWrite } from './once-expressions.ts'
import type { Call } from './send.ts'
import type { Sightings } from './sightings.ts'
import type { Seen, Table } from './table.ts'
import type { TableClock } from './table-clock.ts'

export interface Ports {
  readonly table: Table
  readonly clock: TableClock
  readonly sightings: Sightings
}

export interface Task {
  readonly command: Command
  readonly call: Call
  /** By the caller's word, when it has sent this command before. */
  readonly firstSentAtMs: number | undefined
}

/** So many others may change the record between our look and our write; each of them got something done. */
const MOST_ROUNDS = 10

/** One command on its way to its record. */
export class Execution {
  readonly #ports: Ports
  readonly #task: Task
  readonly #sentAt: Reading
  /** Frozen at the first sending, so that every sending says the same. Only a guess is replaced, by the first reply's clock. */
  #sending: Sending
  /** What was sent before the clock was known, and has to be checked. */
  #guess: Sending | undefined

  constructor(ports: Ports, task: Task) {
    this.#ports = ports
    this.#task = task
    this.#sentAt = ports.clock.reading()
    this.#sending = this.#stamp()
    this.#guess = this.#sending.basis === 'guess' ? this.#sending : undefined
  }

  /** The hot commands are one conditional write; what that refuses, and every other command, goes the slow way. */
  async run(): Promise<Reply> {
    const { command, call } = this.#task
    const { table } = this.#ports
    const write = hotWriteOf(command, this.#sending)
    if (!write) return this.#settle(await table.get(command.key, call))
    const written = await table.update(command.key, write, call)
    if (!written.applied) return this.#settle(written)
    if (write.reply) return this.#confirmLease(write.reply)
    const { record, reply } = this.#applied(written.before)
    return this.#confirmGrant(record, reply)
  }

  /** What a write has done whose condition held: the same as the transition of what was there. */
  #applied(before: Head | undefined): Transitioned {
    const { command } = this.#task
    const done = transition(before?.record, command, this.#moment())
    const { outcome } = done.reply
    invariant(done.record !== before?.record, () => `DynamoDB applied ${command.type}, and its transition says ${outcome}`)
    return done
  }

  /** Evaluates the transition on the record as it was seen, and writes if it is still so; until that holds. */
  async #settle(first: Seen): Promise<Reply> {
    const { command, call } = this.#task
    const { table } = this.#ports
    let seen = first
    let wasHot = false
    for (let round = 0; round < MOST_ROUNDS; round++) {
      this.#learn()
      const before = seen.head?.record
      const { record, reply } = transition(before, command, this.#momentFor(seen))
      if (record === undefined || record === before) return this.#confirmGrant(record, reply)
      // Never twice in a row: what its condition can't see does not change by itself.
      const write: HotWrite | undefined = wasHot ? undefined : hotWriteOn(before, { command, reply }, this.#sending)
      const written = write ? await table.update(command.key, write, call) : await this.#replace(record, seen.head)
      if (written.applied) return write && !write.reply ? this.#applied(written.before).reply : (write?.reply ?? reply)
      seen = written
      wasHot = write !== undefined
    }
    const message = `The record "${command.key}" was changed by others ${MOST_ROUNDS} times in a row. Try again later.`
    throw new AlonceError('STORE_UNAVAILABLE', message, { key: command.key, maybeApplied: call.resent })
  }

  /**
   * What a guess has granted is checked by the reply's clock before it leaves the library: its expiry, and a new record's
   * fence. A grant that was recognised, because its answer was lost, is checked as well.
   */
  async #confirmGrant(record: AlonceRecord | undefined, reply: Reply): Promise<Reply> {
    const { command } = this.#task
    const guess = this.#guess
    if (!guess || !record || !isGrantor(command) || !isGrant(reply)) return reply
    if (leaseEnd(record) !== guess.latest + command.leaseMs || this.#isConfirmed(guess)) return reply
    this.#learn()
    const corrected = regranted(record, command, { guess, sending: this.#sending })
    const written = await this.#replace(corrected, { record, leaseMs: command.leaseMs, unclocked: false })
    return written.applied ? transition(corrected, command, this.#moment()).reply : this.#settle(written)
  }

  /** A renewal by a guess that turns out too short is sent once more, by the clock that is now known. */
  async #confirmLease(reply: Reply): Promise<Reply> {
    const guess = this.#guess
    if (!guess || !('expiresAtMs' in reply) || this.#isConfirmed(guess)) return reply
    this.#learn()
    this.#guess = undefined
    return this.run()
  }

  #replace(record: AlonceRecord, before: Head | undefined): ReturnType<Table['replace']> {
    const { command, call } = this.#task
    const lease =
      'leaseMs' in command
        ? { leaseMs: command.leaseMs, unclocked: this.#sending.basis === 'wall' }
        : { leaseMs: before?.leaseMs, unclocked: before?.unclocked ?? false }
    return this.#ports.table.replace(command.key, { record, ...lease }, { before: before?.record, call })
  }

  #isConfirmed(guess: Sending): boolean {
    return this.#ports.clock.confirms(guess, this.#sentAt)
  }

  #learn(): void {
    if (this.#sending.basis === 'guess') this.#sending = this.#stamp()
  }

  #stamp(): Sending {
    const instant = this.#ports.clock.instant()
    return { ...instant, sentAtMs: this.#task.firstSentAtMs ?? instant.latest }
  }

  #moment(): Moment & Pick<Sending, 'basis'> {
    return { ...this.#sending, resent: this.#task.call.resent }
  }

  #momentFor(seen: Seen): Moment {
    const { command } = this.#task
    const moment = this.#moment()
    return isGrantor(command) ? this.#ports.sightings.momentFor(command.key, seen, moment) : moment
  }
}

function hotWriteOf(command: Command, sending: Sending): HotWrite | undefined {
  return command.type.startsWith('lock.')
    ? lockWrite(command as LockCommand, sending)
    : onceWrite(command as OnceCommand, sending)
}

/** Once the record is seen: a write that others' writes do not get in the way of, if there is one. */
function hotWriteOn(
  record: AlonceRecord | undefined,
  { command, reply }: { readonly command: Command; readonly reply: Reply },
  sending: Sending,
): HotWrite | undefined {
  if (!command.type.startsWith('lock.') || record?.kind !== 'lock') return undefined
  return lockWriteOn(record, { command: command as LockCommand, outcome: reply.outcome }, sending)
}
