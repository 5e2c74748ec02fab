import type { AlonceEvent, EventName, OnEvent } from '../events/events.ts'
import { configInvalid } from '../store/errors.ts'

/** What we need of a `Logger` of `@aws-lambda-powertools/logger`. */
export interface PowertoolsLogger {
  debug(message: string, extra: { readonly alonce: AlonceEvent }): unknown
  info(message: string, extra: { readonly alonce: AlonceEvent }): unknown
  warn(message: string, extra: { readonly alonce: AlonceEvent }): unknown
}

/** What we need of a `Metrics` of `@aws-lambda-powertools/metrics`. */
export interface PowertoolsMetrics {
  /** One that prints what it is given at once, and leaves the user's own dimensions alone. */
  singleMetric(): {
    addDimension(name: string, value: string): unknown
    addMetric(name: string, unit: 'Count' | 'Milliseconds', value: number): unknown
  }
}

export interface PowertoolsOptions {
  readonly logger?: PowertoolsLogger | undefined
  readonly metrics?: PowertoolsMetrics | undefined
}

type Level = 'debug' | 'info' | 'warn'

/**
 * `debug`: what goes as planned. `info`: a duplicate, a contender, or a second run. `warn`: somebody's effect may run twice, or a
 * request was in vain.
 */
const LEVEL: { readonly [event in EventName]: Level } = {
  acquired: 'debug',
  waited: 'debug',
  renewed: 'debug',
  extended: 'debug',
  released: 'debug',
  started: 'debug',
  checkpointed: 'debug',
  completed: 'debug',
  held: 'info',
  skipped: 'info',
  'took-over': 'info',
  replayed: 'info',
  rejected: 'info',
  mismatch: 'info',
  abandoned: 'info',
  reconciled: 'info',
  'renewal-failed': 'warn',
  'release-failed': 'warn',
  'extend-failed': 'warn',
  'abandon-failed': 'warn',
  'checkpoint-failed': 'warn',
  'reconcile-failed': 'warn',
  'completion-failed': 'warn',
  lost: 'warn',
  'run-unprotected': 'warn',
}

/** Of these, the duration is how long it was held; of the others, how long the step took. */
const HELD: ReadonlySet<EventName> = new Set(['released', 'completed'])

/**
 * An `onEvent` that writes each event as a line of Powertools' Logger, and counts it in CloudWatch (EMF): `AlonceEvents`, and
 * `AlonceStepDuration` or `AlonceHeldDuration` in milliseconds, by the dimensions `service`, `kind`, `event` and, for idempotency,
 * `operation`. Keys are no dimension: each one would be a metric of its own on the bill.
 *
 * @throws AlonceError `CONFIG_INVALID`
 *
 * @example
 * const onEvent = powertoolsEvents({ logger: new Logger(), metrics: new Metrics() })
 * export const handler = makeIdempotent(charge, { store, operation: 'charge', key: (event) => event.paymentId, onEvent })
 */
export function powertoolsEvents({ logger, metrics }: PowertoolsOptions): OnEvent {
  if (!logger && !metrics) throw configInvalid('logger', 'or "metrics" is required: there is nothing else to tell.')
  if (logger && typeof logger.warn !== 'function') throw configInvalid('logger', 'must be a Logger of Powertools.')
  if (metrics && typeof metrics.singleMetric !== 'function') throw configInvalid('metrics', 'must be a Metrics of Powertools.')
  return (event) => {
    logger?.[levelOf(event.event)](`alonce: ${event.kind === 'lock' ? 'lock' : 'operation'} ${event.event}`, { alonce: event })
    if (metrics) count(metrics, event)
  }
}

/** One that is newer than this adapter is worth a line. */
const levelOf = (event: EventName): Level => LEVEL[event] ?? 'info'

function count(metrics: PowertoolsMetrics, event: AlonceEvent): void {
  const add = (name: string, unit: 'Count' | 'Milliseconds', value: number): void => {
    const metric = metrics.singleMetric()
    metric.addDimension('kind', event.kind)
    metric.addDimension('event', event.event)
    if (event.operation !== undefined) metric.addDimension('operation', event.operation)
    metric.addMetric(name, unit, value)
  }
  add('AlonceEvents', 'Count', 1)
  if (event.durationMs !== undefined) {
    add(HELD.has(event.event) ? 'AlonceHeldDuration' : 'AlonceStepDuration', 'Milliseconds', event.durationMs)
  }
}
