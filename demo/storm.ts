import { setTimeout as delay } from 'node:timers/promises'
import type { Answer } from '../functions/payments/handler.ts'
import type { AlonceEvent } from '../lib/events/events.ts'
import { Chance } from './chance.ts'
import type { Chronicle, Weight } from './chronicle.ts'
import type { Fleet, Outcome, Worker } from './fleet.ts'
import { type Fault, faultName, type Plan, type PlannedPayment } from './plan.ts'
import { postEvent } from './post-event.ts'
import { emptyTally, type Tally } from './tally.ts'
import { LostInTransit, type Parcel, type Transit } from './transit.ts'

export interface StormOptions {
  readonly plan: Plan
  readonly chronicle: Chronicle
  /** How many payments are under way at a time. */
  readonly width: number
  /** How long a client waits for an answer before it sends again. Milliseconds. */
  readonly patienceMs: number
  /** After this the clients give up. Milliseconds. */
  readonly limitMs: number
  readonly onProgress?: (answered: number) => void
}

/** One payment under way: its clients, and the faults that lie in wait for it. */
interface Case {
  readonly planned: PlannedPayment
  readonly faults: Fault[]
  /** Every definite answer that any client got for it, late ones included. They must all be one. */
  readonly answers: Set<string>
  unanswered: number
}

interface Delivery {
  readonly id: string
  readonly of: Case
  readonly worker: Worker
  replayed: boolean
  lost: boolean
}

const LONGEST_TRANSIT_MS = 25
/** Impatient clients: less than `Retry-After` asks for. */
const PAUSE_MS = { low: 100, high: 500 }

/**
 * Clients that send each payment several times at once and again until they are answered, and a network that kills, freezes
 * and cuts off the processes in the middle of it. Every request of every process passes `transit`: so a fault hits a
 * point of the code and not a moment of the clock.
 */
export class Storm {
  readonly tally: Tally = emptyTally()
  readonly hit = new Map<string, number>()
  readonly #options: StormOptions
  readonly #cases: readonly Case[]
  readonly #deliveries = new Map<string, Delivery>()
  readonly #chance: Chance
  #fleet: Fleet | undefined
  #answered = 0

  constructor(options: StormOptions) {
    this.#options = options
    this.#chance = new Chance(options.plan.seed ^ 0x5f0f)
    this.#cases = options.plan.payments.map((planned) => {
      return { planned, faults: [...planned.faults], answers: new Set(), unanswered: planned.copies }
    })
  }

  /** Payments that some client never got an answer for. */
  get unanswered(): string[] {
    return this.#cases.filter((one) => one.unanswered > 0).map((one) => one.planned.payment.paymentId)
  }

  /** Payments whose clients were told different things. */
  get contradicted(): string[] {
    return this.#cases.filter((one) => one.answers.size > 1).map((one) => one.planned.payment.paymentId)
  }

  async rage(fleet: Fleet): Promise<void> {
    this.#fleet = fleet
    const queue = [...this.#cases]
    const lane = async (): Promise<void> => {
      for (let next = queue.shift(); next; next = queue.shift()) await this.#settle(next)
    }
    await Promise.all(Array.from({ length: this.#options.width }, lane))
  }

  readonly transit: Transit = async (parcel, apply) => {
    const delivery = this.#deliveries.get(parcel.delivery ?? '')
    if (parcel.step === 'charge') this.tally.chargeRequests++
    if (!delivery) return apply()
    await delay(this.#chance.between(1, LONGEST_TRANSIT_MS))
    await this.#strike(delivery, parcel, 'before')
    const answer = await apply()
    await this.#strike(delivery, parcel, 'applied')
    return answer
  }

  readonly onEvent = (id: string, { event, kind, reason }: AlonceEvent): void => {
    const delivery = this.#deliveries.get(id)
    if (!delivery) return
    if (event === 'replayed') delivery.replayed = true
    if (event === 'took-over') this.tally.takeovers++
    if (event === 'lost' && !delivery.lost) {
      delivery.lost = true
      this.tally.zombies++
    }
    const what = kind === 'lock' ? 'account lock' : 'payment'
    const weight = event === 'took-over' || event === 'lost' ? 'notable' : event === 'rejected' ? 'routine' : 'step'
    this.#tell(delivery, `${what} ${event}${reason ? ` (${reason})` : ''}`, weight)
  }

  /** All clients of a payment, from the same moment on, until each has its answer. */
  async #settle(one: Case): Promise<void> {
    const copies = Array.from({ length: one.planned.copies }, (_, index) => this.#insist(one, index + 1))
    await Promise.all(copies)
    this.#options.onProgress?.(++this.#answered)
  }

  async #insist(one: Case, copy: number): Promise<void> {
    for (let attempt = 1; this.#options.chronicle.elapsedMs < this.#options.limitMs; attempt++) {
      if (await this.#deliver(one, `${one.planned.payment.paymentId}.${copy}.${attempt}`)) {
        one.unanswered--
        return
      }
      await delay(this.#chance.between(PAUSE_MS.low, PAUSE_MS.high))
    }
  }

  /** @returns whether the client got a definite answer. */
  async #deliver(one: Case, id: string): Promise<boolean> {
    const fleet = this.#fleet
    if (!fleet) throw new Error('Storm.transit was used before Storm.rage')
    const delivery: Delivery = { id, of: one, worker: await fleet.pick(), replayed: false, lost: false }
    this.#deliveries.set(id, delivery)
    this.tally.deliveries++
    this.#tell(delivery, `delivery ${id}`, id.endsWith('.1') ? 'step' : 'routine')
    const answering = delivery.worker
      .deliver(id, postEvent(one.planned.payment))
      .then((outcome) => this.#receive(delivery, outcome))
    const patience = new AbortController()
    const waited = delay(this.#options.patienceMs, false, { signal: patience.signal }).catch(() => false)
    const definite = await Promise.race([answering, waited])
    patience.abort()
    return definite
  }

  /** The answer has left the handler. It may come too late for its client, but it must not contradict the others. */
  async #receive(delivery: Delivery, outcome: Outcome): Promise<boolean> {
    if (outcome.kind === 'crashed') return this.#lose(delivery, 'its process has died')
    try {
      if (isDefinite(outcome)) await this.#strike(delivery, { delivery: delivery.id, step: 'reply' }, 'before')
    } catch (error) {
      if (!(error instanceof LostInTransit)) throw error
      return this.#lose(delivery, 'its answer was lost')
    }
    if (outcome.kind === 'threw') {
      this.tally.errors++
      this.#tell(delivery, `the handler threw: ${outcome.message}`, 'notable')
      return false
    }
    return this.#count(delivery, outcome.answer)
  }

  #lose(delivery: Delivery, why: string): boolean {
    this.tally.noAnswer++
    this.#tell(delivery, `no answer: ${why}`)
    return false
  }

  #count(delivery: Delivery, { statusCode = 200, body = '' }: Answer): boolean {
    const definite = isDefinite({ kind: 'answered', answer: { statusCode } })
    const text = `answer ${statusCode}${delivery.replayed ? ' (replay)' : ''} ${gist(body)}`
    this.#tell(delivery, text, statusCode === 409 ? 'routine' : 'step')
    if (definite) delivery.of.answers.add(`${statusCode} ${body}`)
    if (delivery.replayed) this.tally.replayed++
    else if (statusCode === 200) this.tally.charged++
    else if (statusCode === 402) this.tally.refused++
    else if (statusCode === 409 && body.includes('LOCK_HELD')) this.tally.accountBusy++
    else if (statusCode === 409) this.tally.inProgress++
    else this.tally.errors++
    return definite
  }

  /** Hits the process of this delivery if the payment's next fault lies in wait at this point. */
  async #strike(delivery: Delivery, { step }: Parcel, side: Fault['side']): Promise<void> {
    const [fault] = delivery.of.faults
    if (fault?.step !== step || fault.side !== side || !delivery.worker.up) return
    delivery.of.faults.shift()
    const name = faultName(fault)
    this.hit.set(name, (this.hit.get(name) ?? 0) + 1)
    switch (fault.blow) {
      case 'kill':
        this.tally.kills++
        this.#tell(delivery, `KILLED ${side} ${step}`, 'notable')
        this.#fleet?.kill(delivery.worker)
        throw new LostInTransit(name)
      case 'cut':
        this.tally.cuts++
        this.#tell(delivery, `CUT OFF ${side} ${step}`, 'notable')
        throw new LostInTransit(name)
      case 'freeze':
        this.tally.freezes++
        this.#tell(delivery, `FROZEN ${side} ${step} for ${fault.freezeMs} ms`, 'notable')
        await delivery.worker.freeze(fault.freezeMs)
        this.#tell(delivery, 'THAWED', 'notable')
    }
  }

  #tell({ of, worker }: Delivery, text: string, weight: Weight = 'step'): void {
    this.#options.chronicle.tell({ payment: of.planned.payment.paymentId, worker: worker.name, text, weight })
  }
}

const isDefinite = (outcome: Outcome): boolean =>
  outcome.kind === 'answered' && (outcome.answer.statusCode === 200 || outcome.answer.statusCode === 402)

/** What of an answer tells its reader something. */
function gist(body: string): string {
  const { chargeId, code, message } = JSON.parse(body) as { readonly [name: string]: unknown }
  return String(chargeId ?? code ?? message)
}
