import {
  type Attributes,
  type Counter,
  type Histogram,
  isSpanContextValid,
  type Link,
  type Meter,
  metrics,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api'
import type { AlonceEvent, EventName, OnEvent } from '../events/events.ts'
import { type Clock, systemClock } from '../runtime/clock.ts'
import { configInvalid } from '../store/errors.ts'

export interface OtelOptions {
  /** Default: `alonce` of the global tracer provider. */
  readonly tracer?: Tracer | undefined
  /** Default: `alonce` of the global meter provider, as it is at the first event. */
  readonly meter?: Meter | undefined
  /** What spans end by. Default: the system's. */
  readonly clock?: Clock | undefined
}

/** Of these, the duration is how long it was held; of the others, how long the step took. */
const HELD: ReadonlySet<EventName> = new Set(['released', 'completed'])
const FAILED = /^lost$|-failed$/

/**
 * An `onEvent` that gives OpenTelemetry a span for each step that took time (`alonce once replayed`, from its start to its end),
 * an event on the active span for each decision that took none, and the metrics `alonce.events`, `alonce.requests`,
 * `alonce.step.duration` and `alonce.held.duration` (seconds). A replay's span is linked to the call that had the result, if that
 * one had the option `traceparent: activeTraceparent`.
 *
 * @throws AlonceError `CONFIG_INVALID`
 *
 * @example
 * const onEvent = otelEvents()
 * makeIdempotent(charge, { store, operation: 'charge', key: (event) => event.paymentId, onEvent, traceparent: activeTraceparent })
 */
export function otelEvents(options: OtelOptions = {}): OnEvent {
  const { tracer = trace.getTracer('alonce'), meter, clock = systemClock } = options
  if (typeof tracer.startSpan !== 'function') throw configInvalid('tracer', 'must be a Tracer of OpenTelemetry.')
  if (meter && typeof meter.createHistogram !== 'function') throw configInvalid('meter', 'must be a Meter of OpenTelemetry.')
  let instruments = meter && instrumentsOf(meter)
  return (event) => {
    instruments ??= instrumentsOf(metrics.getMeter('alonce'))
    record(instruments, event)
    draw(tracer, event, clock.wall())
  }
}

/** The active span, as a W3C `traceparent`: for the option of that name. `undefined` where nothing is traced. */
export function activeTraceparent(): string | undefined {
  const span = trace.getActiveSpan()?.spanContext()
  if (!span || !isSpanContextValid(span)) return undefined
  return `00-${span.traceId}-${span.spanId}-${span.traceFlags.toString(16).padStart(2, '0')}`
}

function draw(tracer: Tracer, event: AlonceEvent, nowMs: number): void {
  const attributes = { ...dimensions(event), ...particulars(event) }
  const active = trace.getActiveSpan()
  if (event.durationMs === undefined && active?.isRecording()) {
    active.addEvent(`alonce.${event.event}`, attributes, nowMs)
    return
  }
  const span = tracer.startSpan(`alonce ${event.kind} ${event.event}`, {
    startTime: nowMs - (event.durationMs ?? 0),
    attributes,
    links: linksOf(event),
  })
  if (FAILED.test(event.event)) span.setStatus({ code: SpanStatusCode.ERROR })
  span.end(nowMs)
}

function linksOf({ traceparent }: AlonceEvent): Link[] {
  const [, traceId, spanId, flags] = traceparent?.split('-') ?? []
  if (!traceId || !spanId || !flags) return []
  return [{ context: { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true } }]
}

interface Instruments {
  readonly events: Counter
  readonly requests: Counter
  readonly steps: Histogram
  readonly holds: Histogram
}

/** An SDK's own boundaries are for milliseconds. */
const STEP_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const HELD_SECONDS = [0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900]

const instrumentsOf = (meter: Meter): Instruments => ({
  events: meter.createCounter('alonce.events', { unit: '{event}', description: 'Decisions of locks and of idempotency' }),
  requests: meter.createCounter('alonce.requests', { unit: '{request}', description: 'Requests sent to the store' }),
  steps: meter.createHistogram('alonce.step.duration', {
    unit: 's',
    description: 'How long a step took',
    advice: { explicitBucketBoundaries: STEP_SECONDS },
  }),
  holds: meter.createHistogram('alonce.held.duration', {
    unit: 's',
    description: 'How long a lock was held, or an operation ran',
    advice: { explicitBucketBoundaries: HELD_SECONDS },
  }),
})

function record({ events, requests, steps, holds }: Instruments, event: AlonceEvent): void {
  const attributes = dimensions(event)
  events.add(1, attributes)
  if (event.requests) requests.add(event.requests, attributes)
  if (event.durationMs === undefined) return
  const histogram = HELD.has(event.event) ? holds : steps
  histogram.record(event.durationMs / 1000, attributes)
}

/** What metrics are told apart by: few values each. A key would make a series of its own for every payment. */
const dimensions = ({ event, kind, store, operation, code }: AlonceEvent): Attributes =>
  given({ 'alonce.event': event, 'alonce.kind': kind, 'alonce.store': store, 'alonce.operation': operation, 'error.type': code })

const particulars = ({ key, fence, attempt, requests, holder, reason }: AlonceEvent): Attributes =>
  given({
    'alonce.key': key,
    'alonce.fence': fence,
    'alonce.attempt': attempt,
    'alonce.requests': requests,
    'alonce.holder': holder,
    'alonce.reason': reason,
  })

function given(attributes: Attributes): Attributes {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined))
}
