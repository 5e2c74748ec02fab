/**
 * Everything Alonce throws on purpose. Check `code`, not `instanceof`: it works across bundles.
 *
 * `statusCode`, `expose` and `headers` are those of http-errors, so that `@middy/http-error-handler` and most HTTP
 * frameworks answer rightly without code.
 */
export type ErrorCode =
  | 'LOCK_HELD'
  | 'LOCK_LOST'
  | 'LEASE_EXPIRED'
  | 'IN_PROGRESS'
  | 'KEY_MISSING'
  | 'KEY_INVALID'
  | 'FINGERPRINT_MISMATCH'
  | 'RESULT_TOO_LARGE'
  | 'RESULT_NOT_SERIALIZABLE'
  | 'STORE_UNAVAILABLE'
  | 'STORE_NOT_FOUND'
  | 'STORE_DENIED'
  | 'STORE_SCHEMA'
  | 'OUTCOME_UNCERTAIN'
  | 'CONFIG_INVALID'
  | 'RECORD_UNREADABLE'

const STATUS: { readonly [code in ErrorCode]: number } = {
  LOCK_HELD: 409,
  LOCK_LOST: 503,
  LEASE_EXPIRED: 503,
  IN_PROGRESS: 409,
  KEY_MISSING: 400,
  KEY_INVALID: 400,
  FINGERPRINT_MISMATCH: 422,
  RESULT_TOO_LARGE: 500,
  RESULT_NOT_SERIALIZABLE: 500,
  STORE_UNAVAILABLE: 503,
  STORE_NOT_FOUND: 500,
  STORE_DENIED: 500,
  STORE_SCHEMA: 500,
  OUTCOME_UNCERTAIN: 503,
  CONFIG_INVALID: 500,
  RECORD_UNREADABLE: 500,
}

export interface ErrorDetails {
  readonly cause?: unknown
  /** When it is worth trying again, in milliseconds from now. */
  readonly retryAfterMs?: number | undefined
  /** The lock's name or the record's key (hashed for operations). */
  readonly key?: string | undefined
  /** The label of who holds it. */
  readonly holder?: string | undefined
  readonly fence?: number | undefined
  /** The option that is wrong (`CONFIG_INVALID`). */
  readonly option?: string | undefined
  /** Whether the command that failed may have been applied all the same (`STORE_UNAVAILABLE`). */
  readonly maybeApplied?: boolean | undefined
}

export class AlonceError extends Error {
  override readonly name = 'AlonceError'
  readonly code: ErrorCode
  readonly statusCode: number
  /** Whether the message may be shown to a client: only when the client can act on it. */
  readonly expose: boolean
  readonly headers: { readonly [name: string]: string }
  readonly retryAfterMs: number | undefined
  readonly key: string | undefined
  readonly holder: string | undefined
  readonly fence: number | undefined
  readonly option: string | undefined
  readonly maybeApplied: boolean | undefined

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined)
    this.code = code
    this.statusCode = STATUS[code]
    this.expose = this.statusCode < 500
    this.retryAfterMs = details.retryAfterMs
    this.headers = retryAfter(details.retryAfterMs)
    this.key = details.key
    this.holder = details.holder
    this.fence = details.fence
    this.option = details.option
    this.maybeApplied = details.maybeApplied
  }
}

/** HTTP counts in whole seconds; rounding down would ask the client to come too early. */
function retryAfter(ms: number | undefined): { readonly [name: string]: string } {
  return ms === undefined ? {} : { 'Retry-After': String(Math.max(1, Math.ceil(ms / 1000))) }
}

export function isAlonceError(error: unknown, code?: ErrorCode): error is AlonceError {
  if (!(error instanceof Error) || error.name !== 'AlonceError') return false
  return code === undefined || (error as AlonceError).code === code
}

/** A wrong option: found at construction, never at the first request. */
export const configInvalid = (option: string, problem: string): AlonceError =>
  new AlonceError('CONFIG_INVALID', `Option "${option}" ${problem}`, { option })

/** A broken invariant: a bug of ours, or a store that breaks its contract. Stops what it is in, in production too. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError'
}

export function invariant(holds: boolean, message: () => string): asserts holds {
  if (!holds) throw new InvariantError(`Invariant broken, please report it: ${message()}`)
}
