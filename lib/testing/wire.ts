import type { CommandType } from '../store/command.ts'

/** What a request is: the command it carries, several acquires in one, a transaction with items of the caller's, or a read. */
export type RequestType = CommandType | 'acquire-all' | 'transact' | 'read'

/**
 * - `drop-request`: it never arrives, and the sender sees a broken connection;
 * - `drop-answer`: it is applied, and the sender sees a broken connection;
 * - `throttle`: the store refuses it, and nothing is applied.
 */
export type Fault = 'drop-request' | 'drop-answer' | 'throttle'

/** The sender of a dropped request or answer sees this. */
export class ConnectionBroken extends Error {
  override readonly name = 'TimeoutError'
  readonly code = 'ECONNRESET'
}

/** The sender of a throttled request sees this. */
export class Throttled extends Error {
  override readonly name = 'ThrottlingException'
}

export interface Held {
  /** Resolves when the request has been sent and lies on the wire. */
  readonly arrived: Promise<void>
  /** Lets it go on to the store. */
  letGo(): void
}

export interface Ghost {
  /** Resolves when the request has been answered the first time. */
  readonly captured: Promise<void>
  /** Delivers the same bytes once more: a late duplicate. Its answer goes nowhere. */
  deliver(): Promise<void>
}

interface Rule {
  readonly match: RequestType | undefined
  left: number
  apply<T>(send: () => Promise<T>): Promise<T>
}

/** The network between one client and a store, in the hands of a test. Rules apply in the order in which they were made. */
export class Wire {
  /** Every request that the client sent, whatever became of it. */
  readonly sent: RequestType[] = []
  #rules: Rule[] = []
  #cut: Fault | undefined

  /** The next `times` requests (of that type) meet the fault. */
  inject(fault: Fault, match?: RequestType, times = 1): void {
    this.#rules.push({ match, left: times, apply: (send) => suffer(fault, send) })
  }

  /** Every request meets the fault, until `heal()`. */
  cut(fault: Fault = 'drop-request'): void {
    this.#cut = fault
  }

  heal(): void {
    this.#cut = undefined
    this.#rules = []
  }

  /** The next request (of that type) waits on the wire until it is let go. */
  hold(match?: RequestType): Held {
    const arrived = Promise.withResolvers<void>()
    const gate = Promise.withResolvers<void>()
    const apply = async <T>(send: () => Promise<T>): Promise<T> => {
      arrived.resolve()
      await gate.promise
      return send()
    }
    this.#rules.push({ match, left: 1, apply })
    return { arrived: arrived.promise, letGo: gate.resolve }
  }

  /** The next request (of that type) passes, and can be delivered again later. */
  capture(match?: RequestType): Ghost {
    const captured = Promise.withResolvers<void>()
    let again: (() => Promise<unknown>) | undefined
    const apply = async <T>(send: () => Promise<T>): Promise<T> => {
      again = send
      try {
        return await send()
      } finally {
        captured.resolve()
      }
    }
    this.#rules.push({ match, left: 1, apply })
    const deliver = async (): Promise<void> => {
      if (!again) throw new Error('Wire.capture: no matching request has been sent yet')
      await again().catch(() => undefined)
    }
    return { captured: captured.promise, deliver }
  }

  /** Sends one request through this wire. `send` must deliver the same bytes each time it is called. */
  async through<T>(type: RequestType, send: () => Promise<T>): Promise<T> {
    this.sent.push(type)
    const rule = this.#rules.find((candidate) => candidate.left > 0 && (candidate.match ?? type) === type)
    if (rule) {
      rule.left--
      return rule.apply(send)
    }
    return this.#cut ? suffer(this.#cut, send) : send()
  }
}

async function suffer<T>(fault: Fault, send: () => Promise<T>): Promise<T> {
  if (fault === 'throttle') throw new Throttled('Throughput exceeds the current capacity')
  if (fault === 'drop-answer') await send().catch(() => undefined)
  throw new ConnectionBroken('socket hang up')
}
