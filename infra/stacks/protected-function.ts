import { Architecture, Function as LambdaFunction, Runtime, Tracing } from 'aws-cdk-lib/aws-lambda'
import type { IQueue } from 'aws-cdk-lib/aws-sqs'
import { type Duration, Validations } from 'aws-cdk-lib/core'
import type { Construct } from 'constructs'
import type { AlonceTableAccess } from '../constructs/index.ts'
import { LogRole } from '../constructs/log-role.ts'
import type { FunctionName } from './bundling.ts'
import { functionCode } from './function-code.ts'

/** The namespace of the functions' metrics in CloudWatch. */
export const METRICS_NAMESPACE = 'Alonce'

export interface ProtectedFunctionProps {
  readonly name: FunctionName
  readonly table: AlonceTableAccess
  readonly timeout: Duration
  /** What it may touch in Alonce's table: its own operation and its own locks. */
  readonly leadingKeys: readonly string[]
  readonly environment: { readonly [name: string]: string }
  /** For one that is invoked asynchronously: where events go that it did not take. */
  readonly deadLetterQueue?: IQueue
}

/** A function of `functions/`: bundled, traced, with its own log and role, and given Alonce's table. */
export class ProtectedFunction extends LambdaFunction {
  constructor(scope: Construct, id: string, props: ProtectedFunctionProps) {
    const { name, table, timeout, leadingKeys, environment, deadLetterQueue } = props
    const { role, logGroup } = new LogRole(scope, `${id}Log`)
    super(scope, id, {
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      code: functionCode(name),
      handler: 'index.handler',
      memorySize: 512,
      timeout,
      tracing: Tracing.ACTIVE,
      role,
      logGroup,
      environment: { ...environment, POWERTOOLS_METRICS_NAMESPACE: METRICS_NAMESPACE, POWERTOOLS_SERVICE_NAME: name },
      ...(deadLetterQueue && { deadLetterQueue }),
    })
    table.protect(this, { leadingKeys })
    Validations.of(role).acknowledge({
      id: 'AwsSolutions-IAM5[Resource::*]',
      reason: 'X-Ray takes segments for no resource in particular: xray:PutTraceSegments and PutTelemetryRecords know no ARN.',
    })
  }
}
