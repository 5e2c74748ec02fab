import type { Runtime } from '../../lib/runtime/runtime.ts'
import { isAlonceError } from '../../lib/store/errors.ts'
import { lockKey } from '../../lib/store/key.ts'
import { dynamodbStore } from '../../lib/stores/dynamodb/dynamodb-store.ts'
import { dynamodbOptions } from '../../lib/stores/dynamodb/options.ts'

/** What a command does while DynamoDB throttles each of its requests, with the defaults. Found out by the real store, in virtual time. */
export interface Throttled {
  readonly requestTimeoutMs: number
  readonly totalTimeoutMs: number
  readonly maxAttempts: number
  /** With the shortest pauses that can be drawn, and with the longest. */
  readonly quickest: Gave
  readonly slowest: Gave
}
interface Gave {
  readonly requests: number
  /** From the first request to the error. */
  readonly afterMs: number
  readonly code: string
  readonly maybeApplied: boolean
}

export async function throttled(): Promise<Throttled> {
  const { requestTimeoutMs, totalTimeoutMs, maxAttempts } = dynamodbOptions({ tableName: 'any' })
  const [quickest, slowest] = [await giveUp(0), await giveUp(1 - Number.EPSILON)]
  return { requestTimeoutMs, totalTimeoutMs, maxAttempts, quickest, slowest }
}

async function giveUp(fraction: number): Promise<Gave> {
  const time = new VirtualTime(fraction)
  let requests = 0
  const send = async (command: object): Promise<never> => {
    requests++
    await answerTo(command as WithMiddleware)
    throw Object.assign(new Error('too much'), { name: 'ThrottlingException', $metadata: { httpStatusCode: 400 } })
  }
  const store = dynamodbStore({ tableName: 'any', client: { send }, runtime: time.runtime })
  const command = { type: 'lock.acquire', key: lockKey('any'), owner: 'any', leaseMs: 30_000 } as const
  const ending = store.execute(command).then(
    () => undefined,
    (error: unknown) => error,
  )
  const error = await time.run(ending)
  if (!isAlonceError(error)) throw new Error('It did not give up', { cause: error })
  return { requests, afterMs: Math.round(time.nowMs), code: error.code, maybeApplied: error.maybeApplied ?? false }
}

interface WithMiddleware {
  readonly input: object
  readonly middlewareStack: { resolve(handler: () => Promise<object>, context: object): (args: object) => Promise<object> }
}

/** As DynamoDB answers: the store's own middleware must see that there was an answer, and so that nothing was applied. */
const answerTo = ({ middlewareStack, input }: WithMiddleware): Promise<object> =>
  middlewareStack.resolve(async () => ({ response: { statusCode: 400, headers: {} } }), {})({ input })

/** Time that passes only when nothing else is left to do. */
class VirtualTime {
  nowMs = 0
  readonly runtime: Runtime
  readonly #timers = new Set<{ readonly atMs: number; readonly action: () => void }>()

  constructor(fraction: number) {
    this.runtime = {
      clock: { wall: () => this.nowMs, monotonic: () => this.nowMs },
      random: { id: () => 'any', fraction: () => fraction },
      timer: {
        after: (ms, action) => {
          const timer = { atMs: this.nowMs + ms, action }
          this.#timers.add(timer)
          return () => void this.#timers.delete(timer)
        },
      },
    }
  }

  async run<T>(work: Promise<T>): Promise<T> {
    let done = false
    void work.finally(() => {
      done = true
    })
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve))
      if (done) return work
      const [next] = [...this.#timers].sort((a, b) => a.atMs - b.atMs)
      if (!next) throw new Error('Nothing is left to wait for')
      this.#timers.delete(next)
      this.nowMs = next.atMs
      next.action()
    }
  }
}
