import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { CloudFormation } from './cloudformation.ts'
import { AwsError, QueryInput, queryAnswer, queryError, toXml } from './query-protocol.ts'
import { S3 } from './s3.ts'

/** One request that was made: `cloudformation CreateChangeSet`, `s3 PUT /bucket/key`. */
export type Asked = string

const ACCOUNT = '111122223333'
const REGION = 'eu-central-1'

/**
 * A stand-in for the part of AWS that `cdk` talks to, on this machine: CloudFormation, S3, STS, SSM and ECR, told apart by
 * what a request was signed for. It keeps what it is given. What it does not know it refuses with 501, so that whoever comes to
 * need more says so.
 */
export class AwsEndpoint {
  readonly account = ACCOUNT
  readonly s3 = new S3(REGION)
  readonly cloudformation: CloudFormation
  readonly asked: Asked[] = []
  readonly #parameters = new Map<string, string>()
  readonly #server: Server = createServer((request, response) => {
    // What a template asks for and nobody plays is for the caller to read, and to fail by.
    this.#serve(request, response).catch((error: unknown) => response.writeHead(500).end(String(error)))
  })

  constructor() {
    this.cloudformation = new CloudFormation({ id: ACCOUNT, region: REGION, s3: this.s3, parameters: this.#parameters })
  }

  /** For a process that is to talk to it, and to nobody else. */
  async open(): Promise<Readonly<Record<string, string>>> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return {
      AWS_ENDPOINT_URL: `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`,
      AWS_REGION: REGION,
      AWS_ACCESS_KEY_ID: 'local',
      AWS_SECRET_ACCESS_KEY: 'local',
      AWS_EC2_METADATA_DISABLED: 'true',
    }
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
    const service = /Credential=[^/]+\/\d+\/[^/]+\/([^/]+)\//.exec(request.headers.authorization ?? '')?.[1] ?? 'unsigned'
    const { status, headers, body } = this.#answer(service, request, Buffer.concat(chunks))
    response.writeHead(status, headers).end(request.method === 'HEAD' ? undefined : body)
  }

  #answer(service: string, request: IncomingMessage, body: Buffer): Answer {
    switch (service) {
      case 'cloudformation':
      case 'sts':
        return this.#answerQuery(service, new QueryInput(body.toString()))
      case 's3':
        return this.#answerS3(request, body)
      default:
        return this.#answerJson(service, String(request.headers['x-amz-target'] ?? request.url), body)
    }
  }

  #answerQuery(service: 'cloudformation' | 'sts', input: QueryInput): Answer {
    this.asked.push(`${service} ${input.action}`)
    const headers = { 'content-type': 'text/xml' }
    try {
      const result = service === 'sts' ? identity(input) : this.cloudformation.answer(input)
      return { status: 200, headers, body: queryAnswer(input.action, result) }
    } catch (error) {
      if (!(error instanceof AwsError)) throw error
      return { status: error.status, headers, body: queryError(error) }
    }
  }

  #answerS3({ method = '', url = '', headers }: IncomingMessage, body: Buffer): Answer {
    const { pathname, searchParams } = new URL(url, 'http://localhost')
    this.asked.push(`s3 ${method} ${pathname}`)
    try {
      return { headers: {}, body: '', ...this.s3.answer({ method, path: pathname, query: searchParams, headers, body }) }
    } catch (error) {
      if (!(error instanceof AwsError)) throw error
      const { status, code, message } = error
      return { status, headers: { 'content-type': 'text/xml' }, body: toXml({ Error: { Code: code, Message: message } }) }
    }
  }

  #answerJson(service: string, target: string, body: Buffer): Answer {
    this.asked.push(`${service} ${target}`)
    const headers = { 'content-type': 'application/x-amz-json-1.1' }
    if (target !== 'AmazonSSM.GetParameter') return { status: 501, headers, body: `{"__type":"NotPlayed","message":"${target}"}` }
    const { Name } = JSON.parse(body.toString()) as { Name: string }
    const Value = this.#parameters.get(Name)
    if (Value === undefined) return { status: 400, headers, body: '{"__type":"ParameterNotFound","message":"not found"}' }
    return { status: 200, headers, body: JSON.stringify({ Parameter: { Name, Value, Type: 'String' } }) }
  }
}

interface Answer {
  readonly status: number
  readonly headers: Record<string, string>
  readonly body: string | Buffer
}

function identity(input: QueryInput) {
  if (input.action === 'GetCallerIdentity')
    return { Account: ACCOUNT, Arn: `arn:aws:iam::${ACCOUNT}:user/local`, UserId: 'local' }
  if (input.action !== 'AssumeRole') throw new AwsError('InvalidAction', `${input.action} is not played`)
  const Expiration = new Date(Date.now() + 3_600_000).toISOString()
  return {
    Credentials: { AccessKeyId: 'assumed', SecretAccessKey: 'assumed', SessionToken: 'assumed', Expiration },
    AssumedRoleUser: { Arn: input.required('RoleArn'), AssumedRoleId: 'assumed' },
  }
}
