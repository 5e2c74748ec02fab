import { DynamoDBClient, PutItemCommand, ScanCommand } from '@aws-sdk/client-dynamodb'
import { Annotations, Template as Assertions, Match } from 'aws-cdk-lib/assertions'
import type { IMetric } from 'aws-cdk-lib/aws-cloudwatch'
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions'
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { Key } from 'aws-cdk-lib/aws-kms'
import { Topic } from 'aws-cdk-lib/aws-sns'
import { RemovalPolicy, type Stack } from 'aws-cdk-lib/core'
import { afterAll, describe, expect, test } from 'vitest'
import { AlonceDashboard, AlonceEvents, AlonceTable, type AlonceTableProps } from '../../infra/constructs/index.ts'
import { sweep } from '../../infra/constructs/sweeper/index.mjs'
import { dynamodbMissing, localConfig, testTable } from '../support/dynamodb-table.ts'
import { actionsOf, policiesOf, resolve } from './cloud.ts'
import { ofType, only, removeFolders, stackIn, type Template } from './synthesis.ts'

afterAll(removeFolders)

const REGION = 'eu-west-1'
const THREE: AlonceTableProps = { regions: { consistency: 'strong', replicas: ['eu-west-2', 'eu-west-3'] } }
const EVENTUAL: AlonceTableProps = {
  regions: {
    consistency: 'eventual',
    replicas: ['us-east-1'],
    acknowledgeBroken: ['mutual-exclusion', 'idempotency', 'fences'],
  },
}

function tableWith(props: AlonceTableProps = {}, region?: string) {
  const { stack, template } = stackIn(region)
  return { stack, table: new AlonceTable(stack, 'Alonce', props), template }
}
const propertiesWith = (props?: AlonceTableProps, region?: string) =>
  only(tableWith(props, region).template(), 'AWS::DynamoDB::GlobalTable').Properties as { [name: string]: unknown } & {
    Replicas: { [name: string]: unknown }[]
  }
const roleIn = (stack: Stack): Role => new Role(stack, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') })
const grantedTo = (template: Template) =>
  policiesOf(template, ofType(template, 'AWS::IAM::Role').find(([id]) => id.startsWith('Role'))?.[0] ?? '').flatMap(
    ({ Statement }) => Statement,
  )

describe('AlonceTable', () => {
  test('is on demand, with keys, TTL and a way back, and outlives its stack', () => {
    const { template } = tableWith()
    expect(only(template(), 'AWS::DynamoDB::GlobalTable')).toMatchObject({
      DeletionPolicy: 'Retain',
      UpdateReplacePolicy: 'Retain',
      Properties: {
        BillingMode: 'PAY_PER_REQUEST',
        KeySchema: [
          { AttributeName: 'pk', KeyType: 'HASH' },
          { AttributeName: 'sk', KeyType: 'RANGE' },
        ],
        AttributeDefinitions: [
          { AttributeName: 'pk', AttributeType: 'S' },
          { AttributeName: 'sk', AttributeType: 'S' },
        ],
        TimeToLiveSpecification: { AttributeName: 'ttl', Enabled: true },
        Replicas: [{ DeletionProtectionEnabled: true, PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true } }],
      },
    })
  })

  test('takes a bound on its units, a name, and less protection where that is asked for', () => {
    const props = {
      tableName: 'alonce-dev',
      maxReadRequestUnits: 50,
      maxWriteRequestUnits: 100,
      deletionProtection: false,
      pointInTimeRecovery: false,
      contributorInsights: true,
      removalPolicy: RemovalPolicy.DESTROY,
    }
    const { template } = tableWith(props)
    expect(only(template(), 'AWS::DynamoDB::GlobalTable')).toMatchObject({
      DeletionPolicy: 'Delete',
      Properties: {
        TableName: 'alonce-dev',
        WriteOnDemandThroughputSettings: { MaxWriteRequestUnits: 100 },
        Replicas: [
          {
            ContributorInsightsSpecification: { Enabled: true },
            DeletionProtectionEnabled: false,
            PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: false },
            ReadOnDemandThroughputSettings: { MaxReadRequestUnits: 50 },
          },
        ],
      },
    })
  })

  test.each([undefined, REGION])('is encrypted with a key of yours, in a stack whose region is %s', (region) => {
    const { stack, template } = stackIn(region)
    const key = new Key(stack, 'Key')
    new AlonceTable(stack, 'Alonce', { encryptionKey: key })
    const { Properties } = only(template(), 'AWS::DynamoDB::GlobalTable')
    const [keyId] = ofType(template(), 'AWS::KMS::Key')[0] ?? []
    expect(Properties).toMatchObject({
      SSESpecification: { SSEEnabled: true, SSEType: 'KMS' },
      Replicas: [{ SSESpecification: { KMSMasterKeyId: { 'Fn::GetAtt': [keyId, 'Arn'] } } }],
    })
  })

  test('protect gives a function the name and the permissions in one call', () => {
    const { stack, table, template } = tableWith()
    const variables = new Map<string, unknown>()
    const role = roleIn(stack)
    const fn = { grantPrincipal: role, addEnvironment: (name: string, value: string) => variables.set(name, value) }
    table.protect(fn)
    table.protect(fn, { variable: 'LOCKS', leadingKeys: ['default/lock/*'] })
    expect(Object.fromEntries(variables)).toEqual({ ALONCE_TABLE: table.tableName, LOCKS: table.tableName })
    expect(grantedTo(template())).toMatchObject([
      { Effect: 'Allow' },
      {
        Condition: {
          'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': ['default/lock/*'] },
          Null: { 'dynamodb:LeadingKeys': 'false' },
        },
      },
    ])
  })

  test('is found again by name or ARN, with its key', () => {
    const { stack, template } = stackIn()
    const role = roleIn(stack)
    AlonceTable.fromTableName(stack, 'ByName', 'alonce').grantUse(role)
    const encryptionKey = Key.fromKeyArn(stack, 'Key', 'arn:aws:kms:eu-north-1:999999999999:key/k')
    const tableArn = 'arn:aws:dynamodb:eu-north-1:999999999999:table/far'
    const far = AlonceTable.fromTableAttributes(stack, 'ByArn', { tableArn, encryptionKey, stronglyConsistent: true })
    far.grantUse(role)
    expect(far.tableName).toBe('far')
    const use = ['dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:Query', 'dynamodb:UpdateItem']
    const named = `arn:aws:dynamodb:${REGION}:111122223333:table/alonce`
    expect(grantedTo(template()).map((statement) => [statement.Resource, [...actionsOf(statement)].sort()])).toEqual([
      [named, ['dynamodb:ConditionCheckItem', ...use]],
      [tableArn, use],
      ['arn:aws:kms:eu-north-1:999999999999:key/k', ['kms:Decrypt']],
    ])
    expect(grantedTo(template()).at(-1)?.Condition).toEqual({
      StringEquals: { 'kms:ViaService': 'dynamodb.eu-north-1.amazonaws.com' },
    })
  })

  const wrong: readonly (readonly [string, () => unknown, RegExp])[] = [
    ['units that are none', () => tableWith({ maxWriteRequestUnits: 0 }), /"maxWriteRequestUnits" must be a whole number/],
    ['no leading key', () => grantUse([]), /"leadingKeys" is empty/],
    ['a pattern for all namespaces', () => grantUse(['*']), /does not begin with a namespace/],
    ['a namespace without its end', () => grantUse(['payments*']), /write "payments\/\*"/],
    ['an ARN that is none', () => AlonceTable.fromTableArn(stackIn().stack, 'T', 'alonce'), /"tableArn" must be a table's/],
    ['a variable that is none', () => tableWith().table.protect({} as never, { variable: '1' }), /"variable" must be/],
    ['a service with quotes', () => new AlonceEvents({ namespace: 'a', service: "x' OR '" }), /"service" must be/],
    ['a namespace with quotes', () => new AlonceEvents({ namespace: 'a"', service: 'x' }), /"namespace" must be/],
    ['an operation with quotes', () => eventsOf().metricReplays({ operation: "'" }), /"operation" must be/],
  ]
  const grantUse = (leadingKeys: string[]) => {
    const { stack, table } = tableWith()
    return table.grantUse(roleIn(stack), { leadingKeys })
  }

  test.each(wrong)('refuses %s at once, and says what to do', (_what, make, message) => {
    expect(make).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringMatching(message) }))
  })
})

describe('a table in several regions', () => {
  const refusals: readonly (readonly [string, unknown, string | undefined, RegExp])[] = [
    ['nothing is acknowledged', { consistency: 'eventual', replicas: ['us-east-1'] }, REGION, /two regions can both win/],
    [
      'not all that breaks is acknowledged',
      { consistency: 'eventual', replicas: ['us-east-1'], acknowledgeBroken: ['idempotency'] },
      REGION,
      /"acknowledgeBroken": \["mutual-exclusion","idempotency","fences"\]/,
    ],
    ['no consistency is named', { replicas: ['us-east-1'] }, REGION, /needs "consistency"/],
    ['the stack has no region', THREE.regions, undefined, /needs a stack with a region/],
    ['there is no replica', { consistency: 'strong', replicas: [] }, REGION, /names no replica/],
    ['a region comes twice', { consistency: 'strong', replicas: [REGION, 'eu-west-2'] }, REGION, /names a region twice/],
    ['two regions are to agree', { consistency: 'strong', replicas: ['eu-west-2'] }, REGION, /needs three regions/],
    [
      'three regions and a witness are to agree',
      { consistency: 'strong', replicas: ['eu-west-2', 'eu-west-3'], witness: 'eu-central-1' },
      REGION,
      /needs three regions/,
    ],
    [
      'a region is its own witness',
      { consistency: 'strong', replicas: ['eu-west-2'], witness: 'eu-west-2' },
      REGION,
      /needs three regions/,
    ],
    ['they are far apart', { consistency: 'strong', replicas: ['eu-west-2', 'us-east-1'] }, REGION, /lies within us-east-1/],
  ]
  test.each(refusals)('is refused where %s', (_where, regions, region, message) => {
    const make = () => tableWith({ regions: regions as AlonceTableProps['regions'] }, region)
    expect(make).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', option: 'regions', message: expect.stringMatching(message) }),
    )
  })

  test('the compiler wants all that breaks to be named', () => {
    // @ts-expect-error nothing is acknowledged
    const silent: AlonceTableProps['regions'] = { consistency: 'eventual', replicas: ['us-east-1'] }
    const partly: AlonceTableProps['regions'] = {
      consistency: 'eventual',
      replicas: ['us-east-1'],
      // @ts-expect-error fences are not
      acknowledgeBroken: ['mutual-exclusion', 'idempotency'],
    }
    expect([silent, partly].map((regions) => regions.consistency)).toEqual(['eventual', 'eventual'])
  })

  test('acknowledged, it is eventually consistent, and each synthesis warns', () => {
    const { stack, template } = tableWith(EVENTUAL, REGION)
    const { Properties } = only(template(), 'AWS::DynamoDB::GlobalTable')
    expect(Properties).toMatchObject({
      MultiRegionConsistency: 'EVENTUAL',
      Replicas: [{ Region: 'us-east-1' }, { Region: REGION }],
      TimeToLiveSpecification: { AttributeName: 'ttl' },
    })
    const warning = Match.stringLikeRegexp('mutual-exclusion, idempotency, fences hold within one region only')
    expect(Annotations.fromStack(stack).findWarning('/Stack/Alonce', warning)).toHaveLength(1)
  })

  test.each([
    ['three regions', THREE, { Replicas: [{ Region: 'eu-west-2' }, { Region: 'eu-west-3' }, { Region: REGION }] }],
    [
      'two and a witness',
      { regions: { consistency: 'strong', replicas: ['eu-west-2'], witness: 'eu-west-3' } } as AlonceTableProps,
      { Replicas: [{ Region: 'eu-west-2' }, { Region: REGION }], GlobalTableWitnesses: [{ Region: 'eu-west-3' }] },
    ],
  ])('strongly consistent in %s, it has no TTL, and says what else it lacks', (_what, props, expected) => {
    const { stack, table, template } = tableWith(props, REGION)
    const { Properties } = only(template(), 'AWS::DynamoDB::GlobalTable')
    expect(Properties).toMatchObject({ MultiRegionConsistency: 'STRONG', ...expected })
    expect(Properties).not.toHaveProperty('TimeToLiveSpecification')
    expect(table.unavailable).toEqual(['transactions', 'time-to-live'])
    expect(
      Annotations.fromStack(stack).findInfo(
        '*',
        Match.stringLikeRegexp('no transactions: give .*transactions: false.* It has no TTL'),
      ),
    ).toHaveLength(1)
  })

  test('strongly consistent, it grants no part of transactions, and has a sweeper that may scan and delete, each hour', () => {
    const { stack, table, template } = tableWith(THREE, REGION)
    table.grantUse(roleIn(stack))
    expect(grantedTo(template()).flatMap(actionsOf)).not.toContain('dynamodb:ConditionCheckItem')
    const assertions = Assertions.fromStack(stack)
    assertions.hasResourceProperties('AWS::Events::Rule', { ScheduleExpression: 'rate(1 hour)' })
    assertions.hasResourceProperties('AWS::Lambda::Function', {
      Handler: 'index.handler',
      Environment: { Variables: { ALONCE_TABLE: { Ref: Match.stringLikeRegexp('^AlonceTable') } } },
    })
    const [sweeperRole = ''] = ofType(template(), 'AWS::IAM::Role').find(([id]) => id.startsWith('AlonceSweeper')) ?? []
    const onTable = policiesOf(template(), sweeperRole).flatMap(({ Statement }) => Statement.flatMap(actionsOf))
    expect(onTable.filter((action) => action.startsWith('dynamodb:'))).toEqual(['dynamodb:DeleteItem', 'dynamodb:Scan'])
  })

  test('a key of yours needs one in each region', () => {
    const { stack } = stackIn(REGION)
    const encryptionKey = new Key(stack, 'Key')
    expect(() => new AlonceTable(stack, 'Without', { ...THREE, encryptionKey })).toThrow(/a key for eu-west-2, eu-west-3/)
    const replicaKeyArns = { 'eu-west-2': 'arn:aws:kms:eu-west-2:1:key/a', 'eu-west-3': 'arn:aws:kms:eu-west-3:1:key/b' }
    const regions = { ...THREE.regions, replicaKeyArns } as AlonceTableProps['regions']
    expect(() => new AlonceTable(stack, 'With', { regions, encryptionKey })).not.toThrow()
  })
})

describe.skipIf(dynamodbMissing)(`the sweeper on DynamoDB Local (${dynamodbMissing ?? 'running'})`, () => {
  const NOW = Date.parse('2026-11-24T12:00:00Z')
  const item = (name: string, secondsFromNow?: number) => ({
    pk: { S: `swept/lock/${name}` },
    sk: { S: 'head' },
    ...(secondsFromNow !== undefined && { ttl: { N: String(NOW / 1000 + secondsFromNow) } }),
  })

  test('deletes what has expired, and neither what has not nor what is held for ever', async () => {
    const { tableName: TableName, client } = await testTable()
    const items = [item('expired', -1), item('long-expired', -90_000), item('living', 60), item('held')]
    for (const Item of items) await client.send(new PutItemCommand({ TableName, Item }))
    const swept = await sweep({ client, tableName: TableName, now: NOW, remainingMs: () => 60_000 })
    expect(swept).toEqual({ seen: 4, deleted: 2, left: 0, finished: true })
    const { Items = [] } = await client.send(new ScanCommand({ TableName, ConsistentRead: true }))
    expect(Items.map(({ pk }) => pk?.S).sort()).toEqual(['swept/lock/held', 'swept/lock/living'])
  })

  test('leaves what has been begun again since it was read, and stops in time', async () => {
    const { tableName: TableName, client } = await testTable()
    await client.send(new PutItemCommand({ TableName, Item: item('revived', -1) }))
    const slow = new DynamoDBClient(localConfig())
    slow.middlewareStack.add(
      (next, { commandName }) =>
        async (args) => {
          if (commandName === 'DeleteItemCommand') await client.send(new PutItemCommand({ TableName, Item: item('revived', 60) }))
          return next(args)
        },
      { step: 'initialize' },
    )
    const swept = await sweep({ client: slow, tableName: TableName, now: NOW, remainingMs: () => 60_000 })
    expect(swept).toMatchObject({ deleted: 0, left: 1, finished: true })
    const inTime = await sweep({ client, tableName: TableName, now: NOW, remainingMs: () => 20_000 })
    expect(inTime).toEqual({ seen: 0, deleted: 0, left: 0, finished: false })
  })
})

const eventsOf = () => new AlonceEvents({ namespace: 'shop', service: 'payments' })

describe('what can be measured', () => {
  const config = (metric: IMetric) => metric.toMetricConfig()

  test('of the table: metrics that DynamoDB has, by the dimensions that it has', () => {
    const { table } = tableWith()
    const stats = (metric: IMetric) => {
      const { namespace, metricName, dimensions, statistic } = config(metric).metricStat ?? {}
      return [namespace, metricName, dimensions?.map(({ name }) => name).sort(), statistic]
    }
    expect(stats(table.metricRefusals())).toEqual(['AWS/DynamoDB', 'ConditionalCheckFailedRequests', ['TableName'], 'Sum'])
    expect(stats(table.metricConflicts())).toEqual(['AWS/DynamoDB', 'TransactionConflict', ['TableName'], 'Sum'])
    expect(stats(table.metricWriteUnits())).toEqual(['AWS/DynamoDB', 'ConsumedWriteCapacityUnits', ['TableName'], 'Sum'])
    const latency = ['AWS/DynamoDB', 'SuccessfulRequestLatency', ['Operation', 'TableName'], 'Average']
    expect(stats(table.metricLatency())).toEqual(latency)
    for (const [metric, name] of [
      [table.metricThrottles(), 'ThrottledRequests'],
      [table.metricSystemErrors(), 'SystemErrors'],
    ] as const) {
      const parts = Object.values(config(metric).mathExpression?.usingMetrics ?? {})
      expect(parts).toHaveLength(5)
      for (const part of parts) expect(stats(part)).toEqual(['AWS/DynamoDB', name, ['Operation', 'TableName'], 'Sum'])
    }
  })

  test('of a service: one metric by name, or a query over all operations', () => {
    const events = eventsOf()
    expect(config(events.metricContention()).metricStat).toMatchObject({
      namespace: 'shop',
      metricName: 'AlonceEvents',
      dimensions: [
        { name: 'event', value: 'held' },
        { name: 'kind', value: 'lock' },
        { name: 'service', value: 'payments' },
      ],
    })
    expect(config(events.metricReplays({ operation: 'charge' })).metricStat?.dimensions).toContainEqual({
      name: 'operation',
      value: 'charge',
    })
    const query = `SELECT SUM(AlonceEvents) FROM "shop" WHERE service = 'payments' AND`
    expect(config(events.metricReplays()).mathExpression?.expression).toBe(`${query} event = 'replayed'`)
    expect(config(events.metricEvents('once')).mathExpression?.expression).toBe(`${query} kind = 'once' GROUP BY event`)
  })

  test('alarms tell of what somebody must look at, and tell those who are named', () => {
    const { stack, table } = tableWith()
    const services = [{ namespace: 'shop', service: 'payments' }]
    const { all } = table.alarms({ services, actions: [new SnsAction(new Topic(stack, 'Topic'))] })
    expect(all.map(({ node }) => node.id)).toEqual([
      'Throttled',
      'SystemErrors',
      'Lost-payments',
      'NotCompleted-payments',
      'NotNoted-payments',
      'Unprotected-payments',
    ])
    Assertions.fromStack(stack).allResourcesProperties('AWS::CloudWatch::Alarm', {
      AlarmActions: [{ Ref: Match.stringLikeRegexp('^Topic') }],
      TreatMissingData: 'notBreaching',
      // CloudFormation turns other letters into question marks.
      AlarmDescription: Match.stringLikeRegexp('^[ -~]+$'),
    })
  })

  test('the dashboard shows the table and each service, and no two lines of a graph under one id', () => {
    const { stack, table, template } = tableWith()
    const services = ['payments', 'orders'].map((service) => ({ namespace: 'shop', service }))
    new AlonceDashboard(stack, 'Dashboard', { table, services })
    const body = resolve(template(), only(template(), 'AWS::CloudWatch::Dashboard').Properties['DashboardBody'])
    const { widgets } = JSON.parse(body as string) as {
      widgets: { type: string; properties: { title?: string; markdown?: string; metrics?: unknown[][] } }[]
    }
    expect(widgets.map(({ properties }) => properties.title ?? properties.markdown)).toEqual([
      expect.stringMatching(/^# Alonce: table AlonceTable/),
      'Refused conditional writes',
      'Not served',
      'Write units, and latency of a write',
      ...['payments', 'orders'].flatMap((service) => [
        `## ${service}`,
        'Operations, by event',
        'Locks, by event',
        'How long locks are held',
      ]),
    ])
    for (const { properties } of widgets) {
      const ids = properties.metrics?.map((line) => (line.at(-1) as { id?: string }).id).filter(Boolean) ?? []
      expect(new Set(ids).size).toBe(ids.length)
    }
  })
})

test('a table of one region has nothing to say about regions', () => {
  expect(propertiesWith(undefined, REGION)).not.toHaveProperty('MultiRegionConsistency')
  expect(propertiesWith(undefined, REGION).Replicas).toHaveLength(1)
})
