import { Logger } from '@aws-lambda-powertools/logger'
import { Metrics } from '@aws-lambda-powertools/metrics'
import type { OnEvent } from 'alonce'
import { powertoolsEvents } from 'alonce/powertools'

const namespace = process.env['POWERTOOLS_METRICS_NAMESPACE']
const serviceName = process.env['POWERTOOLS_SERVICE_NAME']

/** Lines of the log, and the metrics that the stack's alarms and dashboard show. Nothing where no namespace is set. */
export const telemetry: { readonly onEvent?: OnEvent } =
  namespace && serviceName
    ? { onEvent: powertoolsEvents({ logger: new Logger({ serviceName }), metrics: new Metrics({ namespace, serviceName }) }) }
    : {}
