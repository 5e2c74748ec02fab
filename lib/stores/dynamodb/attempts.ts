import type { Reading } from '../../store/server-clock.ts'
import type { TableClock } from './table-clock.ts'

/** One HTTP request of a command. The client may make several of one `send`. */
export interface Attempt {
  readonly sent: Reading
  /** It was answered, and not by "something went wrong in here": it was applied, or it was not, and its answer says which. */
  definite: boolean
}

interface Watching {
  readonly clock: TableClock
  readonly attempts: Attempt[]
  readonly onRequest: (() => void) | undefined
}

/** As much of the SDK's middleware as we use. */
interface Watchable {
  readonly middlewareStack?: { add(middleware: Middleware, options: object): void }
}
type Middleware = (next: Handler) => Handler
type Handler = (args: unknown) => Promise<{ readonly response?: unknown }>

interface RawResponse {
  readonly statusCode?: number
  readonly headers?: { readonly [name: string]: string }
}

/**
 * Notes each attempt of this command, and the server's time in its reply. It sits innermost, below the SDK's retries and
 * its deserializer, so it sees each raw response, errors too.
 */
export function watch(command: object, { clock, attempts, onRequest }: Watching): void {
  const middleware: Middleware = (next) => async (args) => {
    const attempt: Attempt = { sent: clock.reading(), definite: false }
    attempts.push(attempt)
    onRequest?.()
    const result = await next(args)
    const { statusCode = 0, headers = {} } = (result.response ?? {}) as RawResponse
    attempt.definite = statusCode >= 200 && statusCode < 500 && statusCode !== 408
    if (attempt.definite) clock.observe(attempt.sent, clock.reading(), dateOf(headers))
    return result
  }
  const { middlewareStack } = command as Watchable
  middlewareStack?.add(middleware, { step: 'deserialize', priority: 'low', name: 'alonceAttempts' })
}

function dateOf(headers: { readonly [name: string]: string }): number | undefined {
  const name = Object.keys(headers).find((candidate) => candidate.toLowerCase() === 'date')
  const ms = name === undefined ? Number.NaN : Date.parse(headers[name] ?? '')
  return Number.isFinite(ms) ? ms : undefined
}
