import { fileURLToPath } from 'node:url'
import { Rule, Schedule } from 'aws-cdk-lib/aws-events'
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets'
import { Architecture, Code, Function as LambdaCode, Runtime } from 'aws-cdk-lib/aws-lambda'
import { Duration } from 'aws-cdk-lib/core'
import { Construct } from 'constructs'
import type { AlonceTableAccess } from './alonce-table-access.ts'
import { grantSweep } from './grants.ts'
import { LogRole } from './log-role.ts'

export interface SweeperProps {
  readonly table: AlonceTableAccess
}

/** What TTL does elsewhere: every hour a function deletes the records whose `ttl` has passed. It runs in the stack's region. */
export class Sweeper extends Construct {
  readonly function: LambdaCode
  readonly rule: Rule

  constructor(scope: Construct, id: string, { table }: SweeperProps) {
    super(scope, id)
    const { role, logGroup } = new LogRole(this, 'Log')
    this.function = new LambdaCode(this, 'Function', {
      description: 'Deletes the records of Alonce that have expired',
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      code: Code.fromAsset(fileURLToPath(new URL('./sweeper', import.meta.url)), { exclude: ['*.d.mts'] }),
      handler: 'index.handler',
      memorySize: 256,
      timeout: Duration.minutes(15),
      environment: { ALONCE_TABLE: table.tableName },
      role,
      logGroup,
    })
    grantSweep(table, this.function)
    // Two that run at once delete the same records: no harm, but twice the bill.
    this.rule = new Rule(this, 'Hourly', {
      schedule: Schedule.rate(Duration.hours(1)),
      targets: [new LambdaFunction(this.function)],
    })
  }
}
