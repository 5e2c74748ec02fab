// Compiled, never run: what the types must infer, and what they must refuse.

import type { TransactWriteCommandInput } from '@aws-sdk/lib-dynamodb'
import {
  type Codec,
  currentOperation,
  type IdempotencyOptions,
  makeIdempotent,
  makeLocked,
  type Operation,
  type Store,
  withIdempotency,
} from 'alonce'
import type { APIGatewayProxyEventV2, APIGatewayProxyResultV2, Context, Handler } from 'aws-lambda'

declare const store: Store
declare const context: Context
interface Order {
  readonly id: string
  readonly amount: number
}
const same = <T>(value: T): T => value
type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const check = <T extends true>(): T | undefined => undefined

// The arguments and the result are the function's own.
export const charge = makeIdempotent(async (order: Order) => ({ ok: currentOperation().attempt, id: order.id }), {
  store,
  operation: 'charge',
  key: (order) => order.id,
  fingerprint: (order) => ({ amount: order.amount }),
})
check<Equal<ReturnType<typeof charge>, Promise<{ ok: number; id: string }>>>()
check<Equal<Parameters<typeof charge>, [order: Order]>>()

// A handler of Lambda stays one; a shorter key function may be annotated.
export const handler: Handler<Order, { ok: number }> = makeIdempotent(
  async (_order: Order, context: Context) => ({ ok: context.memoryLimitInMB.length }),
  { store, operation: 'charge', key: (order, context) => [order.id, context.functionName] },
)
export const annotated: Handler<Order, { ok: number }> = makeIdempotent(
  async (order: Order, _context: Context) => ({ ok: order.amount }),
  { store, operation: 'charge', key: (order: Order) => order.id },
)
export const http: Handler<APIGatewayProxyEventV2, APIGatewayProxyResultV2> = makeIdempotent(
  async (_event: APIGatewayProxyEventV2, context: Context): Promise<APIGatewayProxyResultV2> => ({
    statusCode: 200,
    body: context.awsRequestId,
  }),
  {
    store,
    operation: 'http',
    key: (event) => event.headers['idempotency-key'],
    scope: (event) => event.requestContext.accountId,
  },
)

// A synchronous function becomes asynchronous; several arguments; a union result.
export const joined = makeIdempotent((user: string, topic: string) => user + topic, {
  store,
  operation: 'send',
  key: (user, topic) => [user, topic],
})
check<Equal<ReturnType<typeof joined>, Promise<string>>>()

// `this` is kept: the wrapped method can only be called on what the method can.
class Shop {
  readonly fee = 1
  readonly pay = makeIdempotent(
    function (this: Shop, order: Order) {
      return this.fee + order.amount
    },
    { store, operation: 'pay', key: (order) => order.id },
  )
}
export const paid: Promise<number> = new Shop().pay({ id: 'x', amount: 1 })
const { pay } = new Shop()
// @ts-expect-error `this` must be a Shop
export const unbound = pay({ id: 'x', amount: 1 })

// Wrapped wrappers infer.
export const both = makeIdempotent(makeLocked(charge, { store, key: (order) => ['account', order.id] }), {
  store,
  operation: 'charge',
  key: (order) => order.id,
})
check<Equal<ReturnType<typeof both>, Promise<{ ok: number; id: string }>>>()

// Running now gives the operation and its result.
export const now: Promise<string> = withIdempotency({ store, operation: 'email', key: 'o1', context }, async (operation) => {
  same<Operation>(operation)
  return operation.downstreamKey('mail')
})
export const computed: Promise<number> = withIdempotency({ store, operation: 'email', key: () => ['a', 1] }, () => 1)
check<Equal<Operation['fence'] extends number ? true : false, true>>()

// A checkpoint has its function's value; a transaction its result. lib-dynamodb's items are items.
export const kept: Promise<{ id: string }> = currentOperation().checkpoint('charge', async () => ({ id: 'ch_1' }))
export const moved: Promise<{ moved: number }> = currentOperation().transact(
  [{ Put: { TableName: 't', Item: { id: 'a', tags: new Set(['x']), none: undefined } } }],
  { moved: 5 },
)
declare const written: NonNullable<TransactWriteCommandInput['TransactItems']>
export const theirs: Promise<number> = currentOperation().transact(written, 5)
// @ts-expect-error an item without its table
export const t1 = currentOperation().transact([{ Put: { Item: { id: 'a' } } }], 5)
// @ts-expect-error no such action
export const t2 = currentOperation().transact([{ Insert: { TableName: 't', Item: {} } }], 5)

export const reconciled: Promise<string> = withIdempotency(
  {
    store,
    operation: 'x',
    key: 'k',
    onCrash: {
      reconcile: async ({ attempt, checkpoints, downstreamKey }) => {
        if (checkpoints['charge'] === undefined) return attempt > 3 ? 'hold' : 'retry'
        return { result: downstreamKey('charge') }
      },
    },
  },
  () => 'ran',
)
// @ts-expect-error no such decision
export const t3 = withIdempotency({ store, operation: 'x', key: 'k', onCrash: { reconcile: () => 'rerun' } }, () => 1)

const bytes: Codec = { id: 'bytes', encode: (value) => value as Uint8Array, decode: (encoded) => encoded }
export const shared = {
  store,
  codec: bytes,
  failure: (error) => (error instanceof RangeError ? 'store' : 'retry'),
} satisfies Partial<IdempotencyOptions<[Order]>>

// Misuse fails.
// @ts-expect-error operation is required
export const m1 = makeIdempotent(async (order: Order) => order.amount, { store, key: (order) => order.id })
// @ts-expect-error key is required
export const m2 = makeIdempotent(async (order: Order) => order.amount, { store, operation: 'x' })
// @ts-expect-error unknown member of the argument
export const m3 = makeIdempotent(async (order: Order) => order.amount, { store, operation: 'x', key: (order) => order.nope })
// @ts-expect-error a Date is no key
export const m4 = makeIdempotent(async (_at: Date) => 1, { store, operation: 'x', key: (at) => at })
// @ts-expect-error a promise is no key
export const m5 = makeIdempotent(async (order: Order) => order, { store, operation: 'x', key: async (order) => order.id })
// @ts-expect-error no such policy
export const m6 = withIdempotency({ store, operation: 'x', key: 'k', onCrash: 'ignore' }, () => 1)
// @ts-expect-error a misspelt option
export const m7 = withIdempotency({ store, operation: 'x', key: 'k', fingerprnt: () => 1 }, () => 1)
// @ts-expect-error a fixed context would be shared by every call: it is recognised among the arguments
export const m8 = makeIdempotent(async (order: Order) => order, { store, operation: 'x', key: 'k', context })
// @ts-expect-error the result is a number
export const m9: Promise<string> = withIdempotency({ store, operation: 'x', key: 'k' }, async () => 1)
// @ts-expect-error a shorter call than the function's
export const m10 = charge()
