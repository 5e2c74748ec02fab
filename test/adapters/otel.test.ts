import { context, metrics, SpanStatusCode, type Tracer, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import { type IdempotencyOptions, makeIdempotent, withLock } from 'alonce'
import { memoryStore } from 'alonce/memory'
import { activeTraceparent, otelEvents } from 'alonce/otel'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { backends } from '../support/backends.ts'
import { World } from '../support/world.ts'

let spans: InMemorySpanExporter
let points: InMemoryMetricExporter
let reader: PeriodicExportingMetricReader

beforeEach(() => {
  spans = new InMemorySpanExporter()
  points = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  reader = new PeriodicExportingMetricReader({ exporter: points, exportIntervalMillis: 3_600_000 })
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter: spans })] }))
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }))
})
afterEach(async () => {
  await reader.shutdown()
  for (const api of [context, trace, metrics]) api.disable()
})

const named = (name: string): ReadableSpan[] => spans.getFinishedSpans().filter((span) => span.name === name)
const epochMs = ([seconds, nanos]: ReadableSpan['startTime']): number => seconds * 1000 + nanos / 1e6

/** What arrived of one metric: its unit, and its values by the events that they belong to. */
async function arrived(name: string): Promise<{ unit: string | undefined; values: { [event: string]: unknown } }> {
  await reader.forceFlush()
  const all =
    points
      .getMetrics()
      .at(-1)
      ?.scopeMetrics.flatMap((scope) => scope.metrics) ?? []
  const metric = all.find(({ descriptor }) => descriptor.name === name)
  const values = (metric?.dataPoints ?? []).map(({ attributes, value }): [string, unknown] => [
    String(attributes['alonce.event']),
    value,
  ])
  return { unit: metric?.descriptor.unit, values: Object.fromEntries(values) }
}

/** A caller's span, in which `fn` runs. */
const inSpan = <R>(name: string, fn: () => Promise<R>): Promise<R> =>
  trace.getTracer('test').startActiveSpan(name, async (span) => {
    try {
      return await fn()
    } finally {
      span.end()
    }
  })

describe('spans', () => {
  test('a step is a span from its start to its end, under the caller’s', async () => {
    const world = new World()
    const client = world.client()
    const pay = makeIdempotent(() => new Promise((done) => client.timer.after(250, () => done('paid'))), {
      store: memoryStore({ runtime: client }),
      operation: 'pay',
      key: 'p1',
      onEvent: otelEvents({ clock: client.clock }),
    })
    await world.run(inSpan('request', pay))
    const [parent] = named('request')
    const [ran] = named('alonce once completed')
    expect(ran?.parentSpanContext?.spanId).toBe(parent?.spanContext().spanId)
    expect(epochMs(ran?.endTime ?? [0, 0])).toBe(world.now)
    expect(epochMs(ran?.startTime ?? [0, 0])).toBe(world.now - 250)
    expect(ran?.attributes).toMatchObject({
      'alonce.event': 'completed',
      'alonce.kind': 'once',
      'alonce.operation': 'pay',
      'alonce.store': 'memory',
      'alonce.key': expect.stringMatching(/^once\/pay\/[\w-]{43}$/),
      'alonce.attempt': 1,
    })
    expect(named('alonce once started')).toHaveLength(1)
  })

  test('a decision that took no time is an event of the active span, or a span without length', async () => {
    const onEvent = otelEvents()
    const lost = {
      event: 'lost',
      kind: 'lock',
      store: 'memory',
      key: 'lock/a',
      reason: 'expired',
      code: 'LEASE_EXPIRED',
    } as const
    await inSpan('request', async () => onEvent(lost))
    onEvent(lost)
    expect(named('request')[0]?.events).toMatchObject([
      { name: 'alonce.lost', attributes: { 'alonce.key': 'lock/a', 'alonce.reason': 'expired', 'error.type': 'LEASE_EXPIRED' } },
    ])
    expect(named('alonce lock lost')).toMatchObject([{ duration: [0, 0], status: { code: SpanStatusCode.ERROR } }])
  })

  test('what has failed has the status of an error, what was refused has not', () => {
    const onEvent = otelEvents()
    const common = { kind: 'once', store: 'memory', key: 'once/pay/x', durationMs: 1 } as const
    for (const event of ['completion-failed', 'extend-failed', 'rejected', 'run-unprotected'] as const)
      onEvent({ event, ...common })
    expect(spans.getFinishedSpans().map(({ name, status }) => [name, status.code])).toEqual([
      ['alonce once completion-failed', SpanStatusCode.ERROR],
      ['alonce once extend-failed', SpanStatusCode.ERROR],
      ['alonce once rejected', SpanStatusCode.UNSET],
      ['alonce once run-unprotected', SpanStatusCode.UNSET],
    ])
  })

  test('neither result, nor payload, nor key, nor owner arrives', async () => {
    const client = new World().client()
    const ids = vi.spyOn(client.random, 'id').mockReturnValue('owner-4711')
    const pay = makeIdempotent(async (card: string) => ({ receipt: `r-${card}` }), {
      store: memoryStore({ runtime: client }),
      operation: 'pay',
      key: (card) => card,
      onEvent: otelEvents(),
    })
    await pay('4111111111111111')
    await pay('4111111111111111')
    expect(ids).toHaveBeenCalled()
    const told = JSON.stringify(
      spans.getFinishedSpans().map(({ name, attributes, events, links }) => ({ name, attributes, events, links })),
    )
    expect(told).toContain('replayed')
    expect(told).not.toMatch(/4111|owner-4711|r-/)
    await reader.forceFlush()
    expect(JSON.stringify(points.getMetrics())).not.toMatch(/4111|owner-4711|once\//)
  })
})

describe.each(backends)('a replay on $name', (backend) => {
  const setUp = async (more: Partial<IdempotencyOptions<[id: string, size: number]>> = {}) => {
    const world = new World()
    const { store } = (await backend.open(world)).connect(world.client())
    const pay = makeIdempotent(async (_id: string, size: number) => 'x'.repeat(size), {
      store,
      operation: 'pay',
      key: (id) => id,
      onEvent: otelEvents(),
      traceparent: activeTraceparent,
      leaseMs: 30_000,
      ...more,
    })
    return (name: string, size = 1) => world.run(inSpan(name, () => pay('p1', size)))
  }

  test.each([1, 500_000])('is linked to the trace of the call that had the result (%i characters)', async (size) => {
    // Larger than a head: its result lies apart, and is not compressed away.
    const codec = { id: 'plain', encode: () => new Uint8Array(size).map((_, i) => (i * i * 31) % 251), decode: () => 'fresh' }
    const call = await setUp({ codec })
    await call('original', size)
    await call('duplicate', size)
    const [original, duplicate] = [named('original')[0], named('duplicate')[0]]
    const [replay] = named('alonce once replayed')
    const { traceId, spanId, traceFlags } = original?.spanContext() ?? {}
    expect(replay?.links).toMatchObject([{ context: { traceId, spanId, traceFlags } }])
    expect(replay?.spanContext().traceId).toBe(duplicate?.spanContext().traceId)
    expect(traceId).not.toBe(duplicate?.spanContext().traceId)
  })

  test.each<[string, () => string | undefined]>([
    ['gives none', () => undefined],
    ['gives something else', () => 'Root=1-5759e988-bd862e3fe1be46a994272793'],
    [
      'throws',
      () => {
        throw new Error('no tracing today')
      },
    ],
  ])('has no link where the option %s', async (_what, traceparent) => {
    const call = await setUp({ traceparent })
    await call('original')
    expect(await call('duplicate')).toBe('x')
    expect(named('alonce once replayed')[0]?.links).toEqual([])
  })
})

describe('activeTraceparent', () => {
  test('is the active span’s, and nothing where there is none', async () => {
    expect(activeTraceparent()).toBeUndefined()
    const inside = await inSpan('request', async () => activeTraceparent())
    const { traceId, spanId } = named('request')[0]?.spanContext() ?? {}
    expect(inside).toBe(`00-${traceId}-${spanId}-01`)
  })
})

describe('metrics', () => {
  test('count events and requests, and measure steps and holding in seconds', async () => {
    const world = new World()
    const client = world.client()
    const store = memoryStore({ runtime: client })
    const hold = (): Promise<void> => new Promise((done) => client.timer.after(1500, done))
    await world.run(withLock({ store, key: 'a', onEvent: otelEvents() }, hold))
    expect(await arrived('alonce.events')).toEqual({ unit: '{event}', values: { acquired: 1, released: 1 } })
    expect(await arrived('alonce.requests')).toMatchObject({ unit: '{request}' })
    const held = await arrived('alonce.held.duration')
    expect(held).toMatchObject({ unit: 's', values: { released: { count: 1, sum: 1.5 } } })
    expect(await arrived('alonce.step.duration')).toMatchObject({ unit: 's', values: { acquired: { count: 1, sum: 0 } } })
  })

  test('a meter and a tracer of one’s own are used, and the global ones left alone', async () => {
    const own = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
    const ownReader = new PeriodicExportingMetricReader({ exporter: own, exportIntervalMillis: 3_600_000 })
    const provider = new MeterProvider({ readers: [ownReader] })
    const ownSpans = new InMemorySpanExporter()
    const tracer = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter: ownSpans })] }).getTracer('own')
    const onEvent = otelEvents({ meter: provider.getMeter('own'), tracer })
    onEvent({ event: 'acquired', kind: 'lock', store: 'memory', key: 'lock/a', durationMs: 2, requests: 1 })
    await ownReader.forceFlush()
    expect(own.getMetrics()[0]?.scopeMetrics[0]?.scope.name).toBe('own')
    expect(ownSpans.getFinishedSpans()).toHaveLength(1)
    expect(spans.getFinishedSpans()).toEqual([])
    expect((await arrived('alonce.events')).values).toEqual({})
    await provider.shutdown()
  })

  test('what is no tracer or no meter is refused at once', () => {
    expect(() => otelEvents({ tracer: {} as Tracer })).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', option: 'tracer' }),
    )
    expect(() => otelEvents({ meter: {} as never })).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID', option: 'meter' }))
  })
})

test('a tracer that throws changes nothing for the code that is protected', async () => {
  const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
  const tracer = {
    startSpan: () => {
      throw new Error('the exporter is broken')
    },
  } as unknown as Tracer
  const pay = makeIdempotent(async () => 'paid', {
    store: memoryStore(),
    operation: 'pay',
    key: 'p1',
    onEvent: otelEvents({ tracer }),
  })
  expect([await pay(), await pay()]).toEqual(['paid', 'paid'])
  expect(warned).toHaveBeenCalledWith(expect.stringContaining('the exporter is broken'))
  warned.mockRestore()
})
