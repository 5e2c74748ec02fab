import { AlonceError } from '../store/errors.ts'
import type { HttpRequest } from './http-request.ts'

/**
 * Which of Lambda's formats an event has, and so its answer.
 *
 * - `rest`: API Gateway REST APIs, and HTTP APIs with payload format 1.0;
 * - `http`: HTTP APIs with payload format 2.0, and Function URLs;
 * - `alb`, `alb-multi`: Application Load Balancers, without and with multi-value headers.
 */
export type EventForm = 'rest' | 'http' | 'alb' | 'alb-multi'

type Values = { readonly [name: string]: string | undefined }
type MultiValues = { readonly [name: string]: readonly string[] | undefined }

/** The members that are read, of all forms. They come from outside: each may be missing. */
interface HttpEvent {
  readonly version?: unknown
  readonly httpMethod?: unknown
  readonly path?: unknown
  readonly rawPath?: unknown
  readonly rawQueryString?: unknown
  readonly queryStringParameters?: Values | null
  readonly multiValueQueryStringParameters?: MultiValues | null
  readonly headers?: Values | null
  readonly multiValueHeaders?: MultiValues | null
  readonly body?: unknown
  readonly isBase64Encoded?: unknown
  readonly requestContext?: {
    readonly elb?: unknown
    readonly http?: { readonly method?: unknown; readonly path?: unknown }
  }
}

/** @throws AlonceError `CONFIG_INVALID` when it is no HTTP event */
export function formOf(event: unknown): EventForm {
  const { httpMethod, multiValueHeaders, requestContext } = (event ?? {}) as HttpEvent
  if (typeof requestContext?.http?.method === 'string') return 'http'
  if (typeof httpMethod === 'string') return requestContext?.elb ? (multiValueHeaders ? 'alb-multi' : 'alb') : 'rest'
  const message =
    'The event is none of API Gateway, a Function URL or a load balancer: httpIdempotency reads the key from an HTTP request. Use makeIdempotent for other events.'
  throw new AlonceError('CONFIG_INVALID', message, { option: 'event' })
}

export function requestOf(event: unknown): HttpRequest {
  const given = event as HttpEvent
  const form = formOf(event)
  const method = form === 'http' ? given.requestContext?.http?.method : given.httpMethod
  const path = form === 'http' ? (given.rawPath ?? given.requestContext?.http?.path) : given.path
  return {
    method: String(method).toUpperCase(),
    path: String(path),
    query: form === 'http' ? [...new URLSearchParams(String(given.rawQueryString ?? ''))] : queryOf(given),
    body: bodyOf(given),
    header: (name) => headerOf(given, name.toLowerCase()),
  }
}

function queryOf(event: HttpEvent): HttpRequest['query'] {
  const values = event.multiValueQueryStringParameters ?? event.queryStringParameters ?? {}
  return Object.entries(values).flatMap(([name, given]) => [given ?? []].flat().map((value) => [name, value] as const))
}

function headerOf({ headers, multiValueHeaders }: HttpEvent, wanted: string): readonly string[] {
  return Object.entries(multiValueHeaders ?? headers ?? {}).flatMap(([name, given]) =>
    name.toLowerCase() === wanted ? [given ?? []].flat() : [],
  )
}

/** As the client sent it: text and its encoded form are the same body. */
function bodyOf({ body, isBase64Encoded }: HttpEvent): Uint8Array {
  return Buffer.from(typeof body === 'string' ? body : '', isBase64Encoded === true ? 'base64' : 'utf8')
}
