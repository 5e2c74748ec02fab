// Compiled, never run: what HTTP handlers must infer, and what they must refuse.
import type { Store } from 'alonce'
import { fetchIdempotency, httpIdempotency } from 'alonce/http'
import type {
  ALBHandler,
  ALBResult,
  APIGatewayProxyEventV2,
  APIGatewayProxyEventV2WithJWTAuthorizer,
  APIGatewayProxyHandler,
  APIGatewayProxyHandlerV2,
  APIGatewayProxyResult,
  APIGatewayProxyStructuredResultV2,
  Context,
  LambdaFunctionURLHandler,
} from 'aws-lambda'

declare const store: Store
declare const context: Context
declare const event: APIGatewayProxyEventV2WithJWTAuthorizer
const options = { store, operation: 'pay' }

// The event's type goes through to scope and fingerprint, and the wrapped function is a handler of its API.
export const http = httpIdempotency(
  async (given: APIGatewayProxyEventV2WithJWTAuthorizer, { awsRequestId }: Context) => ({
    statusCode: 201,
    body: given.rawPath + awsRequestId,
  }),
  {
    ...options,
    scope: (given) => String(given.requestContext.authorizer.jwt.claims['sub']),
    fingerprint: (given, body) => [given.rawPath, body.length],
  },
)
export const answered: Promise<{ statusCode: number; body: string }> = http(event, context)
export const v2: APIGatewayProxyHandlerV2 = httpIdempotency(
  async (_event: APIGatewayProxyEventV2): Promise<APIGatewayProxyStructuredResultV2> => ({ statusCode: 201 }),
  options,
)
export const url = v2 satisfies LambdaFunctionURLHandler
export const rest: APIGatewayProxyHandler = httpIdempotency(
  async (): Promise<APIGatewayProxyResult> => ({ statusCode: 201, body: '' }),
  options,
)
export const alb: ALBHandler = httpIdempotency(async (): Promise<ALBResult> => ({ statusCode: 201 }), {
  ...options,
  storeWhen: (statusCode) => statusCode < 400,
  statuses: { mismatch: 409 },
})

// Fetch handlers keep what they take besides the request.
export const fetching = fetchIdempotency(
  async (request: Request, env: { region: string }) => new Response(request.url + env.region),
  {
    ...options,
    scope: (request) => request.headers.get('x-tenant') ?? undefined,
  },
)
export const response: Promise<Response> = fetching(new Request('https://example.com'), { region: 'eu' })

// Misuse fails.
// @ts-expect-error operation is required
export const m1 = httpIdempotency(async () => ({ statusCode: 201 }), { store })
// @ts-expect-error the key is the header
export const m2 = httpIdempotency(async () => ({ statusCode: 201 }), { ...options, key: 'k' })
export const m3 = httpIdempotency(async (given: APIGatewayProxyEventV2) => given.rawPath, {
  ...options,
  // @ts-expect-error no such member
  scope: (given) => given.nope,
})
// @ts-expect-error streaming handlers take three parameters
export const m4 = httpIdempotency(async (_event: object, _stream: object, _context: Context) => undefined, options)
// @ts-expect-error no Response
export const m5 = fetchIdempotency(async (request: Request) => request.url, options)
// @ts-expect-error no such status
export const m6 = fetchIdempotency(async () => new Response(), { ...options, statuses: { conflict: 409 } })
// @ts-expect-error a second argument is wanted
void fetching(new Request('https://example.com'))
