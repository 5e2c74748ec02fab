import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type HttpAnswer, jsonAnswer } from './http-event.ts'

/** By method and path: `POST /payments`. */
export interface Routes {
  readonly [route: string]: (request: IncomingMessage, body: Buffer) => Promise<HttpAnswer>
}

export interface HttpServerOptions {
  readonly routes: Routes
  readonly onRequest: (request: Served) => void
}
export interface Served {
  readonly route: string
  readonly status: number
  readonly durationMs: number
  readonly replayed: boolean
}

export class PortTaken extends Error {
  override readonly name = 'PortTaken'
}

const FIRST_PORT = 3000
const TRIES = 20
/** API Gateway's own limit. */
const MAX_BODY_BYTES = 10_485_760

export function httpServer({ routes, onRequest }: HttpServerOptions): Server {
  return createServer((request, response) => {
    const from = performance.now()
    const route = `${request.method} ${new URL(request.url ?? '/', 'http://localhost').pathname}`
    void answerTo(request, routes[route]).then(({ status, headers, body }) => {
      response.writeHead(status, { ...headers, 'content-length': body.length }).end(body)
      const replayed = headers['Idempotency-Replayed'] === 'true'
      onRequest({ route, status, durationMs: performance.now() - from, replayed })
    })
  })
}

async function answerTo(request: IncomingMessage, serve: Routes[string] | undefined): Promise<HttpAnswer> {
  if (!serve) return jsonAnswer(404, { message: 'Not Found' })
  try {
    const body = await bodyOf(request)
    return body ? await serve(request, body) : jsonAnswer(413, { message: 'Request Entity Too Large' })
  } catch (error) {
    return jsonAnswer(500, { message: 'Internal Server Error', why: String(error) })
  }
}

/** `undefined`: too large. */
async function bodyOf(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes <= MAX_BODY_BYTES) chunks.push(chunk)
  }
  return bytes <= MAX_BODY_BYTES ? Buffer.concat(chunks) : undefined
}

/**
 * Listens where it is told to, or on the first free port from 3000 on; for this machine only.
 *
 * @returns the port
 * @throws PortTaken
 */
export async function listen(server: Server, port: number | undefined): Promise<number> {
  if (port !== undefined) return listenOn(server, port)
  for (let next = FIRST_PORT; next < FIRST_PORT + TRIES; next++) {
    try {
      return await listenOn(server, next)
    } catch (error) {
      if (!(error instanceof PortTaken)) throw error
    }
  }
  throw new PortTaken(`The ports ${FIRST_PORT} to ${FIRST_PORT + TRIES - 1} are taken: choose one with --port.`)
}

function listenOn(server: Server, port: number): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const refused = (error: NodeJS.ErrnoException): void =>
    reject(error.code === 'EADDRINUSE' ? new PortTaken(`Port ${port} is taken: choose another one with --port.`) : error)
  server.once('error', refused)
  server.listen(port, '127.0.0.1', () => {
    server.removeListener('error', refused)
    resolve((server.address() as AddressInfo).port)
  })
  return promise
}
