import type { AttributeValue, CancellationReason } from '@aws-sdk/client-dynamodb'
import { type Runtime, sleep } from '../../runtime/runtime.ts'
import { AlonceError } from '../../store/errors.ts'
import type { SendOptions } from '../../store/store.ts'
import type { Attempt } from './attempts.ts'
import { judge, type RefusedItem } from './errors.ts'
import type { Settings } from './options.ts'
import type { TableClock } from './table-clock.ts'
import { type Transport, throughClient, throughOwnClient } from './transport.ts'

export type { CommandSender } from './transport.ts'

export type Item = { [name: string]: AttributeValue }

/** One step of a command. `build` makes the same request each time: the SDK's command objects are good for one sending. */
export interface Request {
  readonly writes: boolean
  build(): object
}

/**
 * `Output` when it was done; when its condition did not hold, the item as it is, if known. `by`: not our own item of a
 * transaction was refused, but one of the caller's. `reasons`: what became of each item of a transaction.
 */
export type Answer<Output> =
  | { readonly refused: false; readonly output: Output }
  | {
      readonly refused: true
      readonly item: Item | undefined
      readonly by?: RefusedItem | undefined
      readonly reasons?: readonly CancellationReason[] | undefined
    }

/** What one call of the store's may spend, and whether something of it may have been applied already. */
export class Call {
  readonly #runtime: Runtime
  readonly #deadline: number
  readonly onRequest: (() => void) | undefined
  /** A write of this command was sent whose outcome we don't know. */
  resent: boolean

  constructor(runtime: Runtime, totalTimeoutMs: number, options: SendOptions) {
    this.#runtime = runtime
    this.#deadline = runtime.clock.monotonic() + Math.min(totalTimeoutMs, options.timeoutMs ?? totalTimeoutMs)
    this.onRequest = options.onRequest
    this.resent = options.resent ?? false
  }

  remainingMs(): number {
    return this.#deadline - this.#runtime.clock.monotonic()
  }
}

class TimedOut extends Error {
  override readonly name = 'TimeoutError'
}

/** No back-off is longer. The total time bounds the sum. */
const LONGEST_PAUSE_MS = 800

/** Sends requests, again where that can help, within the bounds of a call. */
export class Requests {
  readonly #settings: Settings
  readonly #clock: TableClock
  #transport: Transport | undefined

  constructor(settings: Settings, clock: TableClock) {
    this.#settings = settings
    this.#clock = clock
    this.#transport = settings.client && throughClient(settings.client)
  }

  /** @throws AlonceError what `judge` says, or `STORE_UNAVAILABLE` when nothing helped. */
  async deliver<Output>(request: Request, call: Call): Promise<Answer<Output>> {
    const { maxAttempts, tableName, runtime } = this.#settings
    let cause: unknown
    let skewed = false
    for (let sending = 1; sending <= maxAttempts && call.remainingMs() > 0; sending++) {
      const attempts: Attempt[] = []
      try {
        const output = await this.#once(request, call, attempts)
        if (request.writes && isUnsure(attempts, false)) call.resent = true
        return { refused: false, output: output as Output }
      } catch (error) {
        const verdict = judge(error, tableName)
        if (request.writes && isUnsure(attempts, verdict.kind === 'again' && verdict.sent)) call.resent = true
        if (verdict.kind === 'refused') return { refused: true, item: verdict.item, by: verdict.by, reasons: verdict.reasons }
        if (verdict.kind === 'fatal' || (verdict.kind === 'skewed' && skewed)) throw verdict.error
        skewed ||= verdict.kind === 'skewed'
        cause = error
      }
      const pauseMs = Math.min(LONGEST_PAUSE_MS, 50 * 2 ** (sending - 1)) * (0.5 + runtime.random.fraction() / 2)
      if (sending === maxAttempts || pauseMs >= call.remainingMs()) break
      await sleep(runtime.timer, pauseMs)
    }
    throw unavailable(tableName, call.resent, cause)
  }

  /** One sending through the client, which may retry by itself, within the time of one request. */
  async #once(request: Request, call: Call, attempts: Attempt[]): Promise<unknown> {
    const timeoutMs = Math.min(this.#settings.requestTimeoutMs, call.remainingMs())
    const command = request.build()
    const started = this.#clock.reading()
    try {
      const output = await this.#within(timeoutMs, (abortSignal) =>
        this.#connected()(command, { clock: this.#clock, attempts, onRequest: call.onRequest, abortSignal }),
      )
      if (attempts.length === 0) this.#unseen(started, call)
      return output
    } catch (error) {
      if (attempts.length === 0 && judge(error, '').kind === 'refused') this.#unseen(started, call)
      throw error
    }
  }

  /** The client may not heed the signal, so we stop listening as well. */
  #within<T>(timeoutMs: number, act: (abortSignal: AbortSignal) => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const abort = new AbortController()
      const cancel = this.#settings.runtime.timer.after(timeoutMs, () => {
        abort.abort()
        reject(new TimedOut(`DynamoDB did not answer within ${Math.ceil(timeoutMs)} ms`))
      })
      const settled =
        <V>(settle: (value: V) => void) =>
        (value: V) => {
          cancel()
          settle(value)
        }
      act(abort.signal).then(settled(resolve), settled(reject))
    })
  }

  /** A double took the command without running its middleware: a reply without a `Date`, after who knows how many attempts. */
  #unseen(started: Parameters<TableClock['observe']>[0], call: Call): void {
    call.onRequest?.()
    this.#clock.observe(started, this.#clock.reading(), undefined)
  }

  #connected(): Transport {
    this.#transport ??= throughOwnClient(this.#settings.clientConfig)
    return this.#transport
  }
}

/** Whether something may have been applied before the answer that we have; `last` says so of an attempt that had none. */
function isUnsure(attempts: readonly Attempt[], last: boolean): boolean {
  if (attempts.length === 0) return true
  return last || attempts.slice(0, -1).some((attempt) => !attempt.definite)
}

const unavailable = (tableName: string, maybeApplied: boolean, cause: unknown): AlonceError =>
  new AlonceError('STORE_UNAVAILABLE', `DynamoDB's table "${tableName}" did not answer in time. Try again later.`, {
    cause,
    maybeApplied,
  })
