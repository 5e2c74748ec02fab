// A user's code, compiled against the packed library by an old TypeScript.
import { type AlonceError, makeIdempotent, makeLocked, withLock } from 'alonce'
import { idempotentBatch } from 'alonce/batch'
import { Idempotent, Locked } from 'alonce/decorators'
import { fetchIdempotency, httpIdempotency } from 'alonce/http'
import { memoryStore } from 'alonce/memory'

interface Payment {
  readonly id: string
  readonly account: string
}

const store = memoryStore()
const charge = async (payment: Payment): Promise<string> => payment.id
const locked = makeLocked(charge, { store, key: (payment) => ['account', payment.account] })
export const handler = makeIdempotent(locked, { store, operation: 'charge', key: (payment) => payment.id })

export const answer: Promise<string> = handler({ id: 'p1', account: 'a1' })
export const fence: Promise<number> = withLock({ store, key: 'nightly' }, (lock) => Number(lock.fence))
export const retry = (error: AlonceError): number | undefined => error.retryAfterMs

export class Payments {
  @Idempotent({ store, operation: 'charge', key: (payment: Payment) => payment.id })
  @Locked({ store, key: (payment: Payment) => ['account', payment.account] })
  async charge(payment: Payment): Promise<string> {
    return payment.id
  }
}
export const queue = idempotentBatch((record) => record.body, { store, operation: 'ship', key: (record) => record.messageId })
export const http = httpIdempotency(async (_event: object) => ({ statusCode: 201 }), { store, operation: 'pay' })
export const web = fetchIdempotency(async () => new Response('paid'), { store, operation: 'pay' })
