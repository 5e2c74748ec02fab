import type { AlonceEvent } from 'alonce'
import { onceKey } from '../../../lib/idempotency/key.ts'
import type { LambdaContext } from '../../../lib/runtime/invocation.ts'
import type { KeyPart } from '../../../lib/store/key.ts'
import type { OnceRecord, RecordKey } from '../../../lib/store/record.ts'
import type { Backend, Connection, Shared } from '../../support/backends.ts'
import { type ClientOptions, type SimulatedClient, World } from '../../support/world.ts'

/** The shortest lease that every store takes. */
export const LEASE = 3000
/** After this long, every store lets another attempt take over a lease that has ended: the clock's interval and guard. */
export const GRACE = 5000

export interface Actor extends Connection {
  readonly client: SimulatedClient
  /** What was told to this actor's `onEvent`. */
  readonly events: AlonceEvent[]
  readonly onEvent: (event: AlonceEvent) => void
  named(event: AlonceEvent['event']): readonly AlonceEvent[]
}

/** One world, one store, and as many processes as a scenario needs. */
export interface Stage {
  readonly world: World
  readonly shared: Shared
  actor(options?: ClientOptions): Actor
  /** The record as another client reads it. */
  record(operation: string, key: KeyPart): Promise<OnceRecord | undefined>
  /** A context of Lambda whose invocation has `ms` left from now. */
  lambda(ms: number, awsRequestId?: string): LambdaContext
}

export async function stage(backend: Backend): Promise<Stage> {
  const world = new World()
  const shared = await backend.open(world)
  const actor = (options?: ClientOptions): Actor => {
    const client = world.client(options)
    const events: AlonceEvent[] = []
    const onEvent = (event: AlonceEvent): void => void events.push(event)
    return { client, ...shared.connect(client), events, onEvent, named: (name) => events.filter((event) => event.event === name) }
  }
  const onlooker = actor()
  const record = async (operation: string, key: KeyPart): Promise<OnceRecord | undefined> =>
    (await world.run(onlooker.store.read(onceKey(operation, { key })))) as OnceRecord | undefined
  const lambda = (ms: number, awsRequestId?: string): LambdaContext => {
    const deadline = world.now + ms
    return { getRemainingTimeInMillis: () => deadline - world.now, awsRequestId }
  }
  return { world, shared, actor, record, lambda }
}

/** A handler's work, to be finished by the test: `begun` resolves when it runs. */
export interface Work<T> {
  readonly begun: Promise<void>
  readonly run: () => Promise<T>
  finish(value: T): void
  fail(error: unknown): void
}

export function work<T = string>(): Work<T> {
  const begun = Promise.withResolvers<void>()
  const end = Promise.withResolvers<T>()
  end.promise.catch(() => undefined)
  const run = (): Promise<T> => {
    begun.resolve()
    return end.promise
  }
  return { begun: begun.promise, run, finish: end.resolve, fail: end.reject }
}

/** What became of a promise, as a value. */
export async function outcome(promise: Promise<unknown>): Promise<{ readonly value: unknown } | { readonly error: unknown }> {
  try {
    return { value: await promise }
  } catch (error) {
    return { error }
  }
}

/** What a store is asked to do, as one reads it in a failing assertion. */
export const keyOf = (operation: string, key: KeyPart): RecordKey => onceKey(operation, { key })
