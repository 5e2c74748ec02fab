import { runSimulation, type Simulation } from '@cloud-copilot/iam-simulate'
import { ACCOUNT, type Policy, REGION } from './cloud.ts'

/** Something that a role asks for. */
export interface Asked {
  readonly action: string
  readonly resource: string
  readonly context?: { readonly [key: string]: string | string[] }
}

/** CDK's key policy: the account's own policies decide. */
const KEY_POLICY = {
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: 'kms:*', Resource: '*', Principal: { AWS: `arn:aws:iam::${ACCOUNT}:root` } }],
}

/** IAM's verdict on a role with these policies. */
export async function allowed(policies: readonly Policy[], { action, resource, context = {} }: Asked): Promise<boolean> {
  const simulation: Simulation = {
    request: {
      principal: `arn:aws:iam::${ACCOUNT}:role/function`,
      action,
      resource: { resource, accountId: ACCOUNT },
      contextVariables: { ...context },
    },
    identityPolicies: policies.map((policy, index) => ({ name: `policy-${index}`, policy })),
    serviceControlPolicies: [],
    resourceControlPolicies: [],
    ...(action.startsWith('kms:') && { resourcePolicy: KEY_POLICY }),
  }
  const response = await runSimulation(simulation, {})
  if (response.resultType === 'error') throw new Error(`${action}: ${JSON.stringify(response.errors)}`)
  return response.overallResult === 'Allowed'
}

export interface OnTable {
  readonly action: string
  readonly tableArn: string
  /** Of a request for an item or items of one partition. */
  readonly leadingKey?: string | undefined
}

export const onTable = ({ action, tableArn, leadingKey }: OnTable): Asked => ({
  action,
  resource: tableArn,
  ...(leadingKey !== undefined && { context: { 'dynamodb:LeadingKeys': [leadingKey] } }),
})

/** What DynamoDB asks of a customer-managed key in the caller's name. */
export const onKey = (keyArn: string, action = 'kms:Decrypt', service = 'dynamodb'): Asked => ({
  action,
  resource: keyArn,
  context: { 'kms:ViaService': `${service}.${REGION}.amazonaws.com` },
})
