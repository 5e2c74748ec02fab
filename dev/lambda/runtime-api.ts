import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { closeServer, listenOnLoopback, readBody } from '../../demo/loopback.ts'

/** One call of a function, on its way to an environment. */
export interface Invocation {
  /** Lambda's request id: a retry of an asynchronous invocation has the same one. */
  readonly requestId: string
  readonly event: unknown
}

/** What an environment says of an invocation. */
export type Answer =
  | { readonly kind: 'returned'; readonly value: unknown }
  | { readonly kind: 'threw'; readonly errorType: string; readonly errorMessage: string }

export interface Listener {
  /** The runtime client has asked for an invocation: it is idle, or takes one more. */
  onNext(): void
  onAnswer(requestId: string, answer: Answer): void
  /** The handler could not be loaded. */
  onInitError(error: string): void
}

/**
 * Lambda's Runtime API for one environment: `next` hands out an invocation, `response` and `error` take what came of it.
 * https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
 */
export class RuntimeApi {
  readonly #listener: Listener
  readonly #server = createServer((request, response) => {
    // Whoever asks may be killed at any time: then nobody is left to be answered.
    this.#serve(request, response).catch(() => response.destroy())
  })
  readonly #asking: ServerResponse[] = []

  constructor(listener: Listener) {
    this.#listener = listener
  }

  /** @returns `host:port`, for `AWS_LAMBDA_RUNTIME_API` */
  async open(): Promise<string> {
    return `127.0.0.1:${await listenOnLoopback(this.#server)}`
  }

  close(): Promise<void> {
    return closeServer(this.#server)
  }

  /** To the client that has waited longest. There must be one: see `onNext`. */
  hand({ requestId, event }: Invocation, deadlineMs: number): void {
    const asking = this.#asking.shift()
    if (!asking) throw new Error('Nobody has asked for an invocation')
    asking.writeHead(200, {
      'content-type': 'application/json',
      'lambda-runtime-aws-request-id': requestId,
      'lambda-runtime-deadline-ms': String(deadlineMs),
      'lambda-runtime-invoked-function-arn': 'arn:aws:lambda:eu-central-1:000000000000:function:alonce',
      'lambda-runtime-trace-id': 'Root=1-00000000-000000000000000000000000;Sampled=0',
    })
    asking.end(JSON.stringify(event))
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = (await readBody(request)).toString()
    const path = request.url ?? ''
    if (path.endsWith('/invocation/next')) {
      this.#asking.push(response)
      this.#listener.onNext()
      return
    }
    response.writeHead(202, { 'content-type': 'application/json' }).end('{"status":"OK"}')
    const [, requestId, kind] = /\/invocation\/([^/]+)\/(response|error)$/.exec(path) ?? []
    if (requestId === undefined) this.#listener.onInitError(body)
    else this.#listener.onAnswer(decodeURIComponent(requestId), answerOf(kind, body))
  }
}

function answerOf(kind: string | undefined, body: string): Answer {
  if (kind === 'response') return { kind: 'returned', value: JSON.parse(body) as unknown }
  const { errorType, errorMessage } = JSON.parse(body) as { readonly errorType: string; readonly errorMessage: string }
  return { kind: 'threw', errorType, errorMessage }
}
