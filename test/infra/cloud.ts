import type { Template } from './synthesis.ts'

/** What CloudFormation would put in for references, in an account and region of ours. */
export const ACCOUNT = '111122223333'
export const REGION = 'eu-west-1'

const PSEUDO: { readonly [name: string]: string } = {
  'AWS::AccountId': ACCOUNT,
  'AWS::Partition': 'aws',
  'AWS::Region': REGION,
  'AWS::URLSuffix': 'amazonaws.com',
}

/** The resource part of an ARN, by type; what is not here has no ARN in our policies. */
const ARNS: { readonly [type: string]: (id: string) => string } = {
  'AWS::DynamoDB::GlobalTable': (id) => `arn:aws:dynamodb:${REGION}:${ACCOUNT}:table/${id}`,
  'AWS::KMS::Key': (id) => `arn:aws:kms:${REGION}:${ACCOUNT}:key/${id}`,
  'AWS::SQS::Queue': (id) => `arn:aws:sqs:${REGION}:${ACCOUNT}:${id}`,
  'AWS::Logs::LogGroup': (id) => `arn:aws:logs:${REGION}:${ACCOUNT}:log-group:${id}:*`,
  'AWS::Lambda::Function': (id) => `arn:aws:lambda:${REGION}:${ACCOUNT}:function:${id}`,
  'AWS::IAM::Role': (id) => `arn:aws:iam::${ACCOUNT}:role/${id}`,
}

/** A value of the template with its references resolved: a resource's name is its logical id. */
export function resolve(template: Template, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => resolve(template, item))
  if (typeof value !== 'object' || value === null) return value
  const intrinsic = value as { readonly [name: string]: unknown }
  if (typeof intrinsic['Ref'] === 'string') return PSEUDO[intrinsic['Ref']] ?? intrinsic['Ref']
  if (intrinsic['Fn::GetAtt']) return attribute(template, intrinsic['Fn::GetAtt'] as [string, string])
  if (intrinsic['Fn::Join']) {
    const [separator, parts] = intrinsic['Fn::Join'] as [string, unknown[]]
    return parts.map((part) => resolve(template, part)).join(separator)
  }
  return Object.fromEntries(Object.entries(intrinsic).map(([name, part]) => [name, resolve(template, part)]))
}

function attribute(template: Template, [id, name]: [string, string]): string {
  const arn = ARNS[template.Resources[id]?.Type ?? '']
  if (name !== 'Arn' || !arn) throw new Error(`No value for ${id}.${name}`)
  return arn(id)
}

export interface Statement {
  readonly Effect: string
  readonly Action: string | readonly string[]
  readonly Resource?: string | readonly string[]
  readonly Condition?: { readonly [operator: string]: unknown }
}
export interface Policy {
  readonly Version: string
  readonly Statement: readonly Statement[]
}

/** The policies of a role, resolved. */
export function policiesOf(template: Template, roleId: string): Policy[] {
  return Object.values(template.Resources)
    .filter(({ Type, Properties }) => Type === 'AWS::IAM::Policy' && JSON.stringify(Properties['Roles']).includes(`"${roleId}"`))
    .map(({ Properties }) => resolve(template, Properties['PolicyDocument']) as Policy)
}

export const actionsOf = ({ Action }: Statement): readonly string[] => (typeof Action === 'string' ? [Action] : Action)
