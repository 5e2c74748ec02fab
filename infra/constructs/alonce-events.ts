import { type IMetric, MathExpression, Metric, type MetricOptions, Stats } from 'aws-cdk-lib/aws-cloudwatch'
import { Duration } from 'aws-cdk-lib/core'
import type { EventName } from '../../lib/events/events.ts'
import { configInvalid } from '../../lib/store/errors.ts'

/** Where the metrics of `alonce/powertools` are found: what the function's `Metrics` was given, or its environment. */
export interface EventSource {
  /** `POWERTOOLS_METRICS_NAMESPACE` */
  readonly namespace: string
  /** `POWERTOOLS_SERVICE_NAME` */
  readonly service: string
}

export interface EventMetricOptions extends MetricOptions {
  /** Of idempotency: one operation's. Default: all of the service's. */
  readonly operation?: string | undefined
}

/** Both stand in a query, between quotes. */
const NAMESPACE = /^[\w./#:-]{1,255}$/
const SERVICE = /^[\w.:/ -]{1,255}$/
const OPERATION = /^[^'"\\]{1,255}$/

/**
 * Metrics of a service whose functions give `powertoolsEvents({ metrics })` as their `onEvent`. Without that there are none.
 *
 * Where no operation is named, the metric is a query of Metrics Insights over all of them; both kinds can have alarms.
 *
 * @throws AlonceError `CONFIG_INVALID`
 */
export class AlonceEvents {
  readonly source: EventSource

  constructor({ namespace, service }: EventSource) {
    if (!NAMESPACE.test(namespace))
      throw configInvalid('namespace', 'must be a CloudWatch namespace of letters, digits and ". - _ / # :".')
    if (!SERVICE.test(service))
      throw configInvalid('service', 'must be the name of a service, of letters, digits, spaces and ". - _ / :".')
    this.source = { namespace, service }
  }

  /** Somebody else held the lock. */
  metricContention(options: MetricOptions = {}): Metric {
    return this.#lock('held', options)
  }

  /** A duplicate was answered from the record of the first. */
  metricReplays(options: EventMetricOptions = {}): IMetric {
    return this.#once('replayed', options)
  }

  /** A duplicate came while the first still ran. */
  metricRejections(options: EventMetricOptions = {}): IMetric {
    return this.#once('rejected', options)
  }

  /** A key came with another payload than before: a client's bug. */
  metricMismatches(options: EventMetricOptions = {}): IMetric {
    return this.#once('mismatch', options)
  }

  /** An attempt had crashed, and another took over. */
  metricTakeovers(options: EventMetricOptions = {}): IMetric {
    return this.#once('took-over', options)
  }

  /** How long locks were held. Milliseconds. */
  metricHeldDuration(options: MetricOptions = {}): Metric {
    const released = { kind: 'lock', event: 'released' }
    return this.#metric('AlonceHeldDuration', released, { statistic: Stats.percentile(99), ...options })
  }

  /** A holder or an attempt found that another may have taken its place: an effect may have happened twice. */
  metricLost(options: MetricOptions = {}): IMetric {
    return this.#query("event = 'lost'", { label: 'lost', ...options })
  }

  /** The work was done, and its result could not be written: it may be done again. */
  metricCompletionFailures(options: EventMetricOptions = {}): IMetric {
    return this.#once('completion-failed', options)
  }

  /** A step was done, and could not be noted: it may be done again. */
  metricCheckpointFailures(options: EventMetricOptions = {}): IMetric {
    return this.#once('checkpoint-failed', options)
  }

  /** The store did not answer, and the code ran all the same, because it was told to (`onStoreUnavailable`). */
  metricUnprotectedRuns(options: MetricOptions = {}): IMetric {
    return this.#query("event = 'run-unprotected'", { label: 'run-unprotected', ...options })
  }

  /** All events of locks (`lock`) or operations (`once`), a line for each. For graphs: an alarm takes one line only. */
  metricEvents(kind: 'lock' | 'once', options: MetricOptions = {}): IMetric {
    return this.#query(`kind = '${kind}' GROUP BY event`, { label: '', ...options })
  }

  #lock(event: EventName, options: MetricOptions): Metric {
    return this.#metric('AlonceEvents', { kind: 'lock', event }, { statistic: Stats.SUM, ...options })
  }

  #once(event: EventName, { operation, ...options }: EventMetricOptions): IMetric {
    if (operation === undefined) return this.#query(`event = '${event}'`, { label: event, ...options })
    if (!OPERATION.test(operation))
      throw configInvalid('operation', 'must be the operation that the function names, without quotes.')
    return this.#metric('AlonceEvents', { kind: 'once', event, operation }, { statistic: Stats.SUM, ...options })
  }

  #metric(metricName: string, dimensions: { readonly [name: string]: string }, options: MetricOptions): Metric {
    const { namespace, service } = this.source
    return new Metric({ namespace, metricName, dimensionsMap: { service, ...dimensions }, ...options })
  }

  /** Metrics Insights knows `AND` and no `OR`, and an alarm takes one query: hence a metric for each event. */
  #query(where: string, { period, label, color }: MetricOptions): MathExpression {
    const { namespace, service } = this.source
    return new MathExpression({
      expression: `SELECT SUM(AlonceEvents) FROM "${namespace}" WHERE service = '${service}' AND ${where}`,
      period: period ?? Duration.minutes(5),
      ...(label !== undefined && { label }),
      ...(color !== undefined && { color }),
    })
  }
}
