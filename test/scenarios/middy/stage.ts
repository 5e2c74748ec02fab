import middy from '@middy/core'
import middy6 from 'middy6'
import { lockKey } from '../../../lib/store/key.ts'
import type { LockRecord } from '../../../lib/store/record.ts'
import { backends } from '../../support/backends.ts'
import { type Actor, type Stage, stage } from '../idempotency/stage.ts'

type Middy = typeof middy

/** Both majors: they differ in how they share `internal`, and in when they call `requestEnd`. */
export const majors: readonly { readonly major: number; readonly middy: Middy }[] = [
  { major: 6, middy: middy6 as unknown as Middy },
  { major: 7, middy },
]

export const hosts = backends.flatMap((backend) => majors.map((host) => ({ ...host, backend, name: backend.name })))
type Host = (typeof hosts)[number]

/** Every middyfied handler, whatever its types. */
type Callable = (event: never, context: never) => unknown

export interface Payment {
  readonly id: string
  account: string
  amount: number
}
export const payment = (id: string): Payment => ({ id, account: 'a1', amount: 5 })

export interface MiddyStage extends Stage {
  readonly middy: Middy
  /** The process that the handlers run in. */
  readonly app: Actor
  /** Options of `idempotent`, under the payment's id. */
  readonly once: ReturnType<typeof onceOptions>
  /** Options of `locked`, on the payment's account. */
  readonly alone: ReturnType<typeof aloneOptions>
  /** One invocation that goes on while the test does something else: time stands still for it, unless the test moves it. */
  start(handler: Callable, event: unknown, context?: object): Promise<unknown>
  /** One invocation, run to its end. */
  call(handler: Callable, event: unknown, context?: object): Promise<unknown>
  /** Who holds the account's lock, as an onlooker sees it. */
  holder(account?: string): Promise<LockRecord['holder']>
}

export async function open({ backend, middy }: Host): Promise<MiddyStage> {
  const base = await stage(backend)
  const app = base.actor()
  const onlooker = base.actor()
  const start: MiddyStage['start'] = async (handler, event, context = {}) => handler(event as never, context as never)
  return {
    ...base,
    middy,
    app,
    once: onceOptions(app),
    alone: aloneOptions(app),
    start: (...args) => {
      const ended = start(...args)
      ended.catch(() => undefined) // the test looks at it later
      return ended
    },
    call: (...args) => base.world.run(start(...args)),
    holder: async (account = 'a1') =>
      ((await base.world.run(onlooker.store.read(lockKey(account)))) as LockRecord | undefined)?.holder,
  }
}

export const onceOptions = ({ store, onEvent }: Actor) => ({
  store,
  onEvent,
  operation: 'charge',
  key: (event: Payment) => event.id,
})

export const aloneOptions = ({ store, onEvent }: Actor) => ({ store, onEvent, key: (event: Payment) => event.account, waitMs: 0 })

/** An invocation whose time is up as soon as the handler says so: middy's early time-out fires a moment later. */
export function invocation(ms: number): { readonly context: object; readonly timeIsUp: () => void } {
  let left = ms
  const timeIsUp = (): void => {
    left = 6
  }
  return { context: { getRemainingTimeInMillis: () => left }, timeIsUp }
}

/** A middleware that answers early, in the way that all its readers know. */
export const answering = (value: unknown) => ({ before: () => value })

export const throwing = (error: unknown) => ({
  before: () => {
    throw error
  },
})
