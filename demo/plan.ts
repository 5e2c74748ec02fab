import type { Payment } from '../functions/payments/payment.ts'
import { Chance } from './chance.ts'

/** The requests of a payment that goes well, in their order, and the handler's answer to its client. */
export const STEPS = ['once.begin', 'lock.acquire', 'charge', 'lock.release', 'once.complete', 'reply'] as const
export type Step = (typeof STEPS)[number]

/**
 * Where a process can be hit. Every await of a handler is a request, and between two of them it touches nothing outside of
 * itself: "answered, and not yet gone on" of one request is "not yet sent" of the next. So two sides of each are all there are.
 *
 * - `before`: the request has not arrived, or the handler has finished and nobody has heard of it (`reply`);
 * - `applied`: it has done its work, and its answer has not come back.
 */
export interface Point {
  readonly step: Step
  readonly side: 'before' | 'applied'
}

/** A process is killed, or stopped until its leases have ended; or a request or answer is lost on its way. */
export type Blow = 'kill' | 'freeze' | 'cut'

export interface Fault extends Point {
  readonly blow: Blow
  /** How long a frozen process stays so. Milliseconds. */
  readonly freezeMs: number
}

export interface PlannedPayment {
  readonly payment: Payment
  /** How often it is delivered at the same moment. */
  readonly copies: number
  /** They hit whichever delivery of the payment comes to that point, one after the other. */
  readonly faults: readonly Fault[]
}

export interface Plan {
  readonly seed: number
  readonly payments: readonly PlannedPayment[]
  readonly declined: ReadonlySet<string>
}

export interface Range {
  readonly low: number
  readonly high: number
}

export interface PlanOptions {
  readonly seed: number
  readonly payments: number
  readonly freezeMs: Range
}

export const POINTS: readonly Point[] = STEPS.flatMap((step): Point[] =>
  step === 'reply'
    ? [{ step, side: 'before' }]
    : [
        { step, side: 'before' },
        { step, side: 'applied' },
      ],
)
const BLOWS: readonly Blow[] = ['kill', 'freeze', 'cut']

/** Each point with each blow: what a storm should have tried at least once. */
export const ALL_FAULTS: readonly Omit<Fault, 'freezeMs'>[] = POINTS.flatMap((point) => BLOWS.map((blow) => ({ ...point, blow })))

export const faultName = ({ blow, side, step }: Omit<Fault, 'freezeMs'>): string => `${blow} ${side} ${step}`

/** Every third payment is hit twice: the second time, it is the attempt that took over. */
const HIT_TWICE = 3
const DECLINED_SHARE = 12

export function planStorm(options: PlanOptions): Plan {
  const chance = new Chance(options.seed)
  const numbers = Array.from({ length: options.payments }, (_, index) => index + 1)
  const faults = dealFaults(chance, options)
  const declined = new Set(numbers.filter((number) => number % DECLINED_SHARE === 0).map((number) => `card-declined-${number}`))
  const accounts = Math.ceil(options.payments / 2)
  const payments = numbers.map((number): PlannedPayment => {
    const accountId = number % DECLINED_SHARE === 0 ? `card-declined-${number}` : `account-${chance.between(1, accounts)}`
    const payment = { paymentId: `p${number}`, accountId, amountMinor: chance.between(100, 99_999), currency: 'EUR' }
    return { payment, copies: chance.between(2, 4), faults: faults.splice(0, number % HIT_TWICE === 0 ? 2 : 1) }
  })
  return { seed: options.seed, payments: chance.shuffled(payments), declined }
}

/**
 * As cards are dealt: none comes twice before all have come once. Those between the charge and the completion, which are
 * the ones that cost a customer money, come first, so that a small storm has them too.
 */
function dealFaults(chance: Chance, { payments, freezeMs }: PlanOptions): Fault[] {
  const wanted = payments + Math.floor(payments / HIT_TWICE)
  const dealt: Fault[] = []
  while (dealt.length < wanted) {
    const deck = [
      ...chance.shuffled(ALL_FAULTS.filter(isCostly)),
      ...chance.shuffled(ALL_FAULTS.filter((fault) => !isCostly(fault))),
    ]
    dealt.push(...deck.map((fault) => ({ ...fault, freezeMs: chance.between(freezeMs.low, freezeMs.high) })))
  }
  return dealt.slice(0, wanted)
}

const isCostly = ({ step, side }: Point): boolean =>
  (step === 'charge' && side === 'applied') || step === 'lock.release' || (step === 'once.complete' && side === 'before')
