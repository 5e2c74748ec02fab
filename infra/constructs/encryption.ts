import { type CfnGlobalTable, TableEncryptionV2, type TablePropsV2, TableV2 } from 'aws-cdk-lib/aws-dynamodb'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import { Stack, Token } from 'aws-cdk-lib/core'
import type { Construct } from 'constructs'

export interface KeyOptions {
  readonly key: IKey | undefined
  /** The key of each replica's region. */
  readonly replicaKeyArns?: { readonly [region: string]: string } | undefined
}

/**
 * A table under a customer-managed key, also in a stack whose region is not known before the deployment, where CDK refuses
 * keys although CloudFormation takes them. There `table.encryptionKey` is `undefined`: keep the key.
 */
export function tableWithKey(scope: Construct, props: TablePropsV2, { key, replicaKeyArns }: KeyOptions): TableV2 {
  if (!key) return new TableV2(scope, 'Table', props)
  if (!Token.isUnresolved(Stack.of(scope).region)) {
    const encryption = TableEncryptionV2.customerManagedKey(key, replicaKeyArns && { ...replicaKeyArns })
    return new TableV2(scope, 'Table', { ...props, encryption })
  }
  const table = new TableV2(scope, 'Table', props)
  const resource = table.node.defaultChild as CfnGlobalTable
  resource.addPropertyOverride('SSESpecification', { SSEEnabled: true, SSEType: 'KMS' })
  resource.addPropertyOverride('Replicas.0.SSESpecification.KMSMasterKeyId', key.keyArn)
  return table
}
