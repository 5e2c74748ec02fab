import type { Reading } from '../../store/server-clock.ts'
import type { TableClock } from './table-clock.ts'

/** One HTTP request of a command. The client may make several of one `send`. */
export interface Attempt {
  readonly sent: Reading
  /** It was answered, and not by "something went wrong in here": it was applied, or it was not, and its answer says which. */
  definite: boolean
}

/** One sending of a command: where its attempts are noted, and what ends them. */
export interface Watch {
  readonly clock: TableClock
  readonly attempts: Attempt[]
  readonly onRequest: (() => void) | undefined
  readonly abortSignal?: AbortSignal | undefined
}

export interface HandlerResult {
  readonly response?: unknown
}

interface RawResponse {
  readonly statusCode?: number
  readonly headers?: { readonly [name: string]: string }
}

/** Makes an attempt, and notes it and the server's time in its reply. `request` gives raw responses, errors too. */
export async function attempt<R extends HandlerResult>(watch: Watch, request: () => Promise<R>): Promise<R> {
  const { clock, attempts, onRequest } = watch
  const noted: Attempt = { sent: clock.reading(), definite: false }
  attempts.push(noted)
  onRequest?.()
  const result = await request()
  const { statusCode = 0, headers = {} } = (result.response ?? {}) as RawResponse
  noted.definite = statusCode >= 200 && statusCode < 500 && statusCode !== 408
  if (noted.definite) clock.observe(noted.sent, clock.reading(), dateOf(headers))
  return result
}

function dateOf(headers: { readonly [name: string]: string }): number | undefined {
  const name = 'date' in headers ? 'date' : Object.keys(headers).find((candidate) => candidate.toLowerCase() === 'date')
  const ms = name === undefined ? Number.NaN : Date.parse(headers[name] ?? '')
  return Number.isFinite(ms) ? ms : undefined
}
