import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { Key } from 'aws-cdk-lib/aws-kms'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AlonceTable, type UseOptions } from '../../infra/constructs/index.ts'
import { dynamodbMissing, testTable } from '../support/dynamodb-table.ts'
import { actionsOf, type Policy, policiesOf } from './cloud.ts'
import { type CommandLineRuns, commandLineRuns, conformanceRun, functionRuns, NAMESPACE } from './recorded-runs.ts'
import { type Access, Recording } from './recording.ts'
import { allowed, onKey, onTable } from './simulated-iam.ts'
import { newAssembly, ofType, removeFolders, stackIn, type Template } from './synthesis.ts'

/**
 * What the library and the functions send was recorded on DynamoDB Local, in the conformance suite and in runs of the
 * functions; what they may send is in the synthesized template; IAM's rules decide, as an independent library knows them.
 */
const TABLE_ARN = 'arn:aws:dynamodb:eu-west-1:111122223333:table/Orders2'
afterAll(removeFolders)

describe.skipIf(dynamodbMissing)(`permissions are enough and not more (${dynamodbMissing ?? 'running'})`, () => {
  const recording = new Recording()
  let library: Access[] = []
  beforeAll(async () => {
    recording.ignore((await testTable()).client)
    library = await conformanceRun(recording)
  }, 120_000)

  test('the conformance run sends five actions, all of them for items of its own namespace', () => {
    expect([...new Set(library.map(({ action }) => action))].sort()).toEqual([
      'dynamodb:ConditionCheckItem',
      'dynamodb:GetItem',
      'dynamodb:PutItem',
      'dynamodb:Query',
      'dynamodb:UpdateItem',
    ])
    expect(library.filter(({ leadingKey }) => !leadingKey?.startsWith(`${NAMESPACE}/`))).toEqual([])
    expect(library.length).toBeGreaterThan(20)
  })

  describe.each([
    ['the whole table', {}],
    ['a namespace', { leadingKeys: ['default/*'] }],
  ])('grantUse on %s', (_what, options) => {
    const granted = usePolicies(options)

    test('allows each request of the library', async () => {
      expect(await refused(granted.policies, library, granted.tableArn)).toEqual([])
      expect(await allowed(granted.policies, onKey(granted.keyArn))).toBe(true)
    })

    test('grants no action that the library does not use', () => {
      expect(unused(granted.policies, library)).toEqual([])
    })

    test('planted bugs: an action less is missed, an action more is found', async () => {
      for (const action of tableActions(granted.policies)) {
        expect(await refused(without(granted.policies, action), library, granted.tableArn)).not.toEqual([])
      }
      expect(await allowed(without(granted.policies, 'kms:Decrypt'), onKey(granted.keyArn))).toBe(false)
      expect(unused(withMore(granted.policies, 'dynamodb:DeleteItem'), library)).toEqual(['dynamodb:DeleteItem'])
    })

    test.each([
      'dynamodb:BatchWriteItem',
      'dynamodb:DeleteItem',
      'dynamodb:DeleteTable',
      'dynamodb:DescribeTable',
      'dynamodb:PartiQLSelect',
      'dynamodb:Scan',
      'dynamodb:UpdateTable',
      'dynamodb:UpdateTimeToLive',
    ])('refuses %s', async (action) => {
      expect(await allowed(granted.policies, onTable({ action, tableArn: granted.tableArn }))).toBe(false)
      const item = onTable({ action, tableArn: granted.tableArn, leadingKey: 'default/lock/a' })
      if (/Item$|PartiQL|Scan/.test(action)) expect(await allowed(granted.policies, item)).toBe(false)
    })

    test('refuses another table, and the key for anybody but DynamoDB', async () => {
      for (const { action, leadingKey } of renamed(library)) {
        expect(await allowed(granted.policies, onTable({ action, tableArn: TABLE_ARN, leadingKey }))).toBe(false)
      }
      const other = granted.keyArn.replace(/key\/.*/, 'key/another')
      expect(await allowed(granted.policies, onKey(other))).toBe(false)
      expect(await allowed(granted.policies, onKey(granted.keyArn, 'kms:Decrypt', 's3'))).toBe(false)
      expect(await allowed(granted.policies, { action: 'kms:Decrypt', resource: granted.keyArn })).toBe(false)
      expect(await allowed(granted.policies, onKey(granted.keyArn, 'kms:Encrypt'))).toBe(false)
      expect(await allowed(granted.policies, onKey(granted.keyArn, 'kms:GenerateDataKey'))).toBe(false)
    })
  })

  describe('leading keys', () => {
    const { policies, tableArn } = usePolicies({ leadingKeys: ['payments/once/charge/*', 'payments/lock/*'] })
    const may = (leadingKey?: string, action = 'dynamodb:UpdateItem', given = policies) =>
      allowed(given, onTable({ action, tableArn, leadingKey }))

    test('open what they name and nothing beside it', async () => {
      expect(await may('payments/once/charge/0f3a')).toBe(true)
      expect(await may('payments/lock/account/7')).toBe(true)
      expect(await may('payments/once/refund/0f3a')).toBe(false)
      expect(await may('payments2/once/charge/0f3a')).toBe(false)
      expect(await may('default/once/charge/0f3a')).toBe(false)
    })

    test('a request without any is refused, which ForAllValues alone would let through', async () => {
      expect(await may(undefined)).toBe(false)
      const careless = policies.map((policy) => ({ ...policy, Statement: policy.Statement.map(withoutNull) }))
      expect(careless).not.toEqual(policies)
      expect(await may(undefined, 'dynamodb:UpdateItem', careless)).toBe(true)
    })
  })

  describe('people', () => {
    let sent: CommandLineRuns
    beforeAll(async () => {
      sent = await commandLineRuns(recording)
    })
    const { tableArn, policiesOfRole } = peoplePolicies()
    const denied = async (role: 'Inspector' | 'Operator', accesses: readonly Access[]) => {
      const verdicts = await Promise.all(
        accesses.map((access) => allowed(policiesOfRole[role], onTable({ ...access, tableArn }))),
      )
      return accesses.filter((_access, index) => !verdicts[index])
    }

    test('who inspects may do what ls, get and watch do, and writes nothing', async () => {
      expect(sent.look.map(({ action }) => action)).toEqual(['dynamodb:GetItem', 'dynamodb:Scan'])
      expect(await denied('Inspector', sent.look)).toEqual([])
      for (const action of ['PutItem', 'UpdateItem', 'DeleteItem', 'BatchWriteItem', 'DeleteTable', 'UpdateTable']) {
        const asked = onTable({ action: `dynamodb:${action}`, tableArn, leadingKey: 'default/lock/a' })
        expect(await allowed(policiesOfRole.Inspector, asked)).toBe(false)
      }
    })

    test('who operates may do what doctor, break and forget do, and deletes nothing', async () => {
      expect(await denied('Operator', [...sent.look, ...sent.act])).toEqual([])
      for (const action of ['DeleteItem', 'BatchWriteItem', 'DeleteTable', 'UpdateTable', 'RestoreTableToPointInTime']) {
        const asked = onTable({ action: `dynamodb:${action}`, tableArn, leadingKey: 'default/lock/a' })
        expect(await allowed(policiesOfRole.Operator, asked)).toBe(false)
      }
    })

    test('neither may do what the command line does not', () => {
      expect(unused(policiesOfRole.Inspector, [...sent.look, ...sent.act])).toEqual([])
      expect(unused(policiesOfRole.Operator, [...sent.look, ...sent.act])).toEqual([])
    })
  })

  describe('the functions of the stack', () => {
    let template: Template
    let sent: { readonly [name: string]: Access[] }
    beforeAll(async () => {
      template = newAssembly().app.synth().getStackByName('Alonce').template as Template
      sent = await functionRuns(recording)
    }, 60_000)

    test.each(['payments', 'orders', 'settlement'])('%s may send what it sends', async (name) => {
      const { policies, arnByVariable } = deployed(template, name)
      const requests = sent[name] ?? []
      expect(requests.length).toBeGreaterThan(1)
      for (const { action, table, leadingKey } of requests) {
        const asked = onTable({ action, tableArn: arnByVariable[table] ?? `no table ${table}`, leadingKey })
        expect({ asked, allowed: await allowed(policies, asked) }).toEqual({ asked, allowed: true })
      }
    })

    test.each(['orders', 'settlement'])('%s may do with its own table what it does, and no more', (name) => {
      const { policies, arnByVariable } = deployed(template, name)
      const granted = policies
        .flatMap(({ Statement }) => Statement)
        .filter(({ Resource }) => Resource === arnByVariable['ORDERS_TABLE'])
        .flatMap(actionsOf)
      const used = sent[name]?.filter(({ table }) => table === 'ORDERS_TABLE').map(({ action }) => action)
      expect(granted.sort()).toEqual([...new Set(used)].sort())
    })

    test.each(['payments', 'orders', 'settlement'])('%s is refused what the others use', async (name) => {
      const { policies, arnByVariable } = deployed(template, name)
      const others = Object.entries(sent).filter(([other]) => other !== name)
      const theirs = others.flatMap(([, accesses]) => accesses.filter(({ table }) => table === 'ALONCE_TABLE'))
      expect(theirs.length).toBeGreaterThan(1)
      for (const { action, leadingKey } of theirs) {
        const asked = onTable({ action, tableArn: arnByVariable['ALONCE_TABLE'] ?? '', leadingKey })
        expect({ asked, allowed: await allowed(policies, asked) }).toEqual({ asked, allowed: false })
      }
    })
  })
})

const LAMBDA = new ServicePrincipal('lambda.amazonaws.com')

interface Use {
  readonly policies: readonly Policy[]
  readonly tableArn: string
  readonly keyArn: string
}

function usePolicies(options: UseOptions): Use {
  const { stack, template } = stackIn('eu-west-1')
  const table = new AlonceTable(stack, 'Alonce', { encryptionKey: new Key(stack, 'Key') })
  const role = new Role(stack, 'Function', { assumedBy: LAMBDA })
  table.grantUse(role, options)
  const synthesized = template()
  const [keyId = ''] = ofType(synthesized, 'AWS::KMS::Key')[0] ?? []
  return {
    policies: policiesOf(synthesized, idOf(synthesized, role)),
    tableArn: arnOf(synthesized),
    keyArn: `arn:aws:kms:eu-west-1:111122223333:key/${keyId}`,
  }
}

function peoplePolicies() {
  const { stack, template } = stackIn('eu-west-1')
  const table = new AlonceTable(stack, 'Alonce')
  const [inspector, operator] = ['Inspector', 'Operator'].map((id) => new Role(stack, id, { assumedBy: LAMBDA })) as [Role, Role]
  table.grantInspect(inspector)
  table.grantOperate(operator)
  const synthesized = template()
  return {
    tableArn: arnOf(synthesized),
    policiesOfRole: {
      Inspector: policiesOf(synthesized, idOf(synthesized, inspector)),
      Operator: policiesOf(synthesized, idOf(synthesized, operator)),
    },
  }
}

const idOf = (template: Template, role: Role | undefined): string =>
  ofType(template, 'AWS::IAM::Role').find(([id]) => role && id.startsWith(role.node.id))?.[0] ?? ''

const arnOf = (template: Template): string =>
  `arn:aws:dynamodb:eu-west-1:111122223333:table/${ofType(template, 'AWS::DynamoDB::GlobalTable')[0]?.[0]}`

/** In the namespace that is used where none is named. */
const renamed = (accesses: readonly Access[]): Access[] =>
  accesses.map((access) => ({ ...access, leadingKey: access.leadingKey?.replace(NAMESPACE, 'default') ?? '' }))

async function refused(policies: readonly Policy[], accesses: readonly Access[], tableArn: string): Promise<Access[]> {
  const verdicts = await Promise.all(
    renamed(accesses).map(async (access) => [access, await allowed(policies, onTable({ ...access, tableArn }))] as const),
  )
  return verdicts.filter(([, ok]) => !ok).map(([access]) => access)
}

const tableActions = (policies: readonly Policy[]): string[] =>
  policies.flatMap(({ Statement }) => Statement.flatMap(actionsOf)).filter((action) => action.startsWith('dynamodb:'))

function unused(policies: readonly Policy[], accesses: readonly Access[]): string[] {
  const used = new Set(accesses.map(({ action }) => action))
  return tableActions(policies).filter((action) => !used.has(action))
}

const without = (policies: readonly Policy[], action: string): Policy[] =>
  policies.map((policy) => ({
    ...policy,
    Statement: policy.Statement.map((statement) => ({
      ...statement,
      Action: actionsOf(statement).filter((granted) => granted !== action),
    })).filter(({ Action }) => Action.length > 0),
  }))

const withMore = ([first, ...rest]: readonly Policy[], action: string): Policy[] => {
  if (!first) throw new Error('no policy')
  return [{ ...first, Statement: [...first.Statement, { Effect: 'Allow', Action: action, Resource: '*' }] }, ...rest]
}

const withoutNull = <S extends Policy['Statement'][number]>(statement: S): S => {
  const { Null: _, ...Condition } = statement.Condition ?? {}
  return { ...statement, Condition }
}

interface Deployed {
  readonly policies: readonly Policy[]
  /** The table that a variable of the function's names. */
  readonly arnByVariable: { readonly [variable: string]: string }
}

function deployed(template: Template, name: string): Deployed {
  const [, fn] = ofType(template, 'AWS::Lambda::Function').find(([id]) => id.toLowerCase().startsWith(name)) ?? []
  if (!fn) throw new Error(`no function ${name}`)
  const { Role: role, Environment } = fn.Properties as {
    Role: { 'Fn::GetAtt': [string] }
    Environment: { Variables: { [name: string]: { Ref?: string } } }
  }
  const tables = Object.entries(Environment.Variables).filter(([, value]) => typeof value === 'object')
  return {
    policies: policiesOf(template, role['Fn::GetAtt'][0]),
    arnByVariable: Object.fromEntries(
      tables.map(([variable, { Ref }]) => [variable, `arn:aws:dynamodb:eu-west-1:111122223333:table/${Ref}`]),
    ),
  }
}
