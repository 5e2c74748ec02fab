import { fetchIdempotency, type HttpIdempotencyOptions, httpIdempotency } from 'alonce/http'
import { Hono } from 'hono'
import type { LambdaContext } from '../../../lib/runtime/invocation.ts'

/** A request and an answer as a test writes them; each entrance says them in its own format. */
export interface Sent {
  readonly method?: string
  readonly path?: string
  readonly query?: string
  readonly headers?: { readonly [name: string]: string }
  readonly body?: string | Uint8Array | undefined
}
export interface Answer {
  readonly status?: number
  readonly headers?: { readonly [name: string]: string }
  readonly cookies?: readonly string[]
  readonly body?: string | Uint8Array
}
/** As a client sees it: header names in lower case, values of one name joined. */
export interface Seen {
  readonly status: number
  readonly headers: { readonly [name: string]: string }
  readonly cookies: readonly string[]
  readonly body: Buffer
}

export type Options = HttpIdempotencyOptions<unknown>
export type Handle = () => Answer | Promise<Answer>
export interface Entrance {
  readonly name: string
  serve(handle: Handle, options: Options): (sent: Sent, context?: LambdaContext) => Promise<Seen>
}

type Values = { readonly [name: string]: string | number }
interface Structured {
  readonly statusCode: number
  readonly headers?: Values
  readonly multiValueHeaders?: { readonly [name: string]: readonly string[] }
  readonly cookies?: readonly string[]
  readonly body?: string
  readonly isBase64Encoded?: boolean
}

const NO_CONTEXT = undefined as never
const entriesOf = (query: string): [string, string][] => [...new URLSearchParams(query)]
const base64 = (body: string | Uint8Array | undefined) =>
  typeof body === 'string' || body === undefined
    ? { body: body ?? '', isBase64Encoded: false }
    : { body: Buffer.from(body).toString('base64'), isBase64Encoded: true }
const multi = (headers: object = {}): { [name: string]: string[] } =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [String(value)]]))

/** What the service between Lambda and the client does to the answer. */
function seenOf({
  statusCode,
  headers = {},
  multiValueHeaders = {},
  cookies = [],
  body = '',
  isBase64Encoded,
}: Structured): Seen {
  const all = [...Object.entries({ ...multi(headers), ...multiValueHeaders })].map(
    ([name, values]) => [name.toLowerCase(), values] as const,
  )
  return {
    status: statusCode,
    headers: Object.fromEntries(all.filter(([name]) => name !== 'set-cookie').map(([name, values]) => [name, values.join(', ')])),
    cookies: [...cookies, ...all.filter(([name]) => name === 'set-cookie').flatMap(([, values]) => values)],
    body: Buffer.from(body, isBase64Encoded ? 'base64' : 'utf8'),
  }
}

function lambda(name: string, eventOf: (sent: Sent) => object, answerOf: (answer: Answer) => object): Entrance {
  return {
    name,
    serve: (handle, options) => {
      const handler = httpIdempotency(async (_event: unknown, _context: LambdaContext) => answerOf(await handle()), options)
      return async (sent, context = NO_CONTEXT) => seenOf((await handler(eventOf(sent), context)) as Structured)
    },
  }
}

export const restEvent = ({ method = 'POST', path = '/payments', query = '', headers = {}, body }: Sent) => ({
  httpMethod: method,
  path,
  headers,
  multiValueHeaders: multi(headers),
  queryStringParameters: Object.fromEntries(entriesOf(query)),
  multiValueQueryStringParameters: Object.fromEntries(
    entriesOf(query).map(([name]) => [name, new URLSearchParams(query).getAll(name)]),
  ),
  requestContext: { stage: 'prod', identity: {} },
  ...base64(body),
})

export const httpEvent = ({ method = 'POST', path = '/payments', query = '', headers = {}, body }: Sent) => ({
  version: '2.0',
  rawPath: path,
  rawQueryString: query,
  headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])),
  requestContext: { http: { method, path } },
  ...base64(body),
})

export const albEvent = ({ method = 'POST', path = '/payments', query = '', headers = {}, body }: Sent) => ({
  requestContext: { elb: { targetGroupArn: 'arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/t/1' } },
  httpMethod: method,
  path,
  queryStringParameters: Object.fromEntries(entriesOf(query)),
  headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])),
  ...base64(body),
})

function albMultiEvent(sent: Sent): object {
  const { headers, queryStringParameters: _, ...event } = albEvent(sent)
  const { multiValueQueryStringParameters } = restEvent(sent)
  return { ...event, multiValueHeaders: multi(headers), multiValueQueryStringParameters }
}

const singleValued = ({ status = 200, headers, cookies, body }: Answer): object => ({
  statusCode: status,
  headers: { ...headers, ...(cookies ? { 'Set-Cookie': cookies[0] } : {}) },
  ...base64(body),
})
const multiValued = ({ status = 200, headers, cookies, body }: Answer): object => ({
  statusCode: status,
  multiValueHeaders: { ...multi(headers), ...(cookies ? { 'set-cookie': cookies } : {}) },
  ...base64(body),
})
const restAnswer = ({ status = 200, headers, cookies, body }: Answer): object => ({
  statusCode: status,
  headers,
  ...(cookies ? { multiValueHeaders: { 'Set-Cookie': cookies } } : {}),
  ...base64(body),
})
const httpAnswer = ({ status = 200, headers, cookies, body }: Answer): object => ({
  statusCode: status,
  headers,
  cookies,
  ...base64(body),
})

const responseOf = ({ status = 200, headers, cookies = [], body }: Answer): Response => {
  const response = new Response((body as Uint8Array<ArrayBuffer> | string | undefined) ?? null, {
    status,
    headers: { ...headers },
  })
  for (const cookie of cookies) response.headers.append('Set-Cookie', cookie)
  return response
}

function fetching(name: string, serve: (handle: Handle, options: Options) => (request: Request) => Promise<Response>): Entrance {
  return {
    name,
    serve: (handle, options) => {
      const handler = serve(handle, options)
      return async ({ method = 'POST', path = '/payments', query, headers = {}, body }) => {
        const url = `https://api.example.com${path}${query ? `?${query}` : ''}`
        const init = { method, headers: { ...headers }, body: (body as Uint8Array<ArrayBuffer> | string | undefined) ?? null }
        const response = await handler(new Request(url, init))
        return {
          status: response.status,
          headers: Object.fromEntries([...response.headers].filter(([header]) => header !== 'set-cookie')),
          cookies: response.headers.getSetCookie(),
          body: Buffer.from(await response.arrayBuffer()),
        }
      }
    },
  }
}

export const entrances: readonly Entrance[] = [
  lambda('a REST API', restEvent, restAnswer),
  lambda('an HTTP API or Function URL', httpEvent, httpAnswer),
  lambda('a load balancer', albEvent, singleValued),
  lambda('a load balancer with multi-value headers', albMultiEvent, multiValued),
  fetching('fetch', (handle, options) => fetchIdempotency(async () => responseOf(await handle()), options)),
  fetching('a Hono application', (handle, options) => {
    const app = new Hono().onError((error) => {
      throw error // otherwise Hono answers for its handlers
    })
    app.all('*', async (c) => {
      await c.req.text() // a handler reads its request, of course
      return responseOf(await handle())
    })
    const guarded = fetchIdempotency(async (request: Request) => app.fetch(request), options)
    return (request) => guarded(request)
  }),
]
