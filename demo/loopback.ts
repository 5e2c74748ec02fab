import { once } from 'node:events'
import { Server as HttpServer, type IncomingMessage } from 'node:http'
import type { AddressInfo, Server } from 'node:net'
import { LostInTransit } from './transit.ts'

/** @returns the free port that was found. Nobody outside this machine can reach it. */
export async function listenOnLoopback(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

export async function closeServer(server: Server): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  if (server instanceof HttpServer) server.closeAllConnections()
  await closed
}

const MAX_BODY_BYTES = 1_048_576

/**
 * A request's body.
 *
 * @throws LostInTransit when its sender died half-way, or sends more than the demo ever does.
 */
export async function readBody(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of message as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > MAX_BODY_BYTES) throw new LostInTransit(`A body has more than ${MAX_BODY_BYTES} bytes`)
      chunks.push(chunk)
    }
  } catch (cause) {
    throw new LostInTransit('A request broke off', { cause })
  }
  return Buffer.concat(chunks)
}

export function headerOf(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name]
  return typeof value === 'string' ? value : undefined
}
