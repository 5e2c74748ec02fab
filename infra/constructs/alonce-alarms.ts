import {
  Alarm,
  type AlarmProps,
  ComparisonOperator,
  type IAlarmAction,
  type IMetric,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch'
import { Construct } from 'constructs'
import { AlonceEvents, type EventSource } from './alonce-events.ts'
import type { AlonceTableAccess } from './alonce-table-access.ts'

export interface AlonceAlarmsProps {
  readonly table: AlonceTableAccess
  /** The services that use the table and send their events to CloudWatch (`alonce/powertools`). Default: none. */
  readonly services?: readonly EventSource[] | undefined
  /** Whom to tell. Default: nobody; the alarms are seen in CloudWatch. */
  readonly actions?: readonly IAlarmAction[] | undefined
}

type Watch = Pick<AlarmProps, 'metric' | 'threshold' | 'alarmDescription'> & Partial<AlarmProps>

/** Alarms for what somebody has to look at. Contention, duplicates and replays are what the library is for: the dashboard has them. */
export class AlonceAlarms extends Construct {
  readonly all: readonly Alarm[]

  constructor(scope: Construct, id: string, { table, services = [], actions = [] }: AlonceAlarmsProps) {
    super(scope, id)
    this.all = [
      this.#alarm('Throttled', {
        metric: table.metricThrottles(),
        threshold: 1,
        evaluationPeriods: 2,
        alarmDescription:
          "Requests to Alonce's table are throttled: one key takes more than 1,000 write units a second, or the table's maximum is too low.",
      }),
      this.#alarm('SystemErrors', {
        metric: table.metricSystemErrors(),
        threshold: 5,
        evaluationPeriods: 2,
        alarmDescription: 'DynamoDB fails by itself. The library tries again; look at AWS Health.',
      }),
      ...services.flatMap((source) => this.#unsafe(new AlonceEvents(source))),
    ]
    for (const alarm of this.all) alarm.addAlarmAction(...actions)
  }

  /** Somebody's effect may have happened twice, or its result is not kept. */
  #unsafe(events: AlonceEvents): Alarm[] {
    const { service } = events.source
    const look = `Look for "alonce" in the log of ${service}.`
    const watched: { readonly [id: string]: readonly [IMetric, string] } = {
      Lost: [events.metricLost(), 'a lease was lost, and another may have begun meanwhile'],
      NotCompleted: [
        events.metricCompletionFailures(),
        'work was done and its result could not be written: it may be done again',
      ],
      NotNoted: [events.metricCheckpointFailures(), 'a step was done and could not be noted: it may be done again'],
      Unprotected: [events.metricUnprotectedRuns(), 'something ran without protection, because the table did not answer'],
    }
    return Object.entries(watched).map(([id, [metric, what]]) =>
      this.#alarm(`${id}-${service}`, { metric, threshold: 1, alarmDescription: `${service}: ${what}. ${look}` }),
    )
  }

  #alarm(id: string, props: Watch): Alarm {
    return new Alarm(this, id, {
      evaluationPeriods: 1,
      comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      treatMissingData: TreatMissingData.NOT_BREACHING,
      ...props,
    })
  }
}
