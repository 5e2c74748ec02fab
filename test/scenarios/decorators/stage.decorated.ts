import type { IdempotencyOptions, LockOptions } from 'alonce'
import { Idempotent, Locked } from 'alonce/decorators'
import type { LambdaContext } from '../../../lib/runtime/invocation.ts'
import { backends } from '../../support/backends.ts'
import { type Actor, type Stage, stage } from '../idempotency/stage.ts'

export interface Payment {
  readonly id?: string | undefined
  account?: string
  tenant?: string
  amount?: number
}
type Args = [payment: Payment, context?: LambdaContext]
export type Run = (...args: Args) => unknown
export type Method = (...args: Args) => Promise<unknown>

interface Entrance {
  readonly standard: string
  once(run: Run, options: IdempotencyOptions<Args>): Method
  alone(run: Run, options: LockOptions<Args>): Method
}

type Decorator = ReturnType<typeof Idempotent>

/** As a compiler of the legacy standard does it. */
function legacy(run: Run, decorate: Decorator): Method {
  class Till {
    async call(...args: Args): Promise<unknown> {
      return run(...args)
    }
  }
  const { call } = Object.getOwnPropertyDescriptors(Till.prototype)
  Object.defineProperty(Till.prototype, 'call', decorate(Till.prototype, 'call', call as never))
  const till = new Till()
  return (...args) => till.call(...args)
}

export const entrances: readonly Entrance[] = [
  {
    standard: 'TC39',
    once: (run, options) => {
      class Till {
        @Idempotent(options)
        async call(...args: Args): Promise<unknown> {
          return run(...args)
        }
      }
      const till = new Till()
      return (...args) => till.call(...args)
    },
    alone: (run, options) => {
      class Till {
        @Locked(options)
        async call(...args: Args): Promise<unknown> {
          return run(...args)
        }
      }
      const till = new Till()
      return (...args) => till.call(...args)
    },
  },
  {
    standard: 'legacy',
    once: (run, options) => legacy(run, Idempotent(options)),
    alone: (run, options) => legacy(run, Locked(options) as Decorator),
  },
]

// Decorators do not know the store: one of the standards on each store but the first is enough.
export const places = backends.flatMap((backend, index) =>
  entrances.slice(0, index === 0 ? undefined : 1).map((entrance) => ({ ...entrance, backend, name: backend.name })),
)
type Place = (typeof places)[number]

export interface DecoratedStage extends Stage {
  readonly app: Actor
  once(run: Run, options?: Partial<IdempotencyOptions<Args>>, actor?: Actor): Method
  alone(run: Run, options?: Partial<LockOptions<Args>>, actor?: Actor): Method
}

export async function open({ backend, once, alone }: Place): Promise<DecoratedStage> {
  const s = await stage(backend)
  const app = s.actor()
  return {
    ...s,
    app,
    once: (run, more = {}, { store, onEvent } = app) =>
      once(run, { store, onEvent, operation: 'charge', key: (payment) => payment.id, ...more }),
    alone: (run, more = {}, { store, onEvent } = app) =>
      alone(run, { store, onEvent, key: (payment) => payment.account, waitMs: 0, ...more }),
  }
}
