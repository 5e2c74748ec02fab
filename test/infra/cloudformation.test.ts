import { execFile } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AwsEndpoint } from '../support/aws/aws-endpoint.ts'
import { S3 } from '../support/aws/s3.ts'
import { type Account, type Proposal, Stack, surroundings } from '../support/aws/stack.ts'
import { filesOf } from '../support/aws/zip.ts'

const ROOT = join(import.meta.dirname, '../..')
const BIN = join(ROOT, 'node_modules/.bin')
const LOOPBACK_ONLY = join(ROOT, 'test/support/aws/loopback-only.process.ts')

interface Ran {
  readonly status: number
  readonly output: string
}

/**
 * The real `cdk`, as npm has installed it, and the stack of `infra/app.ts`, against an endpoint given by AWS_ENDPOINT_URL. The
 * tests are one story: each goes on where the one before has ended.
 */
describe('cdk against an endpoint of its own', { timeout: 90_000 }, () => {
  const aws = new AwsEndpoint()
  const folder = mkdtempSync(join(tmpdir(), 'alonce-cdk-'))
  /** What the app of cdk.json makes, once; the commands take it from there. */
  const assembly = join(folder, 'cdk.out')
  const trespasses = join(folder, 'trespasses')
  let env: NodeJS.ProcessEnv
  beforeAll(async () => {
    writeFileSync(trespasses, '')
    env = {
      ...(await aws.open()),
      PATH: `${BIN}${delimiter}${process.env['PATH']}`,
      HOME: folder,
      CI: 'true',
      NO_COLOR: '1',
      NODE_OPTIONS: `--import ${LOOPBACK_ONLY}`,
      TRESPASSES_FILE: trespasses,
    }
  })
  afterAll(async () => {
    await aws.close()
    rmSync(folder, { recursive: true, force: true })
  })

  async function cdk(...args: string[]): Promise<Ran> {
    try {
      const { stdout, stderr } = await promisify(execFile)(join(BIN, 'cdk'), args, { cwd: ROOT, env, maxBuffer: 1e8 })
      return { status: 0, output: stdout + stderr }
    } catch (error) {
      const { code, stdout, stderr } = error as { code?: number; stdout?: string; stderr?: string }
      return { status: code ?? -1, output: `${stdout ?? ''}${stderr ?? ''}` }
    }
  }

  const bucket = `cdk-hnb659fds-assets-${aws.account}-eu-central-1`

  test('synth needs nobody', async () => {
    expect(await cdk('synth', '--quiet', '--output', assembly)).toMatchObject({ status: 0 })
    expect(aws.asked).toEqual([])
  })

  test('bootstrap makes the bucket for assets and notes its version', async () => {
    expect(await cdk('bootstrap', '--app', assembly)).toMatchObject({
      status: 0,
      output: expect.stringContaining('bootstrapped'),
    })
    expect(aws.cloudformation.stack('CDKToolkit')?.status).toBe('CREATE_COMPLETE')
    expect(aws.s3.buckets).toEqual([bucket])
  })

  test('deploy uploads the three bundles and the template, and makes the stack', async () => {
    expect(await cdk('deploy', '--app', assembly, '--require-approval', 'never')).toMatchObject({ status: 0 })
    const stack = aws.cloudformation.stack('Alonce')
    expect(stack?.status).toBe('CREATE_COMPLETE')
    expect(stack?.outputs.map(({ key }) => key)).toContain('PaymentsUrl')

    const functions = stack?.resources.filter(({ type }) => type === 'AWS::Lambda::Function') ?? []
    const bundles = functions.map(({ properties }) => {
      const { S3Bucket, S3Key } = properties['Code'] as { S3Bucket: string; S3Key: string }
      expect(S3Bucket).toBe(bucket)
      return filesOf(aws.s3.object(S3Bucket, S3Key))
    })
    expect(bundles.map((files) => [...files.keys()])).toEqual([['index.mjs'], ['index.mjs'], ['index.mjs']])
    const operations = ['"charge"', '"book-order"', '["settlement"'].map((mark) =>
      bundles.findIndex((files) => files.get('index.mjs')?.includes(`${mark}`)),
    )
    expect(new Set(operations)).toEqual(new Set([0, 1, 2]))
    expect(aws.s3.keys(bucket).map((key) => key.replace(/^\w+/, ''))).toEqual(expect.arrayContaining(['.zip', '.json']))
    expect(aws.s3.keys(bucket)).toHaveLength(functions.length + 1)
  })

  test('the stack has no custom resources, which would need the network', () => {
    const types = aws.cloudformation.stack('Alonce')?.resources.map(({ type }) => type) ?? []
    expect(types.length).toBeGreaterThan(40)
    expect(types.filter((type) => !type.startsWith('AWS::') || type === 'AWS::CloudFormation::CustomResource')).toEqual([])
  })

  test('diff finds no differences', async () => {
    expect(await cdk('diff', '--app', assembly, '--fail')).toMatchObject({
      status: 0,
      output: expect.stringContaining('There were no differences'),
    })
  })

  test('and finds one where there is one', async () => {
    const other = join(folder, 'other.out')
    cpSync(assembly, other, { recursive: true })
    const file = join(other, 'Alonce.template.json')
    writeFileSync(file, readFileSync(file, 'utf8').replace('"MemorySize": 512', '"MemorySize": 1024'))
    const { status, output } = await cdk('diff', '--app', other, '--fail')
    expect({ status, output }).toMatchObject({ status: 1, output: expect.stringMatching(/MemorySize[\s\S]*512[\s\S]*1024/) })
  })

  test('destroy removes the stack, and keeps the tables with what is in them', async () => {
    const stack = aws.cloudformation.stack('Alonce')
    expect(await cdk('destroy', '--app', assembly, '--force')).toMatchObject({ status: 0 })
    expect(aws.cloudformation.stack('Alonce')).toBeUndefined()
    const kept = stack?.events.filter(({ status }) => status === 'DELETE_SKIPPED').map(({ type }) => type)
    expect(new Set(kept)).toEqual(new Set(['AWS::DynamoDB::GlobalTable', 'AWS::KMS::Key', 'AWS::Logs::LogGroup']))
  })

  test('nothing was looked up, and nobody but the endpoint was asked', () => {
    const services = new Set(aws.asked.map((asked) => asked.split(' ')[0]))
    expect([...services].sort()).toEqual(['cloudformation', 's3', 'ssm', 'sts'])
    // The version of the bootstrapping, by `cdk` itself: no lookup of the app's.
    expect(new Set(aws.asked.filter((asked) => asked.startsWith('ssm')))).toEqual(new Set(['ssm AmazonSSM.GetParameter']))
    expect(readFileSync(trespasses, 'utf8')).toBe('')
  })

  test('whoever asks somebody else is refused, and written down', async () => {
    const script = `fetch('http://192.0.2.1/').catch((error) => console.log(error.cause.message))`
    const { stdout } = await promisify(execFile)(process.execPath, ['-e', script], { env })
    expect(stdout).toBe('192.0.2.1 is not this machine\n')
    expect(readFileSync(trespasses, 'utf8')).toBe('192.0.2.1:80\n')
  })
})

/** The stand-in is no pushover: what CloudFormation would not deploy, it does not either. */
describe('the stand-in', () => {
  const account = (): Account => ({
    id: '111122223333',
    region: 'eu-central-1',
    s3: new S3('eu-central-1'),
    parameters: new Map(),
  })
  const proposal = (template: object): Proposal => ({
    body: JSON.stringify(template),
    parameters: {},
    tags: [],
    roleArn: undefined,
  })

  test.each([
    [
      'a function whose code was not uploaded',
      { Type: 'AWS::Lambda::Function', Properties: { Code: { S3Bucket: 'b', S3Key: 'k' } } },
      /no bucket b/,
    ],
    ['a custom resource', { Type: 'Custom::Anything', Properties: { ServiceToken: 'arn' } }, /would need Lambda/],
  ])('rolls back %s', (_what, resource, reason) => {
    const stack = new Stack('s', account())
    stack.apply(proposal({ Resources: { It: resource } }))
    expect(stack.status).toBe('ROLLBACK_COMPLETE')
    expect(stack.events.find(({ logicalId }) => logicalId === 'It')).toMatchObject({
      status: 'CREATE_FAILED',
      reason: expect.stringMatching(reason),
    })
  })

  test('refuses a template whose parameter is not in the store: nobody has bootstrapped', () => {
    const Parameters = {
      BootstrapVersion: { Type: 'AWS::SSM::Parameter::Value<String>', Default: '/cdk-bootstrap/hnb659fds/version' },
    }
    const template = proposal({ Parameters, Resources: {} })
    expect(() => surroundings(template, new Stack('s', account()))).toThrow(/Unable to fetch parameters \[\/cdk-bootstrap/)
  })
})
