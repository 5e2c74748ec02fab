import { expect } from 'vitest'
import type { AlonceEvent } from '../../../lib/events/events.ts'
import { lockKey } from '../../../lib/store/key.ts'
import type { LockRecord } from '../../../lib/store/record.ts'
import type { Store } from '../../../lib/store/store.ts'
import type { Wire } from '../../../lib/testing/wire.ts'
import type { Backend, Shared } from '../../support/backends.ts'
import { type ClientOptions, type SimulatedClient, World } from '../../support/world.ts'

/** The lease of most scenarios: long enough for every store. */
export const LEASE_MS = 30_000
/**
 * By then every store lets another take over what a dead holder had: DynamoDB knows its own time to a second or two, and
 * waits for the clock guard.
 */
export const SURELY_OVER_MS = LEASE_MS + 6000

/** One process: its clocks, its own way to the store, and what it was told. */
export interface Process {
  readonly client: SimulatedClient
  readonly store: Store
  readonly wire: Wire
  readonly events: AlonceEvent[]
  readonly onEvent: (event: AlonceEvent) => void
}

export interface Setting {
  readonly world: World
  readonly shared: Shared
  process(options?: ClientOptions): Process
  /** The record of the lock `key`, as somebody uninvolved reads it. */
  record(key: string): Promise<LockRecord | undefined>
}

export async function setUp(backend: Backend): Promise<Setting> {
  const world = new World()
  const shared = await backend.open(world)
  const process = (options?: ClientOptions): Process => {
    const client = world.client(options)
    const events: AlonceEvent[] = []
    return { client, ...shared.connect(client), events, onEvent: (event) => events.push(event) }
  }
  const onlooker = process()
  const record = async (key: string): Promise<LockRecord | undefined> => {
    const found = await onlooker.store.read(lockKey(key))
    if (found) expect(found.kind).toBe('lock')
    return found as LockRecord | undefined
  }
  return { world, shared, process, record }
}

export const names = (events: readonly AlonceEvent[]): string[] => events.map((event) => event.event)

/** Resolves never: a routine that is still at work when its process stops. */
export const forever = (): Promise<never> => new Promise(() => undefined)

/** The error that `promise` rejects with. */
export const errorOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => expect.unreachable('it should have been rejected'),
    (error: unknown) => error,
  )
