import { Alarm, ComparisonOperator, type IAlarmAction, type IMetric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import type { IQueue } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'

export interface FunctionAlarmsProps {
  readonly functions: { readonly [name: string]: IFunction }
  readonly deadLetters: { readonly [name: string]: IQueue }
  readonly actions: readonly IAlarmAction[]
}

/** A function that fails, and an event that nobody could do anything with. */
export class FunctionAlarms extends Construct {
  constructor(scope: Construct, id: string, { functions, deadLetters, actions }: FunctionAlarmsProps) {
    super(scope, id)
    const alarms = [
      ...Object.entries(functions).map(([name, fn]) =>
        this.#alarm(`Errors-${name}`, fn.metricErrors(), `${name}: invocations fail. Look at its log.`),
      ),
      ...Object.entries(deadLetters).map(([name, queue]) =>
        this.#alarm(
          `DeadLetters-${name}`,
          queue.metricApproximateNumberOfMessagesVisible(),
          `${name}: events lie in its dead-letter queue. Mend what they fail of, then redrive them: what has run is not run again.`,
        ),
      ),
    ]
    for (const alarm of alarms) alarm.addAlarmAction(...actions)
  }

  #alarm(id: string, metric: IMetric, alarmDescription: string): Alarm {
    return new Alarm(this, id, {
      metric,
      alarmDescription,
      threshold: 1,
      evaluationPeriods: 1,
      comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      treatMissingData: TreatMissingData.NOT_BREACHING,
    })
  }
}
