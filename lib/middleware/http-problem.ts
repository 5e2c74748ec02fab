import { STATUS_CODES } from 'node:http'
import { type AlonceError, type ErrorCode, isAlonceError } from '../store/errors.ts'
import type { HttpSettings, ProblemStatuses } from './http-options.ts'
import type { Asked } from './http-request.ts'

/** What the client is told, as `application/problem+json` (RFC 9457) without a `type` of its own: the status says it all. */
export interface Problem {
  readonly status: number
  readonly headers: { readonly [name: string]: string }
  readonly body: string
}

/** Codes that mean something to the client. The others are mistakes of the server's, which must not hide in a response. */
const STATUS_OF: { readonly [code in ErrorCode]?: keyof ProblemStatuses | 500 } = {
  KEY_MISSING: 'badKey',
  IN_PROGRESS: 'inProgress',
  FINGERPRINT_MISMATCH: 'mismatch',
  STORE_UNAVAILABLE: 'unavailable',
  OUTCOME_UNCERTAIN: 'unavailable',
  RESULT_TOO_LARGE: 500,
  RESULT_NOT_SERIALIZABLE: 500,
}
const COME_AGAIN_MS = 1000

/** `undefined`: not for the client. */
export function problemOf(error: unknown, settings: HttpSettings, { key }: Asked): Problem | undefined {
  if (!isAlonceError(error)) return undefined
  const status = STATUS_OF[error.code]
  if (status === undefined) return undefined
  const detail = error.code === 'KEY_MISSING' ? missingDetail(settings, key.is === 'given') : detailOf(error)
  return problem(typeof status === 'number' ? status : settings.statuses[status], error.code, {
    detail,
    headers: retryAfter(error),
  })
}

export const badKey = ({ header, statuses }: HttpSettings, why: string): Problem =>
  problem(statuses.badKey, 'KEY_INVALID', {
    detail: `The header ${header} ${why}. Send 1 to 255 printable characters, such as a UUID.`,
  })

function problem(
  status: number,
  code: ErrorCode,
  { detail, headers }: { readonly detail: string; readonly headers?: Problem['headers'] },
): Problem {
  const body = JSON.stringify({ title: STATUS_CODES[status] ?? 'Error', status, detail, code })
  return { status, body, headers: { 'Content-Type': 'application/problem+json', 'Cache-Control': 'no-store', ...headers } }
}

const missingDetail = ({ header }: HttpSettings, hasKey: boolean): string =>
  hasKey
    ? 'Whose request this is could not be told, and its key counts for one caller only.'
    : `This request needs the header ${header}: a value that is new for each operation, and the same when it is sent again.`

/** Said anew, because messages of errors speak to whoever writes the server. */
function detailOf({ code }: AlonceError): string {
  switch (code) {
    case 'IN_PROGRESS':
      return 'A request with this key is still being handled. Send it again later, under the same key.'
    case 'FINGERPRINT_MISMATCH':
      return 'This key was used with another request. Send a new request under a new key.'
    case 'STORE_UNAVAILABLE':
      return 'The request was not handled. Send it again later, under the same key.'
    case 'OUTCOME_UNCERTAIN':
      return 'What became of the request is not known yet. Send it again later, under the same key.'
    default:
      return 'The request has been handled, but its response could not be kept, so it can’t be repeated.'
  }
}

function retryAfter(error: AlonceError): Problem['headers'] {
  if (STATUS_OF[error.code] !== 'unavailable') return error.headers
  return { 'Retry-After': String(Math.ceil((error.retryAfterMs ?? COME_AGAIN_MS) / 1000)) }
}
