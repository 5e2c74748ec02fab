import { type AlonceEvent, emit, type OnceEventName } from '../events/events.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Plan } from './options.ts'

export type Details = Partial<Omit<AlonceEvent, 'event' | 'kind' | 'store' | 'key' | 'operation'>>

/** Tells of one call's decisions, as they are made. */
export type Tell = (event: OnceEventName | 'run-unprotected', details?: Details) => void

export const tellerOf =
  (plan: Plan, key: string): Tell =>
  (event, details) =>
    emit({ event, kind: 'once', store: plan.store.name, key, operation: plan.operation, ...details }, plan.onEvent)

/** How long a step takes and how many requests it costs. */
export interface Step {
  readonly onRequest: () => void
  measured(): { readonly durationMs: number; readonly requests: number }
}

export function beginStep(clock: Clock): Step {
  const startedAt = clock.monotonic()
  let requests = 0
  return {
    onRequest: () => {
      requests++
    },
    measured: () => ({ durationMs: clock.monotonic() - startedAt, requests }),
  }
}
