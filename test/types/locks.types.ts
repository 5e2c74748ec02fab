// Compiled, never run: what the types of locks infer, and what they refuse.
import type { APIGatewayProxyEventV2, APIGatewayProxyResultV2, Context, Handler } from 'aws-lambda'
import {
  acquireLock,
  currentLock,
  type Fence,
  type Lock,
  type LockEnd,
  type LockOptions,
  makeLocked,
  releaseAll,
  type Store,
  tryAcquireLock,
  withLock,
} from '../../lib/index.ts'

declare const store: Store
interface Order {
  readonly id: string
  readonly amount: number
}

// withLock: the result is the routine's, and may be missing where the run may be skipped
export const w1: Promise<number> = withLock({ store, key: ['account', 7] }, async (lock) => Number(lock.fence))
export const w2: Promise<number | undefined> = withLock({ store, key: 'nightly', onHeld: 'skip' }, async () => 1)
export const w3: Promise<string> = withLock({ store, key: 'sync' }, (lock) => lock.name)
export const w4: Promise<boolean> = withLock(
  { store, key: 'k', onStoreUnavailable: 'run-unprotected' },
  (lock) => lock === undefined,
)
export const w5: Promise<boolean | undefined> = withLock(
  { store, key: 'k', onHeld: 'skip', onStoreUnavailable: 'run-unprotected' },
  (lock) => lock === undefined,
)
export const w6: Promise<number> = withLock({ store, key: () => ['a', 1], leaseMs: 3000, waitMs: 0, label: 'me' }, () => 1)
// @ts-expect-error it may have been skipped
export const w7: Promise<number> = withLock({ store, key: 'nightly', onHeld: 'skip' }, async () => 1)
// @ts-expect-error there may be no lock
export const w8 = withLock({ store, key: 'k', onStoreUnavailable: 'run-unprotected' }, (lock) => lock.fence)
// @ts-expect-error options not known until run time may skip
export const w9: (options: LockOptions) => Promise<number> = (options) => withLock(options, () => 1)
// @ts-expect-error a key is required
export const w10 = withLock({ store }, () => 1)
// @ts-expect-error a date is no key
export const w11 = withLock({ store, key: new Date() }, () => 1)
// @ts-expect-error not an option
export const w12 = withLock({ store, key: 'k', fair: true }, () => 1)
// @ts-expect-error not a choice
export const w13 = withLock({ store, key: 'k', onHeld: 'wait' }, () => 1)
// @ts-expect-error nobody gives a key function of withLock an argument
export const w14 = withLock({ store, key: (order: Order) => order.id }, () => 1)

// makeLocked: arguments, result and `this` stay as they are
export const m1 = makeLocked(async (order: Order) => ({ fence: currentLock().fence, id: order.id }), {
  store,
  key: (order) => order.id,
})
export const m1r: Promise<{ fence: Fence; id: string }> = m1({ id: 'x', amount: 1 })
export const m2: Handler<Order, number> = makeLocked(
  async (order: Order, context: Context) => order.amount + context.logGroupName.length,
  {
    store,
    key: (order, context) => [order.id, context.functionName],
  },
)
export const m3: Promise<string> = makeLocked((user: string, text: string) => user + text, { store, key: (user) => user })(
  'a',
  'b',
)
export const m4: Promise<number | undefined> = makeLocked(async () => 1, { store, key: 'nightly', onHeld: 'skip' })()
export const m5: Handler<APIGatewayProxyEventV2, APIGatewayProxyResultV2> = makeLocked(
  async (event: APIGatewayProxyEventV2, context: Context): Promise<APIGatewayProxyResultV2> => ({
    statusCode: 200,
    body: event.rawPath + context.awsRequestId,
  }),
  { store, key: (event) => event.headers['x-account'] },
)
export class Account {
  readonly id = 7
  readonly settle = makeLocked(
    async function (this: Account, dryRun: boolean) {
      return dryRun ? this.id : 0
    },
    { store, key: 'settle' },
  )
}
export const m6: Promise<number> = new Account().settle(true)
// @ts-expect-error it may have been skipped
export const m7: Promise<number> = makeLocked(async () => 1, { store, key: 'nightly', onHeld: 'skip' })()
// @ts-expect-error unknown member
export const m8 = makeLocked(async (order: Order) => order.amount, { store, key: (order) => order.nope })
// @ts-expect-error the key takes a number, the function a string
export const m9 = makeLocked(async (id: string) => id, { store, key: (id: number) => id })
// @ts-expect-error one context for all calls would be another invocation's
export const m10 = makeLocked(async () => 1, { store, key: 'k', context: { getRemainingTimeInMillis: () => 1 } })
// @ts-expect-error an argument is missing
export const m11 = m1()
// @ts-expect-error called as a method only
export const m12 = (settle: Account['settle']): unknown => settle(true)

// handles
export const a1: Promise<Lock> = acquireLock({ store, key: 'k', waitMs: 100 })
export const a2: Promise<Lock | undefined> = tryAcquireLock({ store, key: 'k' })
export async function a3(): Promise<LockEnd> {
  await using lock = await acquireLock({ store, key: 'k' })
  return lock.signal.reason.reason
}
export const a4: Promise<{ readonly released: number }> = releaseAll(store)
// @ts-expect-error it never waits
export const a5 = tryAcquireLock({ store, key: 'k', waitMs: 100 })
// @ts-expect-error it throws, or has the lock
export const a6 = acquireLock({ store, key: 'k', onHeld: 'skip' })
// @ts-expect-error any number is no fence
export const a7: Fence = 7
