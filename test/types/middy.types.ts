// Compiled, never run: what the middlewares must infer under middy, and what they must refuse.
import middy from '@middy/core'
import { type Fence, type Lock, makeIdempotent, makeLocked, type Operation, type Store } from 'alonce'
import { aloncePlugin, idempotent, locked } from 'alonce/middy'
import type { Context } from 'aws-lambda'
import middy6 from 'middy6'

interface ChargeEvent {
  paymentId: string
  accountId: string
}
declare const store: Store
declare const context: Context
type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const check = <T extends true>(): T | undefined => undefined
const charge = async (event: ChargeEvent, _context: Context) => ({ id: event.paymentId })

// Wrappers inside middy: the first choice.
export const wrapped = middy(makeIdempotent(charge, { store, operation: 'charge', key: (event) => event.paymentId }))
export const answer: Promise<{ id: string }> = wrapped({ paymentId: 'p', accountId: 'a' }, context)
export const both = middy<ChargeEvent>().handler(
  makeIdempotent(makeLocked(charge, { store, key: (event) => ['account', event.accountId] }), {
    store,
    operation: 'charge',
    key: (event) => event.paymentId,
  }),
)

// Middlewares: keys annotate their event, the context is typed through use().handler().
export const chained = middy<ChargeEvent>({ ...aloncePlugin(), timeoutEarlyInMillis: 0 })
  .use(idempotent({ store, operation: 'charge', key: (event: ChargeEvent) => event.paymentId }))
  .use(locked({ store, key: (event: ChargeEvent) => ['account', event.accountId] }))
  .handler(async (event, { alonce, awsRequestId }) => {
    check<Equal<typeof event, ChargeEvent>>()
    check<Equal<typeof alonce.lock, Lock>>()
    check<Equal<typeof alonce.operation, Operation>>()
    const fence: Fence = alonce.lock.fence
    return { id: event.paymentId, fence, attempt: alonce.operation.attempt, awsRequestId }
  })

// The event comes from the key alone.
export const inferred = middy()
  .use(
    idempotent({ store, operation: 'charge', key: (event: ChargeEvent) => event.paymentId, scope: (event) => event.accountId }),
  )
  .handler(async (event) => event.accountId)
// A key that does not look at the event leaves the handler's types alone.
export const fixed = middy<ChargeEvent>()
  .use(locked({ store, key: 'nightly', onHeld: 'skip' }))
  .handler(async (event) => {
    check<Equal<typeof event, ChargeEvent>>()
    return event.paymentId
  })
export const unlocked = middy()
  .use(locked({ store, key: 'nightly', onStoreUnavailable: 'run-unprotected' }))
  .handler(async (_event, { alonce }) => {
    check<Equal<typeof alonce.lock, Lock | undefined>>()
    return alonce.lock?.fence
  })
export const configured = middy(aloncePlugin({ requestEnd: async ({ response }) => response, timeoutEarlyResponse: () => 408 }))

// middy 6 knows the same middlewares.
export const six = middy6<ChargeEvent>({
  timeoutEarlyInMillis: 0,
  requestEnd: aloncePlugin().requestEnd as () => Promise<unknown>,
})
  .use(idempotent({ store, operation: 'charge', key: (event: ChargeEvent) => event.paymentId }))
  .use(locked({ store, key: (event: ChargeEvent) => ['account', event.accountId] }))
  .handler(async (event, { alonce }) => {
    check<Equal<typeof alonce.lock, Lock>>()
    check<Equal<typeof alonce.operation, Operation>>()
    return { id: event.paymentId, fence: alonce.lock.fence }
  })

// Misuse fails.
// @ts-expect-error an event that is not annotated is unknown, never any
export const m1 = locked({ store, key: (event) => event.accountId })
// @ts-expect-error operation is required
export const m2 = idempotent({ store, key: (event: ChargeEvent) => event.paymentId })
// @ts-expect-error unknown member of the event
export const m3 = idempotent({ store, operation: 'charge', key: (event: ChargeEvent) => event.nope })
// @ts-expect-error a context belongs to a request, not to a middleware
export const m4 = locked({ store, key: 'k', context })
// @ts-expect-error no such hook
export const m5 = aloncePlugin({ requestStop: () => undefined })
export const m6 = middy<ChargeEvent>()
  .use(locked({ store, key: (event: ChargeEvent) => event.accountId }))
  // @ts-expect-error the handler's event keeps its type
  .handler(async (event) => event.nope)
export const m7 = middy<ChargeEvent>()
  .use(locked({ store, key: 'k' }))
  // @ts-expect-error only idempotent() brings an operation
  .handler(async (_event, { alonce }) => alonce.operation)
