import type { IMetric, Metric, MetricOptions } from 'aws-cdk-lib/aws-cloudwatch'
import { type ITableV2, Operation } from 'aws-cdk-lib/aws-dynamodb'
import type { Grant, IGrantable } from 'aws-cdk-lib/aws-iam'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import { Construct } from 'constructs'
import { configInvalid } from '../../lib/store/errors.ts'
import { AlonceAlarms, type AlonceAlarmsProps } from './alonce-alarms.ts'
import { grantInspect, grantOperate, grantUse, type UseOptions } from './grants.ts'
import { sumOverOperations } from './table-metrics.ts'

/** What a strongly consistent global table does not have. */
export type Unavailable = 'transactions' | 'time-to-live'

/** A Lambda function, as far as we change it. */
export interface Protectable extends IGrantable {
  addEnvironment(name: string, value: string): unknown
}

export interface ProtectOptions extends UseOptions {
  /** The environment variable that carries the table's name. Default: `ALONCE_TABLE`. */
  readonly variable?: string | undefined
}

export type AlarmOptions = Omit<AlonceAlarmsProps, 'table'>

const VARIABLE = /^[A-Za-z]\w*$/

/** A table of Alonce's, made here or elsewhere: what may be granted on it, and measured of it. */
export abstract class AlonceTableAccess extends Construct {
  /** CDK's own construct, for what is not here. */
  abstract readonly table: ITableV2
  /** Its customer-managed key. */
  abstract readonly encryptionKey: IKey | undefined
  /** What this table does not have, because it is strongly consistent over several regions. */
  abstract readonly unavailable: readonly Unavailable[]

  get tableName(): string {
    return this.table.tableName
  }

  get tableArn(): string {
    return this.table.tableArn
  }

  /**
   * Gives a function the table: its name in the environment variable `ALONCE_TABLE`, and `grantUse`.
   *
   * @throws AlonceError `CONFIG_INVALID`
   */
  protect(fn: Protectable, { variable = 'ALONCE_TABLE', ...use }: ProtectOptions = {}): Grant {
    if (!VARIABLE.test(variable)) throw configInvalid('variable', 'must be the name of an environment variable.')
    fn.addEnvironment(variable, this.tableName)
    return this.grantUse(fn, use)
  }

  /**
   * What the library sends, on this table and its key; nothing else. With `leadingKeys`, on those partition keys only.
   *
   * @throws AlonceError `CONFIG_INVALID`
   */
  grantUse(grantee: IGrantable, options: UseOptions = {}): Grant {
    return grantUse(this, grantee, options)
  }

  /** For people and the command line: to look at what is held and why. They see the results that are stored, too. */
  grantInspect(grantee: IGrantable): Grant {
    return grantInspect(this, grantee)
  }

  /** For people on duty: `grantInspect`, and what functions may, to break locks and forget records. */
  grantOperate(grantee: IGrantable): Grant {
    return grantOperate(this, grantee)
  }

  /** Conditional writes that were refused: locks that were held, duplicates, replays. What each was, `AlonceEvents` tells. */
  metricRefusals(options: MetricOptions = {}): Metric {
    return this.table.metricConditionalCheckFailedRequests(options)
  }

  /** Requests that were throttled: one key that is too hot, or the table's maximum. */
  metricThrottles(options: MetricOptions = {}): IMetric {
    return sumOverOperations(this.table, 'ThrottledRequests', options)
  }

  /** Failures of DynamoDB's own. The library sends again. */
  metricSystemErrors(options: MetricOptions = {}): IMetric {
    return sumOverOperations(this.table, 'SystemErrors', options)
  }

  /** Requests that met a transaction on the same item. The library sends again. */
  metricConflicts(options: MetricOptions = {}): Metric {
    return this.table.metric('TransactionConflict', { statistic: 'Sum', ...options })
  }

  /** How long a conditional write takes, without its way through the network. Milliseconds. */
  metricLatency(options: MetricOptions = {}): Metric {
    const dimensionsMap = { TableName: this.tableName, Operation: Operation.UPDATE_ITEM }
    return this.table.metricSuccessfulRequestLatency({ dimensionsMap, ...options })
  }

  /** Write units, which is what a hot key runs out of: 1,000 a second. */
  metricWriteUnits(options: MetricOptions = {}): Metric {
    return this.table.metricConsumedWriteCapacityUnits(options)
  }

  /** Alarms on this table, and on the events of those who use it. */
  alarms(options: AlarmOptions = {}): AlonceAlarms {
    return new AlonceAlarms(this, 'Alarms', { ...options, table: this })
  }
}
