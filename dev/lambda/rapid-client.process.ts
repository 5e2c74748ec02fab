/**
 * Stands in for the runtime client's native part (`rapid-client.node`, libcurl in C++), so that the rest of it runs as AWS
 * has written it. Loaded with `--import` before the client, in its worker threads too.
 *
 * The native one answers `next` from a thread of its own and blocks in `done` and `error`. So here nothing is asked for before
 * the last answer has gone out, and an answer never waits behind a `next` that is on its way.
 */
import { Agent, type IncomingHttpHeaders, request } from 'node:http'
import Module from 'node:module'

interface Answer {
  readonly bodyJson: string
  readonly headers: IncomingHttpHeaders
}
interface Call {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly body?: string
}

const [hostname, port] = (process.env['AWS_LAMBDA_RUNTIME_API'] ?? '').split(':')
const agent = new Agent({ keepAlive: true })

function call({ method, path, body }: Call): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const options = { agent, hostname, port, method, path: `/2018-06-01/runtime/invocation/${path}` }
  const outgoing = request(options, (response) => {
    let text = ''
    response.setEncoding('utf8')
    response.on('data', (chunk: string) => {
      text += chunk
    })
    response.on('end', () => resolve({ bodyJson: text, headers: response.headers }))
  })
  outgoing.on('error', reject)
  outgoing.end(body)
  return promise
}

let lastAnswer: Promise<unknown> = Promise.resolve()
const nativeClient = {
  initializeClient: (): void => undefined,
  next: async (): Promise<Answer> => {
    await lastAnswer
    return call({ method: 'GET', path: 'next' })
  },
  done: (id: string, body: string): void => {
    lastAnswer = call({ method: 'POST', path: `${id}/response`, body })
  },
  error: (id: string, body: string): void => {
    lastAnswer = call({ method: 'POST', path: `${id}/error`, body })
  },
}

type Load = (this: unknown, request: string, ...rest: unknown[]) => unknown
const loader = Module as unknown as { _load: Load }
const load = loader._load
loader._load = function (this: unknown, name, ...rest): unknown {
  return name === './rapid-client.node' ? nativeClient : load.call(this, name, ...rest)
}
