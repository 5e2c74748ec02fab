import { connect, type Socket } from 'node:net'
import type { Clock } from '../lib/runtime/clock.ts'
import { type Reading, readingOf, type ServerClock } from '../lib/store/server-clock.ts'
import { encodeFrame, FrameReader } from './frames.ts'
import type { Hello, Request, Response } from './store-protocol.ts'

interface Waiting {
  readonly sent: Reading
  resolve(response: Response): void
  reject(error: Error): void
}

export interface Clocks {
  readonly own: Clock
  /** Told of the time in every message of the server's. */
  readonly server: ServerClock
}

/** Bounds what a slow server can make us keep. */
const MAX_WAITING = 1024

/** One connection to a store server. Once broken it stays so, and everything that waits for an answer fails. */
export class StoreConnection {
  readonly hello: Promise<Hello>
  readonly #socket: Socket
  readonly #clocks: Clocks
  readonly #waiting = new Map<number, Waiting>()
  #lastId = 0
  #broken: Error | undefined

  constructor(port: number, clocks: Clocks) {
    const { promise, resolve, reject } = Promise.withResolvers<Hello>()
    // Nobody may be waiting for it when it fails.
    promise.catch(() => undefined)
    this.hello = promise
    this.#clocks = clocks
    this.#waiting.set(0, { sent: readingOf(clocks.own), resolve: (response) => resolve(response as unknown as Hello), reject })
    this.#socket = connect({ host: '127.0.0.1', port, noDelay: true })
    this.#listen()
  }

  get broken(): boolean {
    return this.#broken !== undefined
  }

  ask(request: Omit<Request, 'id'>): Promise<Response> {
    if (this.#broken) return Promise.reject(this.#broken)
    if (this.#waiting.size >= MAX_WAITING) return Promise.reject(new Error('Too many requests wait for an answer'))
    const id = ++this.#lastId
    const frame = encodeFrame({ ...request, id })
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { sent: readingOf(this.#clocks.own), resolve, reject })
      this.#socket.write(frame)
    })
  }

  close(reason: Error = new Error('The connection was closed')): void {
    this.#broken ??= reason
    this.#socket.destroy()
    for (const { reject } of this.#waiting.values()) reject(this.#broken)
    this.#waiting.clear()
  }

  #listen(): void {
    const reader = new FrameReader()
    this.#socket.on('error', (error) => this.close(error))
    this.#socket.on('close', () => this.close(new Error('The connection broke')))
    this.#socket.on('data', (chunk) => {
      try {
        for (const message of reader.push(chunk)) this.#receive(message as Response)
      } catch (error) {
        this.close(error as Error)
      }
    })
  }

  #receive(response: Response): void {
    // The server's first word carries no id, and answers our knocking.
    const id = response.id ?? 0
    const waiting = this.#waiting.get(id)
    if (!waiting) return
    this.#waiting.delete(id)
    this.#clocks.server.observe({ stampMs: response.nowMs, sent: waiting.sent, received: readingOf(this.#clocks.own) })
    waiting.resolve(response)
  }
}
