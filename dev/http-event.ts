import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import type { Outcome } from './lambda/environment.ts'

/** API Gateway takes these for text, and hands everything else over in base64. */
const TEXT = /^(text\/|application\/(json|javascript|xml|.+\+json|.+\+xml)\b)/i

/**
 * A request as API Gateway's HTTP API hands it to a function, payload format 2.0.
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
 */
export function httpEvent(request: IncomingMessage, body: Buffer, routeKey: string): APIGatewayProxyEventV2 {
  const { method = 'GET', url = '/' } = request
  const { pathname, search, searchParams } = new URL(url, 'http://localhost')
  const { cookie, ...headers } = joinedHeaders(request)
  const query = [...new Set(searchParams.keys())].map((name) => [name, searchParams.getAll(name).join(',')])
  const isBase64Encoded = body.length > 0 && !TEXT.test(headers['content-type'] ?? 'text/plain')
  return {
    version: '2.0',
    routeKey,
    rawPath: pathname,
    rawQueryString: search.slice(1),
    ...(cookie === undefined ? {} : { cookies: cookie.split(/; */) }),
    headers,
    ...(query.length === 0 ? {} : { queryStringParameters: Object.fromEntries(query) as Record<string, string> }),
    requestContext: contextOf({ method, path: pathname, routeKey, userAgent: headers['user-agent'] ?? '' }),
    ...(body.length === 0 ? {} : { body: body.toString(isBase64Encoded ? 'base64' : 'utf8') }),
    isBase64Encoded,
  }
}

/** Names in lower case; what comes several times is joined by commas. */
function joinedHeaders({ headersDistinct }: IncomingMessage): Record<string, string> {
  return Object.fromEntries(Object.entries(headersDistinct).map(([name, values = []]) => [name, values.join(',')]))
}

interface Asked {
  readonly method: string
  readonly path: string
  readonly routeKey: string
  readonly userAgent: string
}

function contextOf({ method, path, routeKey, userAgent }: Asked): APIGatewayProxyEventV2['requestContext'] {
  const now = new Date()
  const [, day, month, year, time] = /^\w+, (\d+) (\w+) (\d+) ([\d:]+)/.exec(now.toUTCString()) ?? []
  return {
    accountId: '000000000000',
    apiId: 'local',
    domainName: 'localhost',
    domainPrefix: 'localhost',
    http: { method, path, protocol: 'HTTP/1.1', sourceIp: '127.0.0.1', userAgent },
    requestId: randomUUID(),
    routeKey,
    stage: '$default',
    time: `${day}/${month}/${year}:${time} +0000`,
    timeEpoch: now.getTime(),
  }
}

export interface HttpAnswer {
  readonly status: number
  readonly headers: Record<string, string | string[]>
  readonly body: Buffer
}

interface Structured {
  readonly statusCode?: unknown
  readonly headers?: Readonly<Record<string, boolean | number | string>>
  readonly cookies?: readonly string[]
  readonly body?: string
  readonly isBase64Encoded?: boolean
}

export const jsonAnswer = (status: number, body: unknown): HttpAnswer => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: Buffer.from(JSON.stringify(body)),
})

/** What API Gateway makes of a function's answer. What has no `statusCode` is a body; a function that failed is a 500. */
export function httpAnswer(outcome: Outcome): HttpAnswer {
  if (outcome.kind !== 'returned') return jsonAnswer(500, { message: 'Internal Server Error' })
  const answer = outcome.value
  if (typeof answer !== 'object' || answer === null || !('statusCode' in answer)) return jsonAnswer(200, answer ?? null)
  const { statusCode, headers = {}, cookies = [], body = '', isBase64Encoded = false } = answer as Structured
  return {
    status: Number(statusCode),
    headers: {
      ...Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)])),
      ...(cookies.length === 0 ? {} : { 'set-cookie': [...cookies] }),
    },
    body: Buffer.from(body, isBase64Encoded ? 'base64' : 'utf8'),
  }
}
