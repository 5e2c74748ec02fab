import { createServer, type Socket } from 'node:net'
import { isAlonceError } from '../lib/store/errors.ts'
import type { Store } from '../lib/store/store.ts'
import { BadFrame, encodeFrame, FrameReader } from './frames.ts'
import { closeServer, listenOnLoopback } from './loopback.ts'
import { type Hello, MAX_RESULT_BYTES, type Request, type Response } from './store-protocol.ts'
import { answerOrBreak, type Transit, untouched } from './transit.ts'

export interface StoreServer {
  readonly port: number
  close(): Promise<void>
}

/** Lends a store of this process to others on this machine. The store must know its time exactly, as memory does. */
export async function startStoreServer(store: Store, transit: Transit = untouched): Promise<StoreServer> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    greet(socket, store)
    serve(socket, (request) =>
      transit({ delivery: request.delivery, step: request.command?.type ?? 'read' }, () => answer(store, request)),
    )
  })
  const port = await listenOnLoopback(server)
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy()
    await closeServer(server)
  }
  return { port, close }
}

function greet(socket: Socket, store: Store): void {
  const maxResultBytes = Math.min(MAX_RESULT_BYTES, store.capabilities.maxResultBytes)
  const hello: Hello = { nowMs: store.now().earliest, capabilities: { ...store.capabilities, maxResultBytes } }
  socket.setNoDelay(true).write(encodeFrame(hello))
}

function serve(socket: Socket, respond: (request: Request) => Promise<Response>): void {
  const reader = new FrameReader()
  // A client that was killed resets its connection: no news to us, the store is as it was.
  socket.on('error', () => socket.destroy())
  socket.on('data', (chunk) => {
    try {
      for (const message of reader.push(chunk)) {
        const send = respond(message as Request).then((response) => void socket.write(encodeFrame(response)))
        answerOrBreak(socket, send)
      }
    } catch (error) {
      if (!(error instanceof BadFrame)) throw error
      socket.destroy()
    }
  })
}

async function answer(store: Store, { id, command, key, resent, firstSentAtMs }: Request): Promise<Response> {
  try {
    if (command) {
      const reply = await store.execute(command, { resent, firstSentAtMs })
      return { id, nowMs: store.now().earliest, reply }
    }
    if (!key) throw new BadFrame('A request has neither a command nor a key')
    const record = await store.read(key)
    return { id, nowMs: store.now().earliest, record }
  } catch (error) {
    if (!isAlonceError(error)) throw error
    const { code, message, retryAfterMs, option, maybeApplied } = error
    return {
      id,
      nowMs: store.now().earliest,
      error: { code, message, details: { key: error.key, retryAfterMs, option, maybeApplied } },
    }
  }
}
