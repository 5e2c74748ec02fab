import type { Payment } from './payment.ts'
import { type Charge, OutcomeUnknown, type PaymentProvider } from './provider.ts'

export interface HttpProviderOptions {
  /** Where the provider listens, without a path: `https://api.provider.example`. */
  readonly url: string
  /** How long to wait for an answer. Milliseconds. Default: 5000. */
  readonly timeoutMs?: number
  /** Default: the global one. */
  readonly fetch?: typeof globalThis.fetch
}

/** A payment provider that takes an `Idempotency-Key` header, as Stripe does. */
export function httpProvider({ url, timeoutMs = 5000, fetch = globalThis.fetch }: HttpProviderOptions): PaymentProvider {
  return {
    async charge(payment: Payment, idempotencyKey: string | undefined): Promise<Charge> {
      const headers: Record<string, string> = { 'content-type': 'application/json' }
      if (idempotencyKey !== undefined) headers['idempotency-key'] = idempotencyKey
      const signal = AbortSignal.timeout(timeoutMs)
      try {
        const answer = await fetch(`${url}/charges`, { method: 'POST', headers, body: JSON.stringify(payment), signal })
        return chargeOf(answer.status, (await answer.json()) as Partial<Record<string, unknown>>)
      } catch (cause) {
        if (cause instanceof ProviderMisused) throw cause
        throw new OutcomeUnknown('The payment provider gave no clear answer: the charge may have been made or not.', { cause })
      }
    },
  }
}

/** A bug of ours, such as one key for two different charges: no number of retries will mend it. */
class ProviderMisused extends Error {
  override readonly name = 'ProviderMisused'
}

function chargeOf(status: number, body: Partial<Record<string, unknown>>): Charge {
  const { chargeId, reason } = body
  if (status === 200 && typeof chargeId === 'string') return { outcome: 'charged', chargeId }
  if (status === 402 && typeof reason === 'string') return { outcome: 'refused', reason }
  if (status === 400 || status === 422) throw new ProviderMisused(`The payment provider answered ${status}: ${String(reason)}`)
  throw new Error(`The payment provider answered ${status}`)
}
