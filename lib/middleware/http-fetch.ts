import { AlonceError, configInvalid } from '../store/errors.ts'
import { type Answers, exchange, REPLAYED, streaming } from './http-exchange.ts'
import { type HttpIdempotencyOptions, type HttpSettings, httpSettings } from './http-options.ts'
import { asked, type HttpRequest } from './http-request.ts'

/**
 * `httpIdempotency` for handlers of the fetch standard (`Request` → `Response`): Hono, Node's own servers through an adapter,
 * and whatever else speaks it. Further arguments of the handler go through.
 *
 * Bodies are read whole, to compare and to store them: put a limit on requests in front of it. A response that streams events
 * (`text/event-stream`) is refused.
 *
 * @throws AlonceError `CONFIG_INVALID` at once
 *
 * @example
 * serve({ fetch: fetchIdempotency(app.fetch, { store, operation: 'api', scope: (request) => callerOf(request) }) })
 */
export function fetchIdempotency<A extends unknown[]>(
  handler: (request: Request, ...rest: A) => Response | Promise<Response>,
  options: HttpIdempotencyOptions<Request>,
): (request: Request, ...rest: A) => Promise<Response> {
  if (typeof handler !== 'function') throw configInvalid('handler', 'must be a function of a Request.')
  const settings = httpSettings(options)
  const answers = fetchAnswers(settings)
  return async (request, ...rest) => {
    const run = async (): Promise<Response> => handler(request, ...rest)
    if (!settings.methods.has(request.method.toUpperCase())) return run()
    const seen = asked(await requestOf(request), request, settings.header)
    return exchange(settings, { asked: seen, context: undefined, answers, run })
  }
}

async function requestOf(request: Request): Promise<HttpRequest> {
  const { pathname, searchParams } = new URL(request.url)
  return {
    method: request.method.toUpperCase(),
    path: pathname,
    query: [...searchParams],
    body: request.body ? new Uint8Array(await request.clone().arrayBuffer()) : new Uint8Array(0),
    header: (name) => {
      const value = request.headers.get(name)
      return value === null ? [] : [value]
    },
  }
}

/** The shape of Lambda's answers, so that one record serves both. */
interface Kept {
  readonly statusCode: number
  readonly headers: { readonly [name: string]: string }
  readonly body: string
  readonly isBase64Encoded: boolean
}

const fetchAnswers = ({ omitted }: HttpSettings): Answers<Response> => ({
  status: (answer) => answer.status,
  keep: (answer) => keep(answer, omitted),
  found: async (result) => {
    if (!(result instanceof Response)) {
      const problem = 'has a reconcile function whose "result" is no Response: under fetchIdempotency that is what callers get.'
      throw configInvalid('onCrash', problem)
    }
    const keeping = await keep(result, omitted)
    if (keeping === 'streams') throw streaming()
    return keeping.kept
  },
  replay: (kept) => replayed(kept, omitted),
  problem: ({ status, headers, body }) => new Response(body, { status, headers }),
})

async function keep(answer: Response, omitted: ReadonlySet<string>): Promise<{ readonly kept: Kept } | 'streams'> {
  if (answer.headers.get('content-type')?.toLowerCase().startsWith('text/event-stream')) {
    await answer.body?.cancel()
    return 'streams'
  }
  const headers = Object.fromEntries([...answer.headers].filter(([name]) => !omitted.has(name)))
  // The caller reads the original: a clone is what may be read here.
  return { kept: { statusCode: answer.status, headers, ...encoded(new Uint8Array(await answer.clone().arrayBuffer())) } }
}

function encoded(bytes: Uint8Array): Pick<Kept, 'body' | 'isBase64Encoded'> {
  try {
    return { body: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes), isBase64Encoded: false }
  } catch {
    return { body: Buffer.from(bytes).toString('base64'), isBase64Encoded: true }
  }
}

function replayed(kept: unknown, omitted: ReadonlySet<string>): Response {
  if (!isKept(kept)) {
    const message = 'The stored result is no HTTP response. Give the operation a name that nothing else uses.'
    throw new AlonceError('RECORD_UNREADABLE', message)
  }
  const headers = new Headers(Object.entries(kept.headers ?? {}).filter(([name]) => !omitted.has(name.toLowerCase())))
  headers.set(REPLAYED, 'true')
  const body = Buffer.from(kept.body ?? '', kept.isBase64Encoded ? 'base64' : 'utf8')
  // No body at all where a status allows none: 204, 205, 304.
  return new Response(body.byteLength > 0 ? body : null, { status: Number(kept.statusCode), headers })
}

const isKept = (kept: unknown): kept is Partial<Kept> & { readonly statusCode: unknown } =>
  typeof kept === 'object' && kept !== null && 'statusCode' in kept
