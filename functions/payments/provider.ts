import type { Payment } from './payment.ts'

/** The port to whoever moves the money: Stripe, Adyen, the ledger of the demo. */
export interface PaymentProvider {
  /**
   * Charges the account, once for each idempotency key: a provider that knows the key gives the first charge's answer again.
   *
   * @throws OutcomeUnknown when no clear answer came: the charge may have been made or not.
   */
  charge(payment: Payment, idempotencyKey: string | undefined): Promise<Charge>
}

/** The provider's definite answers. */
export type Charge = Charged | Refused

export interface Charged {
  readonly outcome: 'charged'
  readonly chargeId: string
}

/** No money has moved, and none will for this request: the card was declined, say. */
export interface Refused {
  readonly outcome: 'refused'
  readonly reason: string
}

/** Neither success nor failure. Asking again under the same idempotency key is the only safe way to find out. */
export class OutcomeUnknown extends Error {
  override readonly name = 'OutcomeUnknown'
}
