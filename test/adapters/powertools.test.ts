import { Logger } from '@aws-lambda-powertools/logger'
import { Metrics } from '@aws-lambda-powertools/metrics'
import { type AlonceEvent, makeIdempotent, withLock } from 'alonce'
import { memoryStore } from 'alonce/memory'
import { type PowertoolsOptions, powertoolsEvents } from 'alonce/powertools'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { World } from '../support/world.ts'

/** A line of the log, or of EMF, as CloudWatch reads it. */
interface Line {
  readonly level?: string
  readonly message?: string
  readonly alonce?: AlonceEvent
  readonly _aws?: {
    readonly CloudWatchMetrics: readonly {
      readonly Namespace: string
      readonly Dimensions: string[][]
      readonly Metrics: object[]
    }[]
  }
  readonly [member: string]: unknown
}

let lines: Line[]

beforeEach(() => {
  lines = []
  // In this mode both print by the console that the test can see.
  vi.stubEnv('POWERTOOLS_DEV', 'true')
  vi.stubEnv('POWERTOOLS_METRICS_DISABLED', 'false')
  for (const method of ['log', 'debug', 'info', 'warn', 'error'] as const) {
    vi.spyOn(console, method).mockImplementation((line: string) => void lines.push(JSON.parse(line) as Line))
  }
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllEnvs()
})

const logger = (): Logger => new Logger({ serviceName: 'payments', logLevel: 'DEBUG' })
const metrics = (): Metrics => new Metrics({ namespace: 'shop', serviceName: 'payments' })
const common = { kind: 'once', store: 'memory', key: 'once/pay/x', operation: 'pay' } as const

/** The metrics that arrived, each with its dimensions. */
const emitted = (): object[] =>
  lines.flatMap((line) =>
    (line._aws?.CloudWatchMetrics ?? []).flatMap(({ Namespace, Dimensions, Metrics: of }) =>
      of.map((metric) => {
        const { Name, Unit } = metric as { Name: string; Unit: string }
        const names = Dimensions.flat()
        return { Namespace, Name, Unit, value: line[Name], by: Object.fromEntries(names.map((name) => [name, line[name]])) }
      }),
    ),
  )

describe('the real Logger', () => {
  test('prints each event as a line of its own, with everything that is known', () => {
    powertoolsEvents({ logger: logger() })({ event: 'took-over', ...common, fence: 7, attempt: 2, durationMs: 3, requests: 1 })
    expect(lines).toMatchObject([
      {
        level: 'INFO',
        service: 'payments',
        message: 'alonce: operation took-over',
        alonce: { event: 'took-over', operation: 'pay', fence: 7, attempt: 2, durationMs: 3, requests: 1 },
      },
    ])
  })

  test.each([
    ['DEBUG', ['acquired', 'renewed', 'released', 'started', 'completed', 'extended']],
    ['INFO', ['took-over', 'replayed', 'rejected', 'mismatch', 'held', 'skipped', 'abandoned']],
    ['WARN', ['lost', 'completion-failed', 'run-unprotected', 'renewal-failed', 'release-failed', 'abandon-failed']],
  ] as const)('%s: %s', (level, events) => {
    const onEvent = powertoolsEvents({ logger: logger() })
    for (const event of events) onEvent({ event, ...common })
    expect(lines.map((line) => line.level)).toEqual(events.map(() => level))
  })

  test('an event that is newer than the adapter is a line all the same', () => {
    powertoolsEvents({ logger: logger() })({ ...common, event: 'enchanted' as AlonceEvent['event'] })
    expect(lines).toMatchObject([{ level: 'INFO', message: 'alonce: operation enchanted' }])
  })
})

describe('the real Metrics', () => {
  test('count an event, and measure its step, by event and operation', () => {
    powertoolsEvents({ metrics: metrics() })({ event: 'replayed', ...common, durationMs: 4.5 })
    const by = { service: 'payments', kind: 'once', event: 'replayed', operation: 'pay' }
    expect(emitted()).toEqual([
      { Namespace: 'shop', Name: 'AlonceEvents', Unit: 'Count', value: 1, by },
      { Namespace: 'shop', Name: 'AlonceStepDuration', Unit: 'Milliseconds', value: 4.5, by },
    ])
  })

  test('a lock has no operation, and its name is no dimension; how long it was held is a metric of its own', async () => {
    const world = new World()
    const client = world.client()
    const hold = (): Promise<void> => new Promise((done) => client.timer.after(1500, done))
    const onEvent = powertoolsEvents({ metrics: metrics() })
    await world.run(withLock({ store: memoryStore({ runtime: client }), key: 'account-7', onEvent }, hold))
    const by = (event: string): object => ({ service: 'payments', kind: 'lock', event })
    expect(emitted()).toEqual([
      { Namespace: 'shop', Name: 'AlonceEvents', Unit: 'Count', value: 1, by: by('acquired') },
      { Namespace: 'shop', Name: 'AlonceStepDuration', Unit: 'Milliseconds', value: 0, by: by('acquired') },
      { Namespace: 'shop', Name: 'AlonceEvents', Unit: 'Count', value: 1, by: by('released') },
      { Namespace: 'shop', Name: 'AlonceHeldDuration', Unit: 'Milliseconds', value: 1500, by: by('released') },
    ])
  })

  test('an event without a duration is only counted', () => {
    powertoolsEvents({ metrics: metrics() })({ event: 'lost', ...common, reason: 'expired' })
    expect(emitted()).toMatchObject([{ Name: 'AlonceEvents', value: 1 }])
  })

  test('the user’s own metrics and dimensions stay as they are', () => {
    const own = metrics()
    own.addDimension('tenant', 't1')
    own.addMetric('orders', 'Count', 3)
    powertoolsEvents({ metrics: own })({ event: 'started', ...common })
    own.publishStoredMetrics()
    expect(emitted()).toMatchObject([
      { Name: 'AlonceEvents', by: { service: 'payments', kind: 'once', event: 'started', operation: 'pay' } },
      { Name: 'orders', value: 3, by: { service: 'payments', tenant: 't1' } },
    ])
  })
})

test('neither result, nor payload, nor key, nor owner is printed', async () => {
  const client = new World().client()
  vi.spyOn(client.random, 'id').mockReturnValue('owner-4711')
  const pay = makeIdempotent(async (card: string) => ({ receipt: `r-${card}` }), {
    store: memoryStore({ runtime: client }),
    operation: 'pay',
    key: (card) => card,
    onEvent: powertoolsEvents({ logger: logger(), metrics: metrics() }),
  })
  await pay('4111111111111111')
  await pay('4111111111111111')
  const printed = JSON.stringify(lines)
  expect(printed).toContain('replayed')
  expect(printed).not.toMatch(/4111|owner-4711|r-/)
})

test('a logger that throws changes nothing for the code that is protected', async () => {
  const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
  const broken = () => {
    throw new Error('the log is full')
  }
  const onEvent = powertoolsEvents({ logger: { debug: broken, info: broken, warn: broken } })
  const pay = makeIdempotent(async () => 'paid', { store: memoryStore(), operation: 'pay', key: 'p1', onEvent })
  expect([await pay(), await pay()]).toEqual(['paid', 'paid'])
  expect(warned).toHaveBeenCalledWith(expect.stringContaining('the log is full'))
})

test.each<[string, PowertoolsOptions]>([
  ['logger', {}],
  ['logger', { logger: {} as never }],
  ['metrics', { metrics: {} as never }],
])('a wrong %s is refused at once', (option, wrong) => {
  expect(() => powertoolsEvents(wrong)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID', option }))
})
