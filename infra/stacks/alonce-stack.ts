import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions'
import { AttributeType, type ITableV2 } from 'aws-cdk-lib/aws-dynamodb'
import { Key } from 'aws-cdk-lib/aws-kms'
import { Topic } from 'aws-cdk-lib/aws-sns'
import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib/core'
import { Construct } from 'constructs'
import { configInvalid } from '../../lib/store/errors.ts'
import { tableWithKey } from '../constructs/encryption.ts'
import { AlonceDashboard, AlonceTable, type EventSource } from '../constructs/index.ts'
import { FunctionAlarms } from './function-alarms.ts'
import { Orders } from './orders.ts'
import { Payments } from './payments.ts'
import { METRICS_NAMESPACE } from './protected-function.ts'
import { Settlement } from './settlement.ts'

export interface AlonceStackProps extends StackProps {
  /** Where the payment provider listens: `https://…`, without a path. */
  readonly paymentProviderUrl: string
}

const PROVIDER_URL = /^https:\/\/[^/?#\s]+$/
const SERVICES = ['payments', 'orders', 'settlement'].map((service): EventSource => ({ namespace: METRICS_NAMESPACE, service }))

/** Alonce's table, the three functions that use it with what triggers them, and what tells people of trouble. */
export class AlonceStack extends Stack {
  readonly table: AlonceTable
  readonly payments: Payments
  readonly orders: Orders
  readonly settlement: Settlement

  constructor(scope: Construct, id: string, { paymentProviderUrl, ...props }: AlonceStackProps) {
    super(scope, id, props)
    if (!PROVIDER_URL.test(paymentProviderUrl)) {
      throw configInvalid(
        'paymentProviderUrl',
        `must be https://… without a path, and is "${paymentProviderUrl}": set it in cdk.json.`,
      )
    }
    const key = new Key(this, 'Key', { enableKeyRotation: true, description: 'Alonce: records, orders and balances' })
    const books = newBooks(this, key)
    this.table = new AlonceTable(this, 'Alonce', { encryptionKey: key })
    this.payments = new Payments(this, 'Payments', { table: this.table, providerUrl: paymentProviderUrl })
    this.orders = new Orders(this, 'Orders', { table: this.table, books })
    this.settlement = new Settlement(this, 'Settlement', { table: this.table, books })
    this.#watch()
    new CfnOutput(this, 'PaymentsUrl', { value: `${this.payments.url}payments` })
    new CfnOutput(this, 'OrdersQueueUrl', { value: this.orders.queue.queueUrl })
    new CfnOutput(this, 'AlonceTableName', { value: this.table.tableName })
  }

  #watch(): void {
    const topic = new Topic(this, 'AlarmTopic', { enforceSSL: true })
    const actions = [new SnsAction(topic)]
    this.table.alarms({ services: SERVICES, actions })
    const { payments, orders, settlement } = this
    new FunctionAlarms(this, 'FunctionAlarms', {
      functions: { payments: payments.function, orders: orders.function, settlement: settlement.function },
      deadLetters: { orders: orders.deadLetters, settlement: settlement.deadLetters },
      actions,
    })
    new AlonceDashboard(this, 'Dashboard', { table: this.table, services: SERVICES })
    new CfnOutput(this, 'AlarmTopicArn', { value: topic.topicArn })
  }
}

/** The functions' own data: orders, balances, settlements. */
const newBooks = (scope: Construct, key: Key): ITableV2 =>
  tableWithKey(
    new Construct(scope, 'Books'),
    {
      partitionKey: { name: 'pk', type: AttributeType.STRING },
      sortKey: { name: 'sk', type: AttributeType.STRING },
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      deletionProtection: true,
    },
    { key },
  )
