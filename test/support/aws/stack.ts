import { randomUUID } from 'node:crypto'
import { holds, type Parameter, type Resource, resolve, type Surroundings, templateOf } from './intrinsics.ts'
import { AwsError } from './query-protocol.ts'
import type { S3 } from './s3.ts'

/** What stacks have to do with. */
export interface Account {
  readonly id: string
  readonly region: string
  readonly s3: S3
  /** SSM's, by name. */
  readonly parameters: Map<string, string>
}

/** A template with its parameters: what a change set proposes and a stack is. */
export interface Proposal {
  readonly body: string
  readonly parameters: { readonly [name: string]: string }
  readonly tags: readonly { readonly [member: string]: string }[]
  readonly roleArn: string | undefined
}
export interface StackEvent {
  /** By this `cdk` tells what it has waited for from what was before. */
  readonly atMs: number
  readonly logicalId: string
  readonly type: string
  readonly status: string
  readonly reason?: string
}
export interface Created {
  readonly logicalId: string
  readonly physicalId: string
  readonly type: string
  /** With every reference resolved. */
  readonly properties: { readonly [name: string]: unknown }
  readonly retained: boolean
}

/** A stack: it makes of resources only what others look for, buckets and parameters, and notes the rest. */
export class Stack {
  readonly name: string
  readonly id: string
  status = 'REVIEW_IN_PROGRESS'
  readonly events: StackEvent[] = []
  readonly #account: Account
  #proposal: Proposal | undefined
  #resources: readonly Created[] = []
  #outputs: readonly StackOutput[] = []

  constructor(name: string, account: Account) {
    this.name = name
    this.#account = account
    this.id = `arn:aws:cloudformation:${account.region}:${account.id}:stack/${name}/${randomUUID()}`
  }

  get proposal(): Proposal | undefined {
    return this.#proposal
  }
  get resources(): readonly Created[] {
    return this.#resources
  }
  get outputs(): readonly StackOutput[] {
    return this.#outputs
  }

  apply(proposal: Proposal): void {
    const action = this.#proposal ? 'UPDATE' : 'CREATE'
    const around = surroundings(proposal, this)
    this.#note(this.name, 'AWS::CloudFormation::Stack', `${action}_IN_PROGRESS`)
    try {
      const wanted = resourcesOf(around)
      for (const resource of wanted) this.#make(resource, action)
      for (const old of this.#resources) if (!wanted.some(({ logicalId }) => logicalId === old.logicalId)) this.#unmake(old)
      this.#resources = wanted
      this.#outputs = outputsOf(around)
      this.#proposal = proposal
      this.#note(this.name, 'AWS::CloudFormation::Stack', `${action}_COMPLETE`)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      this.#note(
        this.name,
        'AWS::CloudFormation::Stack',
        action === 'CREATE' ? 'ROLLBACK_COMPLETE' : 'UPDATE_ROLLBACK_COMPLETE',
        reason,
      )
    }
  }

  delete(): void {
    this.#note(this.name, 'AWS::CloudFormation::Stack', 'DELETE_IN_PROGRESS')
    for (const resource of this.#resources) this.#unmake(resource)
    this.#note(this.name, 'AWS::CloudFormation::Stack', 'DELETE_COMPLETE')
  }

  get account(): Account {
    return this.#account
  }

  #make({ logicalId, type, properties }: Created, action: string): void {
    const { s3, parameters } = this.#account
    const fail = (reason: string): never => {
      this.#note(logicalId, type, `${action}_FAILED`, reason)
      throw new Error(reason)
    }
    if (type.startsWith('Custom::') || type === 'AWS::CloudFormation::CustomResource')
      fail('A custom resource would need Lambda to run it')
    if (type === 'AWS::S3::Bucket' && !s3.buckets.includes(String(properties['BucketName'])))
      s3.createBucket(String(properties['BucketName']))
    if (type === 'AWS::SSM::Parameter') parameters.set(String(properties['Name']), String(properties['Value']))
    if (type === 'AWS::Lambda::Function') {
      const { S3Bucket, S3Key } = (properties['Code'] ?? {}) as { S3Bucket?: string; S3Key?: string }
      try {
        if (S3Bucket) s3.object(S3Bucket, String(S3Key))
      } catch (error) {
        fail(`Error occurred while GetObject. ${(error as AwsError).message}`)
      }
    }
    this.#note(logicalId, type, `${action}_COMPLETE`)
  }

  #unmake({ logicalId, type, properties, retained }: Created): void {
    if (retained) {
      this.#note(logicalId, type, 'DELETE_SKIPPED')
      return
    }
    if (type === 'AWS::S3::Bucket') this.#account.s3.deleteBucket(String(properties['BucketName']))
    if (type === 'AWS::SSM::Parameter') this.#account.parameters.delete(String(properties['Name']))
    this.#note(logicalId, type, 'DELETE_COMPLETE')
  }

  #note(logicalId: string, type: string, status: string, reason?: string): void {
    const atMs = Math.max(Date.now(), (this.events.at(-1)?.atMs ?? 0) + 1)
    this.events.push({ atMs, logicalId, type, status, ...(reason === undefined ? {} : { reason }) })
    if (logicalId === this.name) this.status = status
  }
}

export interface StackOutput {
  readonly key: string
  readonly value: string
  readonly exportName: string | undefined
}

/** @throws AwsError for a parameter without a value, as CloudFormation refuses the template at once */
export function surroundings({ body, parameters }: Proposal, stack: Stack): Surroundings {
  const template = templateOf(body)
  const { account } = stack
  const values = Object.entries(template.Parameters ?? {}).map(([name, parameter]) => [
    name,
    parameterValue(name, parameter, { given: parameters[name], account }),
  ])
  const physicalId = (id: string): string => physicalIdOf(id, template.Resources[id], around)
  const around: Surroundings = {
    template,
    parameters: {
      'AWS::AccountId': account.id,
      'AWS::Region': account.region,
      'AWS::Partition': 'aws',
      'AWS::URLSuffix': 'amazonaws.com',
      'AWS::StackName': stack.name,
      'AWS::StackId': stack.id,
      ...(Object.fromEntries(values) as Surroundings['parameters']),
    },
    physicalId,
    attribute: (id, name) => attributeOf(id, name, around),
  }
  return around
}

interface Giving {
  readonly given: string | undefined
  readonly account: Account
}

function parameterValue(name: string, { Type, Default }: Parameter, { given, account }: Giving): string | readonly string[] {
  const value = given ?? (Default === undefined ? undefined : String(Default))
  if (value === undefined) throw new AwsError('ValidationError', `Parameters: [${name}] must have values`)
  if (Type === 'CommaDelimitedList') return value === '' ? [''] : value.split(',')
  if (!Type.startsWith('AWS::SSM::Parameter::Value')) return value
  const stored = account.parameters.get(value)
  if (stored !== undefined) return stored
  throw new AwsError('ValidationError', `Unable to fetch parameters [${value}] from parameter store for this account.`)
}

/** Names that the template gives are the physical ones, as far as somebody looks for them. */
const NAMES = ['BucketName', 'Name', 'RepositoryName', 'RoleName', 'FunctionName', 'AliasName']

function physicalIdOf(id: string, resource: Resource | undefined, around: Surroundings): string {
  const name = NAMES.find((candidate) => resource?.Properties?.[candidate] !== undefined)
  return name === undefined
    ? `${around.parameters['AWS::StackName']}-${id}`
    : String(resolve(resource?.Properties?.[name], around))
}

function attributeOf(id: string, name: string, around: Surroundings): string {
  const value = around.template.Resources[id]?.Properties?.[name]
  if (value !== undefined) return String(resolve(value, around))
  const physical = around.physicalId(id)
  return name.endsWith('Arn') ? `arn:aws:any:::${physical}` : `${physical}.${name}`
}

function resourcesOf(around: Surroundings): readonly Created[] {
  return Object.entries(around.template.Resources)
    .filter(([, { Condition }]) => Condition === undefined || holds(Condition, around))
    .map(([logicalId, { Type, Properties = {}, DeletionPolicy }]) => ({
      logicalId,
      physicalId: around.physicalId(logicalId),
      type: Type,
      properties: resolve(Properties, around) as Created['properties'],
      retained: DeletionPolicy !== undefined && DeletionPolicy !== 'Delete',
    }))
}

function outputsOf(around: Surroundings): readonly StackOutput[] {
  return Object.entries(around.template.Outputs ?? {})
    .filter(([, { Condition }]) => Condition === undefined || holds(Condition, around))
    .map(([key, { Value, Export }]) => ({
      key,
      value: String(resolve(Value, around)),
      exportName: Export && String(resolve(Export.Name, around)),
    }))
}
