import { type Runtime, sleep, systemRuntime } from '../lib/runtime/runtime.ts'
import type { Command, ReplyTo } from '../lib/store/command.ts'
import { AlonceError } from '../lib/store/errors.ts'
import type { AlonceRecord, RecordKey } from '../lib/store/record.ts'
import { ServerClock } from '../lib/store/server-clock.ts'
import type { Capabilities, SendOptions, Store } from '../lib/store/store.ts'
import type { Interval } from '../lib/store/time.ts'
import { StoreConnection } from './store-connection.ts'
import { RESOLUTION_MS, type Request, type Response } from './store-protocol.ts'

export interface SocketStoreOptions {
  /** On 127.0.0.1. */
  readonly port: number
  /** How long one request waits for its answer before it is sent again. Milliseconds. Default: 500. */
  readonly requestTimeoutMs?: number
  /** How long a call may take in all. Milliseconds. Default: 3000. */
  readonly timeoutMs?: number
  /** The delivery that the caller is at work on, so that the storm can tell whose request it is. */
  readonly delivery?: () => string | undefined
  readonly runtime?: Runtime
}

export interface SocketStore extends Store {
  close(): void
}

/** A store that lives in another process of this machine. Resolves once its clock is known. */
export async function socketStore(options: SocketStoreOptions): Promise<SocketStore> {
  const runtime = options.runtime ?? systemRuntime
  const server = new ServerClock(runtime.clock, RESOLUTION_MS)
  const dial = (): StoreConnection => new StoreConnection(options.port, { own: runtime.clock, server })
  const connection = dial()
  const { capabilities } = await connection.hello
  return new RemoteStore({ ...options, runtime, server, dial, connection, capabilities })
}

interface Parts extends SocketStoreOptions {
  readonly runtime: Runtime
  readonly server: ServerClock
  readonly dial: () => StoreConnection
  readonly connection: StoreConnection
  readonly capabilities: Capabilities
}

type Question = Pick<Request, 'command' | 'key'>

const MAX_ATTEMPTS = 5
const PAUSE_MS = 30

class RemoteStore implements SocketStore {
  readonly name = 'memory, over a socket'
  readonly capabilities: Capabilities
  readonly runtime: Runtime
  readonly #parts: Parts
  #connection: StoreConnection
  #closed = false

  constructor(parts: Parts) {
    this.#parts = parts
    this.#connection = parts.connection
    this.capabilities = parts.capabilities
    this.runtime = parts.runtime
  }

  async execute<C extends Command>(command: C, options: SendOptions = {}): Promise<ReplyTo<C>> {
    const { reply } = await this.#ask({ command }, options)
    return reply as ReplyTo<C>
  }

  async read(key: RecordKey, options: SendOptions = {}): Promise<AlonceRecord | undefined> {
    const { record } = await this.#ask({ key }, options)
    return record
  }

  now(): Interval {
    return this.#parts.server.read()
  }

  close(): void {
    this.#closed = true
    this.#connection.close()
  }

  /** Sends until there is an answer, for as long as there is time; from the second sending on it says that it is one. */
  async #ask(question: Question, options: SendOptions): Promise<Response> {
    const { clock, timer } = this.runtime
    const deadline = clock.monotonic() + (options.timeoutMs ?? this.#parts.timeoutMs ?? 3000)
    const firstSentAtMs = options.firstSentAtMs ?? this.now().latest
    let resent = options.resent ?? false
    let cause: unknown
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
      const left = deadline - clock.monotonic()
      if (left <= 0) break
      try {
        options.onRequest?.()
        return answered(await this.#askOnce({ ...question, resent, firstSentAtMs }, left))
      } catch (error) {
        if (error instanceof AlonceError) throw error
        cause = error
        resent = true
        await sleep(timer, Math.min(PAUSE_MS * attempt, left))
      }
    }
    const message = 'The store did not answer. The command may have been applied all the same: try again later.'
    throw new AlonceError('STORE_UNAVAILABLE', message, { cause, maybeApplied: resent })
  }

  async #askOnce(question: Omit<Request, 'id'>, leftMs: number): Promise<Response> {
    const limitMs = Math.min(leftMs, this.#parts.requestTimeoutMs ?? 500)
    if (this.#connection.broken && !this.#closed) this.#connection = this.#parts.dial()
    const connection = this.#connection
    const cancel = this.runtime.timer.after(limitMs, () => connection.close(new Error(`No answer within ${limitMs} ms`)))
    try {
      await connection.hello
      return await connection.ask({ ...question, delivery: this.#parts.delivery?.() })
    } finally {
      cancel()
    }
  }
}

function answered(response: Response): Response {
  if (!response.error) return response
  const { code, message, details } = response.error
  throw new AlonceError(code, message, details)
}
