import { AsyncLocalStorage } from 'node:async_hooks'
import { Agent, request as httpRequest } from 'node:http'
import { Readable } from 'node:stream'
import type { Store } from '../../lib/store/store.ts'
import { type RequestType, Throttled, type Wire } from '../../lib/testing/wire.ts'
import type { World } from './world.ts'

/** The request as the SDK hands it to its HTTP handler, signed and serialised. */
interface SdkRequest {
  readonly method: string
  readonly hostname: string
  readonly port?: number
  readonly path: string
  readonly headers: { readonly [name: string]: string }
  readonly body?: string | Uint8Array
}
interface Response {
  readonly statusCode: number
  readonly headers: { [name: string]: string }
  readonly body: Buffer
}

/** The DynamoDB host that a connection talks to, in the hands of a test. */
export interface ServerHost {
  /** Its clock is wrong by this much. */
  dateOffsetMs: number
  /** Something between us and it strips the `Date`. */
  stripDate: boolean
  /** Answers this instead of DynamoDB Local: status and JSON body. */
  answer: ((target: string, body: string) => { readonly status: number; readonly body: object } | undefined) | undefined
}

const inFlight = new AsyncLocalStorage<RequestType>()
const agent = new Agent({ keepAlive: true, maxSockets: 64 })

/** Tells the wire which command the store's requests carry. */
export function labelled(store: Store): Store {
  return {
    name: store.name,
    capabilities: store.capabilities,
    runtime: store.runtime,
    now: () => store.now(),
    execute: (command, options) => inFlight.run(command.type, () => store.execute(command, options)),
    read: (key, options) => inFlight.run('read', () => store.read(key, options)),
  }
}

/**
 * An HTTP handler for the SDK that sends each request through a test's wire, and gives its answer the date of the world's
 * clock. Real I/O takes no virtual time; a request that a test holds on the wire does.
 */
export function wireHandler(world: World, wire: Wire, server: ServerHost) {
  const process = async (request: SdkRequest): Promise<Response> => {
    const response = special(request, server) ?? (await world.track(send(request)))
    // As the server would stamp it: when it is done, in whole seconds.
    const { date: _, ...headers } = response.headers
    return server.stripDate ? { ...response, headers } : { ...response, headers: { ...headers, date: dateOf(world, server) } }
  }
  return {
    async handle(request: SdkRequest, options: { readonly abortSignal?: AbortSignal } = {}) {
      const type = inFlight.getStore() ?? 'read'
      const answered = wire
        .through(type, () => process(request))
        .catch((error: unknown) => {
          if (!(error instanceof Throttled)) throw error
          return throttling(dateOf(world, server))
        })
      const { body, ...rest } = await Promise.race([answered, aborted(options.abortSignal)])
      return { response: { ...rest, body: Readable.from([body]) } }
    },
  }
}

const dateOf = (world: World, server: ServerHost): string => new Date(world.now + server.dateOffsetMs).toUTCString()

const json = (status: number, body: object): Response => ({
  statusCode: status,
  headers: { 'content-type': 'application/x-amz-json-1.0' },
  body: Buffer.from(JSON.stringify(body)),
})

/** DynamoDB's own words when it throttles. */
function throttling(date: string): Response {
  const response = json(400, {
    __type: 'com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException',
    message: 'The level of configured provisioned throughput for the table was exceeded.',
  })
  return { ...response, headers: { ...response.headers, date } }
}

function special(request: SdkRequest, server: ServerHost): Response | undefined {
  const target = request.headers['x-amz-target'] ?? ''
  const special = server.answer?.(target.split('.')[1] ?? '', String(request.body))
  return special && json(special.status, special.body)
}

function aborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    const abort = (): void => reject(Object.assign(new Error('Request aborted'), { name: 'AbortError' }))
    if (signal?.aborted) abort()
    signal?.addEventListener('abort', abort, { once: true })
  })
}

function send({ method, hostname, port, path, headers, body }: SdkRequest): Promise<Response> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ agent, method, hostname, port, path, headers: { ...headers } }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const entries = Object.entries(response.headers).map(([name, value]) => [name, String(value)] as const)
        resolve({ statusCode: response.statusCode ?? 0, headers: Object.fromEntries(entries), body: Buffer.concat(chunks) })
      })
    })
    request.on('error', reject)
    request.end(body)
  })
}
