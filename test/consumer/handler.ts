// A user's code, compiled against the packed library by an old TypeScript.
import { type AlonceError, makeIdempotent, makeLocked, withLock } from 'alonce'
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
