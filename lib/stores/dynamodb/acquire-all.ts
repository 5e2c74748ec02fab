import type { CancellationReason, TransactWriteItem } from '@aws-sdk/client-dynamodb'
import type { AcquiredAll, Granted, LockAcquire, LockRelease } from '../../store/command.ts'
import { AlonceError, invariant } from '../../store/errors.ts'
import { answerOf, type Refusal } from '../joint.ts'
import { transition } from '../transition.ts'
import { isUnfit } from './errors.ts'
import type { HotWrite, Sending } from './expression.ts'
import type { LastFences } from './last-fences.ts'
import { lockWrite, lockWriteOn } from './lock-expressions.ts'
import type { Call, Requests } from './send.ts'
import type { Look, Sightings } from './sightings.ts'
import type { Seen, Table } from './table.ts'
import type { TableClock } from './table-clock.ts'
import { transaction } from './transact.ts'

export interface JointPorts {
  readonly table: Table
  readonly requests: Requests
  readonly clock: TableClock
  readonly sightings: Sightings
  readonly fences: LastFences
  /** Gives back what is left of an earlier sending. */
  release(command: LockRelease, call: Call): Promise<unknown>
  /** Unlike any other: a transaction that is tried anew is another one to DynamoDB. */
  occasion(): string
}

export interface JointTask {
  readonly commands: readonly LockAcquire[]
  readonly call: Call
  readonly firstSentAtMs: number | undefined
}

/** One of the locks. `seen` is `undefined` as long as nobody has looked: then its hot expression is tried. */
interface Step {
  readonly command: LockAcquire
  readonly seen: Seen | undefined
}

/** `item` is `undefined` where the lock is ours already, by an earlier sending. */
interface Plan {
  readonly grant: Granted
  readonly item: TransactWriteItem | undefined
  readonly absenceWillDo?: boolean | undefined
}

/** So many others may change a record between our look and our write; each of them got something done. */
const MOST_ROUNDS = 10

/**
 * Several locks in one `TransactWriteItems`: a hot expression each, and for the locks that these refuse what the transition makes
 * of the item that came back, on condition that it is still so. A transaction does not return what it has written, so in a hot
 * expression the fence is named beforehand, on condition that it is larger than the last one.
 *
 * A process whose first request this is reads first: a fence that was named by a clock which nobody has checked could not be
 * taken back, because we would not know the one before.
 */
export class JointExecution {
  readonly #ports: JointPorts
  readonly #task: JointTask

  constructor(ports: JointPorts, task: JointTask) {
    this.#ports = ports
    this.#task = task
  }

  async run(): Promise<AcquiredAll> {
    let steps = await this.#begin()
    const sending = this.#stamp()
    for (let round = 0; round < MOST_ROUNDS; round++) {
      const planned = steps.map((step) => this.#plan(step, sending, round))
      const index = planned.findIndex(isRefusal)
      const refusal = planned[index]
      if (refusal && isRefusal(refusal)) {
        await this.#giveBack(planned)
        return { outcome: 'refused', index, reply: refusal }
      }
      const plans = planned as readonly Plan[]
      const learned = await this.#write(steps, plans)
      if (!learned) return this.#granted(plans)
      steps = learned
    }
    const names = this.#task.commands.map(({ key }) => `"${key}"`).join(', ')
    const message = `The records ${names} were changed by others ${MOST_ROUNDS} times in a row. Try again later.`
    throw new AlonceError('STORE_UNAVAILABLE', message, { maybeApplied: this.#task.call.resent })
  }

  #granted(plans: readonly Plan[]): AcquiredAll {
    const grants = plans.map(({ grant }) => grant)
    for (const [index, { key }] of this.#task.commands.entries()) this.#ports.fences.saw(key, grants[index]?.fence ?? 0)
    return { outcome: 'acquired', grants }
  }

  /** Looks at what can't be tried blindly: at as many as make the clock known; at all where it can't be. */
  async #begin(): Promise<readonly Step[]> {
    const { table, clock } = this.#ports
    const steps: Step[] = []
    for (const command of this.#task.commands) {
      const blind = clock.basis === 'server'
      steps.push({ command, seen: blind ? undefined : await table.get(command.key, this.#task.call) })
    }
    return steps
  }

  #stamp(): Sending {
    const instant = this.#ports.clock.instant()
    return { ...instant, sentAtMs: this.#task.firstSentAtMs ?? instant.latest }
  }

  #plan(step: Step, sending: Sending, round: number): Plan | Refusal {
    const { command, seen } = step
    const { table, sightings, fences } = this.#ports
    const named = { ...sending, leastFence: fences.next(command.key, sending.seed + 1) }
    if (!seen) return this.#hot(command, named, lockWrite(command, named))
    const before = seen.head?.record
    const moment = sightings.momentFor(command.key, seen, { ...sending, resent: this.#task.call.resent })
    const { record, reply } = transition(before, command, moment)
    const answer = answerOf(reply)
    if (answer.outcome !== 'acquired') return answer
    if (record === undefined || record === before) return { grant: answer, item: undefined }
    // Every other time: what its condition can't see does not change by itself.
    const mayJoin = before?.kind === 'lock' && sending.basis === 'server' && round % 2 === 1
    const write = mayJoin ? lockWriteOn(before, { command, outcome: answer.outcome }, named) : undefined
    if (write) return this.#hot(command, named, write)
    const head = { record, leaseMs: command.leaseMs, unclocked: sending.basis === 'wall' }
    return { grant: answer, item: { Put: table.replacementOf(command.key, head, before) } }
  }

  #hot({ key, leaseMs }: LockAcquire, { latest, leastFence }: Sending, write: HotWrite | undefined): Plan {
    invariant(write !== undefined, () => `there is no hot expression for an acquire of "${key}"`)
    const fence = leastFence as Granted['fence']
    return {
      grant: { outcome: 'acquired', fence, expiresAtMs: latest + leaseMs, tookOver: false },
      item: { Update: this.#ports.table.updateOf(key, write) },
      absenceWillDo: write.absenceWillDo,
    }
  }

  /** `undefined`: it is done; else what the refusals tell. */
  async #write(steps: readonly Step[], plans: readonly Plan[]): Promise<readonly Step[] | undefined> {
    const { requests, clock, occasion } = this.#ports
    const items = plans.flatMap(({ item }) => item ?? [])
    if (items.length === 0) return undefined
    const sent = clock.reading()
    const answer = await requests.deliver(transaction(items, occasion()), this.#task.call)
    if (!answer.refused) return undefined
    const look = { sent, received: clock.reading() }
    const reasons = (answer.reasons ?? []).values()
    return Promise.all(
      steps.map((step, index) => {
        const plan = plans[index]
        return plan?.item ? this.#learn(step, { plan, look, reason: reasons.next().value ?? {} }) : step
      }),
    )
  }

  /** A refusal without an item: there is none, or the client has left it out. */
  async #learn(
    step: Step,
    { plan, look, reason }: { readonly plan: Plan; readonly look: Look; readonly reason: CancellationReason },
  ): Promise<Step> {
    const { table } = this.#ports
    const { command } = step
    const { Code = 'None', Item: item } = reason
    if (isUnfit(Code)) {
      const message = `DynamoDB refused to write the record "${command.key}" (${Code}). It is damaged, or another program writes into this namespace.`
      throw new AlonceError('RECORD_UNREADABLE', message, { key: command.key })
    }
    // It was not this one that was refused, or it met another write: it is tried again as it is.
    if (Code !== 'ConditionalCheckFailed') return step
    if (!item && !plan.absenceWillDo) return { command, seen: await table.get(command.key, this.#task.call) }
    const head = table.decode(item, command.key)
    if (head) this.#ports.fences.saw(command.key, head.record.fence)
    return { command, seen: { head, look } }
  }

  /**
   * All were ours by an earlier sending, and one of them is not any more, by an operator's doing. What is left would be held by
   * nobody until its lease ends: best effort.
   */
  async #giveBack(planned: readonly (Plan | Refusal)[]): Promise<void> {
    for (const [index, { key, owner, share }] of this.#task.commands.entries()) {
      const plan = planned[index]
      if (!plan || isRefusal(plan) || plan.item) continue
      const command = { type: 'lock.release', key, owner, hint: share && 'shared' } as const
      await this.#ports.release(command, this.#task.call).catch(() => undefined)
    }
  }
}

const isRefusal = (planned: Plan | Refusal): planned is Refusal => 'outcome' in planned
