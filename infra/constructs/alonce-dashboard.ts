import { Dashboard, GraphWidget, type IMetric, type IWidget, TextWidget } from 'aws-cdk-lib/aws-cloudwatch'
import { Construct } from 'constructs'
import { AlonceEvents, type EventSource } from './alonce-events.ts'
import type { AlonceTableAccess } from './alonce-table-access.ts'

export interface AlonceDashboardProps {
  readonly table: AlonceTableAccess
  /** The services that use the table and send their events to CloudWatch (`alonce/powertools`). Default: none. */
  readonly services?: readonly EventSource[] | undefined
  /** Default: CloudFormation's choice. */
  readonly dashboardName?: string | undefined
}

const WIDTH = 8
const FULL_WIDTH = 24

/** What is refused, replayed and waited for; how the table does; and for each service what became of its calls. */
export class AlonceDashboard extends Construct {
  readonly dashboard: Dashboard

  constructor(scope: Construct, id: string, { table, services = [], dashboardName }: AlonceDashboardProps) {
    super(scope, id)
    this.dashboard = new Dashboard(this, 'Dashboard', {
      ...(dashboardName !== undefined && { dashboardName }),
      widgets: [
        [heading(`# Alonce: table ${table.tableName}`)],
        tableRow(table),
        ...services.flatMap((source) => [[heading(`## ${source.service}`)], serviceRow(new AlonceEvents(source))]),
      ],
    })
  }
}

const tableRow = (table: AlonceTableAccess): IWidget[] => [
  graph('Refused conditional writes', [
    table.metricRefusals({ label: 'held, in progress, replayed' }),
    table.metricConflicts({ label: 'met a transaction' }),
  ]),
  graph('Not served', [table.metricThrottles({ label: 'throttled' }), table.metricSystemErrors({ label: 'failed' })]),
  graph(
    'Write units, and latency of a write',
    [table.metricWriteUnits({ label: 'units' })],
    [table.metricLatency({ label: 'ms' })],
  ),
]

const serviceRow = (events: AlonceEvents): IWidget[] => [
  graph('Operations, by event', [events.metricEvents('once')]),
  graph('Locks, by event', [events.metricEvents('lock')]),
  graph('How long locks are held', [events.metricHeldDuration({ label: 'ms (p99)' })]),
]

const heading = (markdown: string): IWidget => new TextWidget({ markdown, width: FULL_WIDTH, height: 1 })

const graph = (title: string, left: IMetric[], right: IMetric[] = []): IWidget =>
  new GraphWidget({ title, width: WIDTH, left, right, leftYAxis: { min: 0 }, rightYAxis: { min: 0 } })
