import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs'
import { Construct } from 'constructs'

/** A function's own log group, and a role that may write there and nowhere else: AWS's managed policy opens all of them. */
export class LogRole extends Construct {
  readonly logGroup: LogGroup
  readonly role: Role

  constructor(scope: Construct, id: string) {
    super(scope, id)
    this.logGroup = new LogGroup(this, 'Logs', { retention: RetentionDays.ONE_MONTH })
    this.role = new Role(this, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') })
    this.logGroup.grantWrite(this.role)
  }
}
