import { type Channel, channel } from 'node:diagnostics_channel'
import type { ErrorCode } from '../store/errors.ts'

const OF_BOTH = ['waited', 'lost', 'run-unprotected'] as const
const OF_LOCKS = ['acquired', 'held', 'renewed', 'renewal-failed', 'released', 'release-failed', 'skipped'] as const
const OF_OPERATIONS = [
  'started',
  'took-over',
  'replayed',
  'rejected',
  'mismatch',
  'extended',
  'extend-failed',
  'checkpointed',
  'checkpoint-failed',
  'reconciled',
  'reconcile-failed',
  'completed',
  'completion-failed',
  'abandoned',
  'abandon-failed',
] as const

export type LockEventName = 'waited' | 'lost' | (typeof OF_LOCKS)[number]
export type OnceEventName = 'waited' | 'lost' | (typeof OF_OPERATIONS)[number]
export type EventName = LockEventName | OnceEventName | 'run-unprotected'

/** Looked up once: to find a channel by its name takes as long as all else that an event takes. */
const CHANNELS: { readonly [event in EventName]: Channel } = /* @__PURE__ */ channels()

function channels(): { readonly [event in EventName]: Channel } {
  const names: readonly EventName[] = [...OF_BOTH, ...OF_LOCKS, ...OF_OPERATIONS]
  return Object.fromEntries(names.map((name) => [name, channel(`alonce:${name}`)])) as { [event in EventName]: Channel }
}

/** A decision, told as it is made. It never carries payloads, results, owners or raw idempotency keys. */
export interface AlonceEvent {
  readonly event: EventName
  readonly kind: 'lock' | 'once'
  /** The store's name. */
  readonly store: string
  /** The record's key: a lock's name is readable in it, an idempotency key is hashed. */
  readonly key: string
  readonly operation?: string | undefined
  readonly fence?: number | undefined
  readonly attempt?: number | undefined
  /** How long the step took, or for `released` and `completed` how long it was held. Milliseconds. */
  readonly durationMs?: number | undefined
  /** Requests sent to the store for this step. */
  readonly requests?: number | undefined
  /** The label of who holds the record, when it is not us. */
  readonly holder?: string | undefined
  /** Why: `lost`, `expired`, `uncertain`, … or an error code. */
  readonly reason?: string | undefined
  readonly code?: ErrorCode | undefined
  /** Of `replayed`: the trace in which the result came about, where the option `traceparent` gave one. */
  readonly traceparent?: string | undefined
}

export type OnEvent = (event: AlonceEvent) => void

/** Without a listener these are worth a line: somebody's effect may run twice, or already has. */
const WARN: ReadonlySet<EventName> = new Set(['lost', 'completion-failed', 'checkpoint-failed', 'run-unprotected'])

/**
 * Publishes on `node:diagnostics_channel` as `alonce:<event>` and gives the event to `onEvent`. Without `onEvent`, `lost`,
 * `completion-failed`, `checkpoint-failed` and `run-unprotected` print one line of JSON as a warning. A listener that throws changes nothing
 * for the code that is protected: its error is reported as a process warning.
 */
export function emit(event: AlonceEvent, onEvent: OnEvent | undefined): void {
  const topic = CHANNELS[event.event]
  if (topic.hasSubscribers) topic.publish(event)
  if (onEvent) {
    try {
      onEvent(event)
    } catch (error) {
      process.emitWarning(`alonce: onEvent threw on "${event.event}": ${error instanceof Error ? error.message : 'not an Error'}`)
    }
  } else if (WARN.has(event.event)) {
    console.warn(JSON.stringify({ alonce: event.event, ...event }))
  }
}
