import { currentOperation, isAlonceError, makeIdempotent, makeLocked, type OnEvent, type Store } from 'alonce'
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda'
import { isProblem, type Payment, parsePayment } from './payment.ts'
import { type Charge, OutcomeUnknown, type PaymentProvider } from './provider.ts'

export interface PaymentsOptions {
  readonly store: Store
  readonly provider: PaymentProvider
  /** Default: Alonce's own, the invocation's remaining time. */
  readonly leaseMs?: number
  readonly onEvent?: OnEvent
}

export type Answer = APIGatewayProxyStructuredResultV2
export type PaymentsHandler = (event: APIGatewayProxyEventV2, context: Context) => Promise<Answer>

/** POST /payments: each payment charges its account once, and an account has one charge under way at a time. */
export function paymentsHandler({ store, provider, ...alonce }: PaymentsOptions): PaymentsHandler {
  // The context is not used here: Alonce finds it among the arguments and bounds leases and waits by its remaining time.
  const charge = (payment: Payment, _context: Context, call: Call): Promise<Charge> => {
    call.ran = true
    return provider.charge(payment, currentOperation().downstreamKey('charge'))
  }

  // A refusal is a result like any other: stored, and replayed. A charge of unknown outcome throws, so that its record is
  // given back: the next attempt asks the provider again, under the same downstream key.
  const chargeOnce = makeIdempotent(makeLocked(charge, { ...alonce, store, key: (payment) => ['account', payment.accountId] }), {
    ...alonce,
    store,
    operation: 'charge',
    key: (payment) => payment.paymentId,
    fingerprint: (payment) => ({ ...payment }),
  })

  return async (event, context) => {
    const payment = parsePayment(event)
    if (isProblem(payment)) return json(400, { message: payment.problem })
    const call: Call = { ran: false }
    try {
      const answer = answerTo(payment, await chargeOnce(payment, context, call))
      return call.ran ? answer : asReplay(answer)
    } catch (error) {
      return answerToError(error)
    }
  }
}

/** What came of an invocation that did not charge itself comes from the record. */
interface Call {
  ran: boolean
}

const asReplay = (answer: Answer): Answer => ({
  ...answer,
  headers: { ...answer.headers, 'Idempotency-Replayed': 'true' },
})

/** Shared with the demo's unprotected handler: the two differ in how they charge, and in nothing else. */
export const answerTo = (payment: Payment, charge: Charge): Answer =>
  charge.outcome === 'charged'
    ? json(200, { paymentId: payment.paymentId, chargeId: charge.chargeId })
    : json(402, { paymentId: payment.paymentId, message: charge.reason })

/** Answers that ask the client to come again; anything else is a bug, which Lambda reports and API Gateway answers with 500. */
export function answerToError(error: unknown): Answer {
  if (error instanceof OutcomeUnknown || isAlonceError(error, 'OUTCOME_UNCERTAIN')) {
    const message = 'Whether the payment was made is not known yet. Send it again, under the same paymentId.'
    return json(503, { message }, { 'Retry-After': '1' })
  }
  if (!isAlonceError(error) || error.statusCode === 500) throw error
  const message = error.expose ? error.message : 'The payment could not be handled now. Send it again, under the same paymentId.'
  return json(error.statusCode, { code: error.code, message, retryAfterMs: error.retryAfterMs }, error.headers)
}

const json = (statusCode: number, body: object, headers: { readonly [name: string]: string } = {}): Answer => ({
  statusCode,
  headers: { 'content-type': 'application/json', ...headers },
  body: JSON.stringify(body),
})
