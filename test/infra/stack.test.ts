import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Template as Assertions, Match } from 'aws-cdk-lib/assertions'
import { App, Validations } from 'aws-cdk-lib/core'
import { AwsSolutionsChecks, ServerlessChecks } from 'cdk-nag'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { AlonceStack } from '../../infra/stacks/alonce-stack.ts'
import { dynamodbMissing, testTable } from '../support/dynamodb-table.ts'
import { resolve } from './cloud.ts'
import { cdk } from './command.ts'
import { runDeployed } from './deployed-function.ts'
import { FUNCTIONS, readByFunction } from './function-source.ts'
import { type Assembly, newAssembly, ofType, type Resource, ROOT, removeFolders, type Template } from './synthesis.ts'

let assembly: Assembly
let template: Template
let assertions: Assertions

beforeAll(() => {
  assembly = newAssembly()
  template = assembly.app.synth().getStackByName('Alonce').template as Template
  assertions = Assertions.fromJSON(template as unknown as { [name: string]: unknown })
}, 60_000)
afterEach(() => {
  vi.restoreAllMocks()
})
afterAll(removeFolders)

const functionOf = (name: string): [string, Resource] => {
  const found = ofType(template, 'AWS::Lambda::Function').find(([id]) => id.toLowerCase().startsWith(name))
  if (!found) throw new Error(`no function ${name}`)
  return found
}
const variablesOf = (name: string) =>
  resolve(template, (functionOf(name)[1].Properties['Environment'] as { Variables: object }).Variables) as {
    [variable: string]: string
  }

describe('each function is deployed with what it reads', () => {
  test.each(FUNCTIONS)('%s: the variables, the exported handler and the Node that it is bundled for', async (name) => {
    const read = await readByFunction(name)
    const [, { Properties }] = functionOf(name)
    expect(read.variables.length).toBeGreaterThan(2)
    expect(Object.keys(variablesOf(name)).sort()).toEqual(read.variables)
    for (const value of Object.values(variablesOf(name))) expect(value).not.toBe('')
    expect(read.exports).toContain((Properties['Handler'] as string).replace(/^index\./, ''))
    expect(Properties).toMatchObject({ Runtime: `nodejs${read.node}.x`, Architectures: ['arm64'] })
  })

  test.each(FUNCTIONS)('%s: the bundle holds it, and leaves the SDK to Lambda', (name) => {
    const code = readFileSync(join(bundleOf(name), 'index.mjs'), 'utf8')
    expect(readdirSync(bundleOf(name))).toEqual(['index.mjs'])
    expect(code).toMatch(/from "@aws-sdk\/client-dynamodb"/)
    expect(code).not.toContain('node_modules/@aws-sdk')
    expect(code).not.toContain(ROOT)
  })

  test.each(FUNCTIONS)('%s: what triggers it sends the event that its handler is written for', async (name) => {
    const [id] = functionOf(name)
    const triggers: { readonly [event: string]: () => void } = {
      APIGatewayProxyEventV2: () =>
        assertions.hasResourceProperties('AWS::ApiGatewayV2::Integration', {
          PayloadFormatVersion: '2.0',
          IntegrationUri: { 'Fn::GetAtt': [id, 'Arn'] },
        }),
      // Its answer says which messages failed, and only so many are deleted.
      SQSEvent: () =>
        assertions.hasResourceProperties('AWS::Lambda::EventSourceMapping', {
          FunctionName: { Ref: id },
          FunctionResponseTypes: ['ReportBatchItemFailures'],
        }),
      // No input of our own: it reads the time of the event.
      ScheduledEvent: () =>
        assertions.hasResourceProperties('AWS::Events::Rule', {
          ScheduleExpression: Match.stringLikeRegexp('^cron'),
          Targets: [{ Arn: { 'Fn::GetAtt': [id, 'Arn'] }, Input: Match.absent(), InputTransformer: Match.absent() }],
        }),
    }
    const { events } = await readByFunction(name)
    expect(events).toHaveLength(1)
    for (const event of events) triggers[event]?.()
    expect(triggers).toHaveProperty(events[0] ?? '')
  })

  test.each(FUNCTIONS)('%s: may be invoked by its trigger alone', (name) => {
    const [id] = functionOf(name)
    const invokers = ofType(template, 'AWS::Lambda::Permission')
      .filter(([, { Properties }]) => JSON.stringify(Properties['FunctionName']).includes(id))
      .map(([, { Properties }]) => Properties['Principal'])
    const expected = { payments: ['apigateway.amazonaws.com'], orders: [], settlement: ['events.amazonaws.com'] }
    expect(invokers).toEqual(expected[name])
  })
})

describe('the stack', () => {
  test('answers POST /payments to callers who sign, within bounds, and logs each request', () => {
    assertions.resourceCountIs('AWS::ApiGatewayV2::Route', 1)
    assertions.hasResourceProperties('AWS::ApiGatewayV2::Route', { RouteKey: 'POST /payments', AuthorizationType: 'AWS_IAM' })
    assertions.hasResourceProperties('AWS::ApiGatewayV2::Stage', {
      DefaultRouteSettings: { ThrottlingRateLimit: 100, ThrottlingBurstLimit: 200 },
      AccessLogSettings: { DestinationArn: Match.anyValue(), Format: Match.stringLikeRegexp('requestId') },
    })
  })

  test('gives a message six times the function’s time, and five tries', () => {
    const timeout = functionOf('orders')[1].Properties['Timeout'] as number
    assertions.hasResourceProperties('AWS::SQS::Queue', {
      VisibilityTimeout: 6 * timeout,
      RedrivePolicy: { maxReceiveCount: 5, deadLetterTargetArn: Match.anyValue() },
    })
  })

  test('lets the settlement’s lease end before Lambda tries again, after a minute', () => {
    expect(Number(variablesOf('settlement')['SETTLEMENT_LEASE_MS'])).toBeLessThan(60_000)
  })

  test('keeps nothing in the clear that a key of yours can encrypt, and loses no table', () => {
    const tables = ofType(template, 'AWS::DynamoDB::GlobalTable')
    expect(tables).toHaveLength(2)
    for (const [, table] of tables) {
      expect(table).toMatchObject({
        DeletionPolicy: 'Retain',
        Properties: { SSESpecification: { SSEType: 'KMS' }, Replicas: [{ DeletionProtectionEnabled: true }] },
      })
    }
    assertions.hasResourceProperties('AWS::KMS::Key', { EnableKeyRotation: true })
  })

  test('alarms the topic', () => {
    const alarms = ofType(template, 'AWS::CloudWatch::Alarm')
    expect(alarms.length).toBeGreaterThan(15)
    for (const [, { Properties }] of alarms)
      expect(Properties['AlarmActions']).toEqual([{ Ref: expect.stringMatching(/^AlarmTopic/) }])
  })

  test('asks for nothing that needs a network or another program: no look-ups, no custom resources, no Docker', () => {
    expect(ofType(template, 'AWS::CloudFormation::CustomResource')).toEqual([])
    expect(Object.values(template.Resources).filter(({ Type }) => Type.startsWith('Custom::'))).toEqual([])
    expect(assembly.app.synth().manifest.missing).toBeUndefined()
    const { dockerImages } = JSON.parse(readFileSync(join(assembly.folder, 'Alonce.assets.json'), 'utf8')) as {
      dockerImages: object
    }
    expect(dockerImages).toEqual({})
  })

  test('is refused without a provider', () => {
    const make = (paymentProviderUrl: string) => () => new AlonceStack(new App(), 'Alonce', { paymentProviderUrl })
    expect(make('undefined')).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID', option: 'paymentProviderUrl' }))
    expect(make('https://api.provider.example/v1')).toThrow(/without a path/)
  })

  test('is what it was when somebody last looked', () => {
    // The code's name is its hash, and changes with each line of the library.
    const lasting = JSON.stringify(template, null, 2).replace(/[0-9a-f]{64}\.zip/g, '<code>.zip')
    expect(lasting).toMatchSnapshot()
  })
})

describe('cdk synth', () => {
  test('gives the same bytes each time', () => {
    const again = newAssembly()
    again.app.synth()
    const files = (folder: string) => readdirSync(folder).sort()
    expect(files(again.folder)).toEqual(files(assembly.folder))
    for (const file of ['Alonce.template.json', 'Alonce.assets.json', 'manifest.json']) {
      expect(readFileSync(join(again.folder, file), 'utf8')).toBe(readFileSync(join(assembly.folder, file), 'utf8'))
    }
  })

  test('works with neither network nor credentials, and makes the stack of these tests', async () => {
    const { output, folder } = await cdk('synth', '--quiet')
    expect(output).not.toMatch(/notices|telemetry/i)
    const synthesized = JSON.parse(readFileSync(join(folder, 'Alonce.template.json'), 'utf8')) as Template
    expect(withoutMetadata(synthesized)).toEqual(withoutMetadata(template))
  }, 60_000)
})

describe('the rules of cdk-nag', () => {
  const findings = (): string[] => {
    const { app, folder } = newAssembly()
    Validations.of(app).addPlugins(new AwsSolutionsChecks(app), new ServerlessChecks(app))
    const failed = vi.spyOn(console, 'error').mockReturnValue()
    try {
      app.synth()
      return []
    } catch {
      const report = JSON.parse(readFileSync(join(folder, 'validation-report.json'), 'utf8')) as {
        pluginReports: { violations: { ruleName: string; violatingConstructs: { constructPath: string }[] }[] }[]
      }
      const violations = report.pluginReports.flatMap((plugin) => plugin.violations)
      return violations.flatMap(({ ruleName, violatingConstructs }) =>
        violatingConstructs.map(({ constructPath }) => `${ruleName} ${constructPath}`),
      )
    } finally {
      failed.mockRestore()
    }
  }

  test('find nothing that is not acknowledged', () => {
    expect(findings()).toEqual([])
  }, 60_000)

  test('each acknowledgement has a finding and a reason', () => {
    const acknowledged: { readonly id: string; readonly reason?: string }[] = []
    vi.spyOn(Validations.prototype, 'acknowledge').mockImplementation((...rules) => void acknowledged.push(...rules))
    const found = new Set(findings().map((finding) => finding.split(' ')[0] ?? ''))
    expect(new Set(acknowledged.map(({ id }) => id))).toEqual(found)
    expect(found.size).toBeGreaterThan(3)
    for (const { reason = '' } of acknowledged) expect(reason.length).toBeGreaterThan(30)
  }, 60_000)
})

describe.skipIf(dynamodbMissing)(`the bundle that is deployed, run with its variables (${dynamodbMissing ?? 'running'})`, () => {
  test('sends the metrics that the alarms and the dashboard show', async () => {
    const { tableName } = await testTable()
    const tables = { ALONCE_TABLE: tableName, ORDERS_TABLE: tableName }
    const body = JSON.stringify({ orderId: 'o-1', merchantId: 'm-1', amountMinor: 100, day: '2026-11-23' })
    const batch = { Records: [{ messageId: '1', body, eventSource: 'aws:sqs' }] }
    const orders = await runDeployed(bundleOf('orders'), { ...variablesOf('orders'), ...tables }, [batch, batch])
    expect(orders.results).toEqual([{ batchItemFailures: [] }, { batchItemFailures: [] }])
    const night = { time: '2026-11-24T01:00:00Z' }
    const settlement = await runDeployed(bundleOf('settlement'), { ...variablesOf('settlement'), ...tables }, [night])
    expect(settlement.results).toEqual([{ day: '2026-11-23', outcome: 'settled', merchants: 1 }])

    const sent = [...orders.metrics, ...settlement.metrics]
    expect(sent).toContainEqual({
      namespace: 'Alonce',
      name: 'AlonceEvents',
      dimensions: { service: 'orders', kind: 'once', event: 'replayed', operation: 'book-order' },
    })
    for (const shown of shownMetrics()) expect(sent).toContainEqual(shown)
    for (const query of shownQueries()) {
      expect(
        sent.filter((metric) => metric.namespace === query.namespace && query.where.every((name) => name in metric.dimensions)),
      ).not.toEqual([])
    }
  }, 60_000)
})

/** What the dashboard shows by its dimensions, of the services that these tests run. */
function shownMetrics() {
  const body = resolve(template, ofType(template, 'AWS::CloudWatch::Dashboard')[0]?.[1].Properties['DashboardBody']) as string
  const { widgets } = JSON.parse(body) as { widgets: { properties: { metrics?: unknown[][] } }[] }
  const lines = widgets.flatMap(({ properties }) => properties.metrics ?? []).filter(([namespace]) => namespace === 'Alonce')
  const shown = lines.map(([namespace, name, ...rest]) => {
    const pairs = rest.filter((value): value is string => typeof value === 'string')
    const dimensions = Object.fromEntries(
      pairs.flatMap((value, index) => (index % 2 === 0 ? [[value, pairs[index + 1] ?? '']] : [])),
    )
    return { namespace, name, dimensions }
  })
  const run = shown.filter(({ dimensions }) => dimensions['service'] === 'settlement')
  expect(run.length).toBeGreaterThan(0)
  return run
}

/** What the alarms ask Metrics Insights for: a namespace, and the dimensions by which a metric must be there. */
function shownQueries() {
  const metrics = ofType(template, 'AWS::CloudWatch::Alarm').flatMap(
    ([, { Properties }]) => (Properties['Metrics'] ?? []) as { Expression?: string }[],
  )
  const queries = metrics
    .map(({ Expression = '' }) => /^SELECT SUM\(AlonceEvents\) FROM "(.+)" WHERE (.+)$/.exec(Expression))
    .filter((match) => match !== null)
  expect(queries.length).toBe(12)
  return queries.map(([, namespace, where = '']) => ({
    namespace,
    where: [...where.matchAll(/(\w+) = '/g)].map(([, name = '']) => name),
  }))
}

/** The folder that is uploaded. */
function bundleOf(name: string): string {
  const { S3Key } = functionOf(name)[1].Properties['Code'] as { S3Key: string }
  return join(assembly.folder, `asset.${S3Key.replace(/\.zip$/, '')}`)
}

/** The command adds the paths of constructs for its own messages. */
const withoutMetadata = (made: Template): object =>
  Object.fromEntries(
    Object.entries(made.Resources).map(([id, { Metadata: _, ...resource }]: [string, Resource & { Metadata?: unknown }]) => [
      id,
      resource,
    ]),
  )
