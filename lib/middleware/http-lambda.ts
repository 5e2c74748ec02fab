import { STATUS_CODES } from 'node:http'
import { findContext, type LambdaContext } from '../runtime/invocation.ts'
import { configInvalid } from '../store/errors.ts'
import { type EventForm, formOf, requestOf } from './http-events.ts'
import { type Answers, exchange, REPLAYED, streaming } from './http-exchange.ts'
import { type HttpIdempotencyOptions, type HttpSettings, httpSettings } from './http-options.ts'
import type { Problem } from './http-problem.ts'
import { asked } from './http-request.ts'

/** An answer that is Alonce's own: a refusal. It fits every kind of API. */
export interface HttpAnswer {
  readonly statusCode: number
  readonly statusDescription?: string
  readonly headers: { readonly [name: string]: string }
  readonly multiValueHeaders?: { readonly [name: string]: string[] }
  readonly body: string
  readonly isBase64Encoded: false
}

/**
 * Wraps a Lambda handler behind API Gateway (REST and HTTP APIs), a Function URL or a load balancer, so that each
 * `Idempotency-Key` is handled once: other requests with that key get its response again, marked `Idempotency-Replayed: true`.
 * The handle is `currentOperation()`.
 *
 * Refusals are answers, as `application/problem+json`: 400 without a key or with a wrong one, 409 with `Retry-After` while the
 * first request is being handled, 422 when the key was used with another request, 503 when the store can't be reached. What the
 * handler throws comes out unchanged.
 *
 * @throws AlonceError `CONFIG_INVALID` at once, for a handler that streams its response too
 *
 * @example
 * export const handler = httpIdempotency(createPayment, {
 *   store,
 *   operation: 'create-payment',
 *   scope: (event) => event.requestContext.authorizer.jwt.claims['sub'],
 * })
 */
export function httpIdempotency<E, C extends LambdaContext, R>(
  handler: (event: E, context: C) => R,
  options: HttpIdempotencyOptions<E>,
): (event: E, context: C) => Promise<Awaited<R> | HttpAnswer> {
  checkHandler(handler)
  const settings = httpSettings(options)
  return async (event, context): Promise<Awaited<R> | HttpAnswer> => {
    const request = requestOf(event)
    const run = async (): Promise<unknown> => handler(event, context)
    const whole = settings.methods.has(request.method)
      ? exchange(settings, {
          asked: asked(request, event, settings.header),
          context: findContext([context]),
          answers: lambdaAnswers(formOf(event), settings),
          run,
        })
      : run()
    return (await whole) as Awaited<R> | HttpAnswer
  }
}

/** Set by `awslambda.streamifyResponse`. */
const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming')

function checkHandler(handler: unknown): void {
  if (typeof handler !== 'function') throw configInvalid('handler', 'must be a function of an event and a context.')
  if (STREAMING in handler) throw streaming()
  if (handler.length > 2) {
    throw configInvalid(
      'handler',
      'takes a third parameter, as streaming handlers do, and those with a callback: return a promise of the whole response.',
    )
  }
}

type Parts = {
  readonly statusCode?: unknown
  readonly headers?: object | undefined
  readonly multiValueHeaders?: object | undefined
  readonly cookies?: unknown
  readonly body?: unknown
}

const lambdaAnswers = (form: EventForm, { omitted }: HttpSettings): Answers<unknown> => ({
  status: (answer) => (isParts(answer) && answer.statusCode !== undefined ? Number(answer.statusCode) : 200),
  keep: async (answer) => (isParts(answer) && isStream(answer.body) ? 'streams' : { kept: without(answer, omitted) }),
  found: async (result) => without(result, omitted),
  replay: (kept) => marked(without(structured(kept, form), new Set([...omitted, REPLAYED.toLowerCase()])), form),
  problem: (problem) => problemAnswer(problem, form),
})

const isParts = (answer: unknown): answer is Parts => typeof answer === 'object' && answer !== null && !Array.isArray(answer)

const isStream = (body: unknown): boolean =>
  typeof body === 'object' && body !== null && ('getReader' in body || 'pipe' in body || Symbol.asyncIterator in body)

/** A copy without these headers. Cookies of format 2.0 are `Set-Cookie` headers under another name. */
function without(answer: unknown, omitted: ReadonlySet<string>): unknown {
  if (!isParts(answer)) return answer
  const { cookies: _, ...rest } = answer
  const kept = (headers: object): object =>
    Object.fromEntries(Object.entries(headers).filter(([name]) => !omitted.has(name.toLowerCase())))
  return {
    ...rest,
    ...(rest.headers ? { headers: kept(rest.headers) } : {}),
    ...(rest.multiValueHeaders ? { multiValueHeaders: kept(rest.multiValueHeaders) } : {}),
  }
}

/** What format 2.0 makes of an answer without a status code, said in full: only so can it carry a header. */
function structured(kept: unknown, form: EventForm): unknown {
  if (form !== 'http' || (isParts(kept) && kept.statusCode !== undefined)) return kept
  if (typeof kept !== 'string' && (typeof kept !== 'object' || kept === null)) return kept
  const body = typeof kept === 'string' ? kept : JSON.stringify(kept)
  return { statusCode: 200, headers: { 'content-type': 'application/json' }, body, isBase64Encoded: false }
}

function marked(answer: unknown, form: EventForm): unknown {
  if (!isParts(answer) || answer.statusCode === undefined) return answer
  if (form === 'alb-multi') return { ...answer, multiValueHeaders: { ...answer.multiValueHeaders, [REPLAYED]: ['true'] } }
  return { ...answer, headers: { ...answer.headers, [REPLAYED]: 'true' } }
}

function problemAnswer({ status, headers, body }: Problem, form: EventForm): HttpAnswer {
  const answer = { statusCode: status, headers, body, isBase64Encoded: false } as const
  if (form === 'rest' || form === 'http') return answer
  const statusDescription = `${status} ${STATUS_CODES[status] ?? 'Error'}`
  if (form === 'alb') return { ...answer, statusDescription }
  const multiValueHeaders = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]]))
  return { ...answer, statusDescription, multiValueHeaders }
}
