import { randomUUID } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { type Template, templateOf } from './intrinsics.ts'
import { AwsError, type QueryInput, type XmlValue } from './query-protocol.ts'
import { type Account, type Proposal, Stack, surroundings } from './stack.ts'

interface ChangeSet {
  readonly name: string
  readonly id: string
  readonly stack: Stack
  readonly proposal: Proposal
  readonly changes: readonly Change[]
  readonly changed: boolean
}
interface Change {
  readonly Action: 'Add' | 'Modify' | 'Remove'
  readonly LogicalResourceId: string
  readonly ResourceType: string
}

const TIME = '2026-01-01T00:00:00.000Z'

/** Stacks by change sets, at once: nothing takes time here. */
export class CloudFormation {
  readonly #account: Account
  readonly #stacks: Stack[] = []
  #changeSets: readonly ChangeSet[] = []

  constructor(account: Account) {
    this.#account = account
  }

  /** The live one of that name. */
  stack(nameOrId: string): Stack | undefined {
    return this.#stacks.findLast(({ name, id, status }) => id === nameOrId || (name === nameOrId && status !== 'DELETE_COMPLETE'))
  }

  /** @throws AwsError also for what is not played: a test that comes to need it must say so */
  answer(input: QueryInput): XmlValue {
    const actions: { readonly [action: string]: (input: QueryInput) => XmlValue } = {
      DescribeStacks: (asked) => ({ Stacks: this.#asked(asked).map(described) }),
      GetTemplate: (asked) => ({ TemplateBody: this.#needed(asked).proposal?.body ?? '{}' }),
      GetTemplateSummary: (asked) => this.#summary(asked),
      CreateChangeSet: (asked) => this.#create(asked),
      DescribeChangeSet: (asked) => this.#describe(this.#changeSet(asked)),
      ExecuteChangeSet: (asked) => this.#execute(asked),
      DeleteChangeSet: (asked) => this.#forget(asked),
      DescribeStackEvents: (asked) => ({ StackEvents: eventsOf(this.#needed(asked)) }),
      DescribeEvents: (asked) => ({ OperationEvents: eventsOf(this.#needed(asked)) }),
      DescribeStackResources: (asked) => ({ StackResources: resourcesOf(this.#needed(asked)) }),
      ListStackResources: (asked) => ({ StackResourceSummaries: resourcesOf(this.#needed(asked)) }),
      UpdateTerminationProtection: (asked) => ({ StackId: this.#needed(asked).id }),
      DeleteStack: (asked) => {
        this.stack(asked.required('StackName'))?.delete()
        return {}
      },
    }
    const act = actions[input.action]
    if (!act) throw new AwsError('InvalidAction', `${input.action} is not played`)
    return act(input)
  }

  #asked(input: QueryInput): readonly Stack[] {
    return input.optional('StackName') === undefined ? this.#stacks : [this.#needed(input)]
  }

  #needed(input: QueryInput): Stack {
    const name = input.required('StackName')
    const stack = this.stack(name)
    if (!stack) throw new AwsError('ValidationError', `Stack with id ${name} does not exist`)
    return stack
  }

  #create(input: QueryInput): XmlValue {
    const name = input.required('StackName')
    const isNew = input.optional('ChangeSetType') !== 'UPDATE'
    const stack = isNew ? (this.stack(name) ?? new Stack(name, this.#account)) : this.#needed(input)
    const proposal = { ...this.#proposalOf(input, stack), tags: input.list('Tags'), roleArn: input.optional('RoleARN') }
    surroundings(proposal, stack)
    if (!this.#stacks.includes(stack)) this.#stacks.push(stack)
    const changes = changesBetween(stack.proposal, proposal)
    const changeSetName = input.required('ChangeSetName')
    const id = `arn:aws:cloudformation:${this.#account.region}:${this.#account.id}:changeSet/${changeSetName}/${randomUUID()}`
    const changed = changes.length > 0 || !isDeepStrictEqual(outline(stack.proposal), outline(proposal))
    this.#changeSets = [...this.#changeSets, { name: changeSetName, id, stack, proposal, changes, changed }]
    return { Id: id, StackId: stack.id }
  }

  #proposalOf(input: QueryInput, stack: Stack): Pick<Proposal, 'body' | 'parameters'> {
    const parameters = input
      .list('Parameters')
      .map(({ ParameterKey = '', ParameterValue, UsePreviousValue }): [string, string] => [
        ParameterKey,
        UsePreviousValue === 'true' ? (stack.proposal?.parameters[ParameterKey] ?? '') : (ParameterValue ?? ''),
      ])
    return { body: this.#bodyOf(input), parameters: Object.fromEntries(parameters) }
  }

  #bodyOf(input: QueryInput): string {
    const url = input.optional('TemplateURL')
    if (url === undefined) return input.required('TemplateBody')
    const [, bucket = '', key = ''] = /^https?:\/\/[^/]+\/([^/]+)\/(.+)$/.exec(url) ?? []
    return this.#account.s3.object(bucket, key).toString()
  }

  #changeSet(input: QueryInput): ChangeSet {
    const name = input.required('ChangeSetName')
    const stack = input.optional('StackName')
    const found = this.#changeSets.findLast((one) => isNamed(one, name, stack))
    if (!found) throw new AwsError('ChangeSetNotFound', `ChangeSet [${name}] does not exist`, 404)
    return found
  }

  #describe({ name, id, stack, changes, changed, proposal }: ChangeSet): XmlValue {
    return {
      ChangeSetName: name,
      ChangeSetId: id,
      StackId: stack.id,
      StackName: stack.name,
      CreationTime: TIME,
      Parameters: Object.entries(proposal.parameters).map(([ParameterKey, ParameterValue]) => ({ ParameterKey, ParameterValue })),
      ExecutionStatus: changed ? 'AVAILABLE' : 'UNAVAILABLE',
      Status: changed ? 'CREATE_COMPLETE' : 'FAILED',
      StatusReason: changed
        ? undefined
        : "The submitted information didn't contain changes. Submit different information to create a change set.",
      Changes: changes.map((change) => ({ Type: 'Resource', ResourceChange: { ...change } })),
    }
  }

  #execute(input: QueryInput): XmlValue {
    const { stack, proposal } = this.#changeSet(input)
    stack.apply(proposal)
    return {}
  }

  #forget(input: QueryInput): XmlValue {
    const [name, stack] = [input.required('ChangeSetName'), input.optional('StackName')]
    this.#changeSets = this.#changeSets.filter((one) => !isNamed(one, name, stack))
    return {}
  }

  #summary(input: QueryInput): XmlValue {
    const template = templateOf(input.optional('StackName') ? (this.#needed(input).proposal?.body ?? '{}') : this.#bodyOf(input))
    const types = [...new Set(Object.values(template.Resources ?? {}).map(({ Type }) => Type))]
    return { ResourceTypes: types, Parameters: [] }
  }
}

const isNamed = ({ name, id, stack }: ChangeSet, wanted: string, inStack: string | undefined): boolean =>
  (name === wanted || id === wanted) && (inStack === undefined || stack.name === inStack || stack.id === inStack)

function changesBetween(before: Proposal | undefined, after: Proposal): readonly Change[] {
  const [old, now] = [outline(before).Resources, outline(after).Resources]
  const ids = [...new Set([...Object.keys(old), ...Object.keys(now)])]
  return ids.flatMap((id): Change[] => {
    if (isDeepStrictEqual(old[id], now[id])) return []
    const Action = old[id] === undefined ? 'Add' : now[id] === undefined ? 'Remove' : 'Modify'
    return [{ Action, LogicalResourceId: id, ResourceType: (now[id] ?? old[id])?.Type ?? '' }]
  })
}

const outline = (proposal: Proposal | undefined): Template => (proposal ? templateOf(proposal.body) : { Resources: {} })

const described = (stack: Stack): XmlValue => ({
  StackName: stack.name,
  StackId: stack.id,
  CreationTime: TIME,
  StackStatus: stack.status,
  StackStatusReason: stack.events.findLast(({ reason }) => reason !== undefined)?.reason,
  RoleARN: stack.proposal?.roleArn,
  EnableTerminationProtection: false,
  Parameters: Object.entries(stack.proposal?.parameters ?? {}).map(([ParameterKey, ParameterValue]) => ({
    ParameterKey,
    ParameterValue,
  })),
  Tags: (stack.proposal?.tags ?? []).map((tag) => ({ ...tag })),
  Outputs: stack.outputs.map(({ key, value, exportName }) => ({ OutputKey: key, OutputValue: value, ExportName: exportName })),
})

/** The youngest first. */
const eventsOf = (stack: Stack): XmlValue =>
  stack.events
    .map(({ atMs, logicalId, type, status, reason }, at) => ({
      StackId: stack.id,
      StackName: stack.name,
      EventId: `${stack.id}-${at}`,
      LogicalResourceId: logicalId,
      // By this `cdk` knows the stack's own events from a nested stack's.
      PhysicalResourceId: logicalId === stack.name ? stack.id : logicalId,
      ResourceType: type,
      ResourceStatus: status,
      ResourceStatusReason: reason,
      Timestamp: new Date(atMs).toISOString(),
    }))
    .reverse()

const resourcesOf = (stack: Stack): XmlValue =>
  stack.resources.map(({ logicalId, physicalId, type }) => ({
    StackName: stack.name,
    StackId: stack.id,
    LogicalResourceId: logicalId,
    PhysicalResourceId: physicalId,
    ResourceType: type,
    ResourceStatus: 'CREATE_COMPLETE',
    Timestamp: TIME,
    LastUpdatedTimestamp: TIME,
  }))
