import { type AlonceEvent, emit, type LockEventName, type OnEvent } from '../events/events.ts'
import { boundedWait, type LambdaContext, type Lease, leaseFor, remainingMs } from '../runtime/invocation.ts'
import type { Share } from '../store/command.ts'
import { AlonceError, isAlonceError } from '../store/errors.ts'
import { type KeyPart, lockKey, lockName } from '../store/key.ts'
import type { RecordKey } from '../store/record.ts'
import type { Store } from '../store/store.ts'
import type { LockSettings } from './options.ts'

/** One call for one lock: its identity is frozen here, before anything is sent. */
export interface LockRequest {
  readonly store: Store
  readonly name: string
  readonly key: RecordKey
  readonly leaseMs: number | undefined
  readonly waitMs: number
  readonly share: Share | undefined
  readonly fair: boolean
  readonly reentrant: boolean
  readonly label: string | undefined
  readonly context: LambdaContext | undefined
  readonly onEvent: OnEvent | undefined
}

const LONGEST_REQUEST_ID = 64

export const MOST_KEYS = 25

/** The locks that `key` names, in the one order in which everybody takes them. @throws AlonceError `KEY_MISSING`, `KEY_INVALID` */
export function lockRequests<A extends readonly unknown[]>(
  settings: LockSettings<A>,
  key: KeyPart,
  context: LambdaContext | undefined,
): readonly [LockRequest, ...LockRequest[]] {
  if (!settings.several) return [lockRequest(settings, key, context)]
  if (!Array.isArray(key)) throw new AlonceError('KEY_INVALID', 'What "keys" returns must be an array of keys.')
  const byName = new Map(
    key.map((part: KeyPart) => lockRequest(settings, part, context)).map((request) => [request.name, request]),
  )
  const [first, ...others] = [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  if (!first) throw new AlonceError('KEY_MISSING', '"keys" names no lock. Give it at least one key.')
  if (others.length >= MOST_KEYS)
    throw new AlonceError('KEY_INVALID', `"keys" names ${byName.size} locks; at most ${MOST_KEYS} can be taken together.`)
  return [first, ...others]
}

function lockRequest<A extends readonly unknown[]>(
  settings: LockSettings<A>,
  key: KeyPart,
  context: LambdaContext | undefined,
): LockRequest {
  const { store, leaseMs, waitMs, share, fair, reentrant, onEvent } = settings
  const requestId = typeof context?.awsRequestId === 'string' ? context.awsRequestId.slice(0, LONGEST_REQUEST_ID) : undefined
  const label = settings.label ?? requestId
  return { store, name: lockName(key), key: lockKey(key), leaseMs, waitMs, share, fair, reentrant, label, context, onEvent }
}

/** The lease to ask for now: what is left of the invocation shrinks while we wait. */
export function leaseOf({ store, leaseMs, context }: LockRequest): Lease {
  const lease = leaseFor(leaseMs, remainingMs(context), store.capabilities.minLeaseMs)
  return { ...lease, leaseMs: Math.ceil(lease.leaseMs) }
}

/** A store bounds its calls by itself; near the invocation's end that bound is too long. */
const STORE_BOUND_MS = 3000

export function timeoutOf({ context }: LockRequest): number | undefined {
  const ms = boundedWait(STORE_BOUND_MS, remainingMs(context))
  return ms < STORE_BOUND_MS ? Math.max(1, Math.floor(ms)) : undefined
}

/** Time since `since`, by the clock that never jumps. */
export const elapsedMs = ({ store }: LockRequest, since: number): number => store.runtime.clock.monotonic() - since

export const monotonic = ({ store }: LockRequest): number => store.runtime.clock.monotonic()

type Details = Omit<AlonceEvent, 'event' | 'kind' | 'store' | 'key'>

export function tell(request: LockRequest, event: LockEventName | 'run-unprotected', details: Details = {}): void {
  emit({ event, kind: 'lock', store: request.store.name, key: request.key, ...details }, request.onEvent)
}

/** What an event says of an error: its code, never its message. */
export const codeOf = (error: unknown): Pick<AlonceEvent, 'code' | 'reason'> =>
  isAlonceError(error) ? { code: error.code, reason: error.code } : { reason: error instanceof Error ? error.name : 'unknown' }
