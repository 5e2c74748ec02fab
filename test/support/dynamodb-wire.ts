import { AsyncLocalStorage } from 'node:async_hooks'
import { Agent, request as httpRequest } from 'node:http'
import { Readable } from 'node:stream'
import { DynamoDBClient, type DynamoDBClientConfig } from '@aws-sdk/client-dynamodb'
import type { AcquiredAll } from '../../lib/store/command.ts'
import type { Store } from '../../lib/store/store.ts'
import type { Transacted } from '../../lib/store/transaction.ts'
import type { CommandSender } from '../../lib/stores/dynamodb/dynamodb-store.ts'
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
  readonly headers: { readonly [name: string]: string }
  readonly body: Buffer
}

/** The DynamoDB host that a connection talks to, in the hands of a test. */
export interface ServerHost {
  /** Its clock is wrong by this much. */
  dateOffsetMs: number
  /** Something between us and it strips the `Date`. */
  stripDate: boolean
  /** Answers instead of DynamoDB Local, if it has an answer to the request's target (`UpdateItem`). */
  answer: ((target: string) => { readonly status: number; readonly body: object } | undefined) | undefined
}

export interface Surroundings {
  readonly world: World
  readonly wire: Wire
  readonly server: ServerHost
}

const command = new AsyncLocalStorage<RequestType>()
const flight = new AsyncLocalStorage<{ readonly left: () => void; readonly landed: Promise<unknown> }>()
const agent = new Agent({ keepAlive: true, maxSockets: 64 })

/** Tells the wire which command the store's requests carry. */
export function labelled(store: Store): Store {
  return {
    name: store.name,
    capabilities: store.capabilities,
    runtime: store.runtime,
    transactions: store.transactions && {
      ...store.transactions,
      transact: (...given) => command.run('transact', async () => store.transactions?.transact(...given) as Promise<Transacted>),
    },
    now: () => store.now(),
    execute: (sent, options) => command.run(sent.type, () => store.execute(sent, options)),
    acquireAll:
      store.acquireAll &&
      ((...given) => command.run('acquire-all', async () => store.acquireAll?.(...given) as Promise<AcquiredAll>)),
    read: (key, options) => command.run('read', () => store.read(key, options)),
  }
}

/**
 * The real SDK client, whose every request goes through a test's wire and comes back with the date of the world's clock.
 * What happens inside the SDK and on the socket takes no virtual time; what a test holds on the wire does.
 */
export function wiredClient(surroundings: Surroundings, config: DynamoDBClientConfig): CommandSender {
  const { world } = surroundings
  const client = new DynamoDBClient({ ...config, requestHandler: handler(surroundings) })
  return {
    send: async (sent, options) => {
      const left = Promise.withResolvers<void>()
      const landed = Promise.withResolvers<void>()
      const context = { left: left.resolve, landed: landed.promise }
      void world.track(Promise.race([left.promise, landed.promise]))
      try {
        return await flight.run(context, () => (client as CommandSender).send(sent, options))
      } finally {
        landed.resolve()
      }
    },
  }
}

function handler({ world, wire, server }: Surroundings) {
  const process = async (request: SdkRequest): Promise<Response> => {
    const response = standIn(request, server) ?? (await world.track(exchange(request)))
    // As the server stamps it: when the work is done, in whole seconds.
    const { date: _, ...headers } = response.headers
    return server.stripDate ? { ...response, headers } : { ...response, headers: { ...headers, date: dateOf(world, server) } }
  }
  return {
    async handle(request: SdkRequest, options: { readonly abortSignal?: AbortSignal } = {}) {
      const { left, landed } = flight.getStore() ?? {}
      options.abortSignal?.throwIfAborted()
      const answered = wire.through(typeOf(request), () => process(request))
      left?.()
      const answer = await Promise.race([answered, aborted(options.abortSignal)]).catch((error: unknown) => {
        if (error instanceof Throttled) return throttling(dateOf(world, server))
        throw error
      })
      if (landed) void world.track(landed)
      return { response: { ...answer, body: Readable.from([answer.body]) } }
    },
  }
}

/** A command's own look at the record is a read, too. */
const typeOf = (request: SdkRequest): RequestType =>
  /GetItem|Query/.test(targetOf(request)) ? 'read' : (command.getStore() ?? 'read')

const targetOf = (request: SdkRequest): string => request.headers['x-amz-target']?.split('.')[1] ?? ''

const dateOf = (world: World, server: ServerHost): string => new Date(world.now + server.dateOffsetMs).toUTCString()

const json = (statusCode: number, body: object): Response => ({
  statusCode,
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

function standIn(request: SdkRequest, server: ServerHost): Response | undefined {
  const answer = server.answer?.(targetOf(request))
  return answer && json(answer.status, answer.body)
}

function aborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    const abort = (): void => reject(Object.assign(new Error('Request aborted'), { name: 'AbortError' }))
    signal?.addEventListener('abort', abort, { once: true })
  })
}

function exchange({ method, hostname, port, path, headers, body }: SdkRequest): Promise<Response> {
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
