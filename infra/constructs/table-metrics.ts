import { MathExpression, Metric, type MetricOptions, Stats } from 'aws-cdk-lib/aws-cloudwatch'
import { type ITableV2, Operation } from 'aws-cdk-lib/aws-dynamodb'

/** What the library sends, under DynamoDB's own names, as the dimension `Operation` of its metrics has them. */
const SENT = [Operation.GET_ITEM, Operation.PUT_ITEM, Operation.QUERY, Operation.UPDATE_ITEM, Operation.TRANSACT_WRITE_ITEMS]

export type ByOperation = 'ThrottledRequests' | 'SystemErrors'

/**
 * The sum over the operations that the library sends. CDK's own adds them with `+`, which gives nothing where one of them has no
 * data, and DynamoDB sends none while all is well; and two of CDK's sums do not fit into one graph.
 */
export function sumOverOperations(table: ITableV2, metricName: ByOperation, options: MetricOptions): MathExpression {
  const prefix = metricName.charAt(0).toLowerCase() + metricName.slice(1)
  const parts = SENT.map((operation): [string, Metric] => [`${prefix}${operation}`, ofOperation(table, metricName, operation)])
  const { period, label, color } = options
  return new MathExpression({
    expression: `SUM(FILL(METRICS("${prefix}"), 0))`,
    usingMetrics: Object.fromEntries(parts),
    label: label ?? metricName,
    ...(period && { period }),
    ...(color !== undefined && { color }),
  })
}

const ofOperation = ({ tableName }: ITableV2, metricName: ByOperation, operation: Operation): Metric =>
  new Metric({
    namespace: 'AWS/DynamoDB',
    metricName,
    dimensionsMap: { TableName: tableName, Operation: operation },
    statistic: Stats.SUM,
  })
