import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway'
import { HttpApi, HttpMethod, HttpStage, LogGroupLogDestination } from 'aws-cdk-lib/aws-apigatewayv2'
import { HttpIamAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers'
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations'
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs'
import { Duration, Validations } from 'aws-cdk-lib/core'
import { Construct } from 'constructs'
import type { AlonceTableAccess } from '../constructs/index.ts'
import { ProtectedFunction } from './protected-function.ts'

export interface PaymentsProps {
  readonly table: AlonceTableAccess
  readonly providerUrl: string
}

/** Requests a second, and at once: a bound on what a client gone wild costs. */
const THROTTLE = { rateLimit: 100, burstLimit: 200 }

/** POST /payments, for callers that sign their requests (IAM). */
export class Payments extends Construct {
  readonly function: ProtectedFunction
  readonly url: string

  constructor(scope: Construct, id: string, { table, providerUrl }: PaymentsProps) {
    super(scope, id)
    this.function = new ProtectedFunction(this, 'Function', {
      name: 'payments',
      table,
      // Below API Gateway's own 30 s, above what the provider and a wait for the account's lock may take.
      timeout: Duration.seconds(15),
      leadingKeys: ['default/once/charge/*', 'default/lock/account/*'],
      environment: { PAYMENT_PROVIDER_URL: providerUrl },
    })
    Validations.of(this.function).acknowledge({
      id: 'Serverless-LambdaDLQ',
      reason: 'Invoked synchronously: the client has the answer, and sends the payment again.',
    })
    const api = new HttpApi(this, 'Api', { createDefaultStage: false, defaultAuthorizer: new HttpIamAuthorizer() })
    api.addRoutes({
      path: '/payments',
      methods: [HttpMethod.POST],
      integration: new HttpLambdaIntegration('Integration', this.function),
    })
    const accessLog = new LogGroup(this, 'AccessLog', { retention: RetentionDays.ONE_MONTH })
    const stage = new HttpStage(this, 'Stage', {
      httpApi: api,
      stageName: '$default',
      autoDeploy: true,
      throttle: THROTTLE,
      detailedMetricsEnabled: true,
      accessLogSettings: { destination: new LogGroupLogDestination(accessLog), format: AccessLogFormat.custom(LOGGED) },
    })
    this.url = stage.url
  }
}

/** One line of JSON for each request, without anything of the payment's. */
const LOGGED = JSON.stringify({
  requestId: '$context.requestId',
  time: '$context.requestTime',
  route: '$context.routeKey',
  status: '$context.status',
  latencyMs: '$context.responseLatency',
  error: '$context.integrationErrorMessage',
})
