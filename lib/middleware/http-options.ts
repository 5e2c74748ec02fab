import { type IdempotencyOptions, type Plan, planOf } from '../idempotency/options.ts'
import { configInvalid } from '../store/errors.ts'
import { callable, wholeNumber } from '../store/option.ts'
import { type Asked, defaultFingerprint } from './http-request.ts'

/**
 * As for `makeIdempotent`; the key is the request's header, and `scope` is a function of the event (or of the `Request`).
 * Give a `scope` wherever several callers use one endpoint: without it, two that send the same key share a response.
 */
export interface HttpIdempotencyOptions<Q> extends Omit<IdempotencyOptions<[request: Q]>, 'key' | 'fingerprint' | 'predecessor'> {
  /** Default: `Idempotency-Key`. */
  readonly header?: string | undefined
  /** Requests with other methods go to the handler as they are. Default: `POST` and `PATCH`. */
  readonly methods?: readonly string[] | undefined
  /** What must be equal when the key is: any JSON value. Default: method, path, query and body. */
  readonly fingerprint?: ((request: Q, body: Uint8Array) => unknown) | undefined
  /** Which responses are stored; after another one the record is given back, and the next request runs. Default: all but 429 and 5xx. */
  readonly storeWhen?: ((statusCode: number) => boolean) | undefined
  /**
   * Headers of the response that are neither stored nor replayed; the first caller gets them. `Set-Cookie` is never stored.
   * Default: those that carry credentials or ask for them.
   */
  readonly omitHeaders?: readonly string[] | undefined
  readonly statuses?: Partial<ProblemStatuses> | undefined
}

/** The status of each refusal. */
export interface ProblemStatuses {
  /** No key, or a wrong one. Default: 400. */
  readonly badKey: number
  /** The first request still runs. Default: 409. */
  readonly inProgress: number
  /** The key was used with another request. Default: 422. */
  readonly mismatch: number
  /** The store can't be reached, or the outcome is not known yet. Default: 503. */
  readonly unavailable: number
}

/** The options, checked once, with their defaults. */
export interface HttpSettings {
  /** Its key and fingerprint are those of the request: see `planFor`. */
  readonly plan: Plan
  readonly fingerprint: ((original: unknown, body: Uint8Array) => unknown) | undefined
  readonly header: string
  readonly methods: ReadonlySet<string>
  readonly stores: (statusCode: number) => boolean
  /** In lower case. */
  readonly omitted: ReadonlySet<string>
  readonly statuses: ProblemStatuses
}

const STATUSES: ProblemStatuses = { badKey: 400, inProgress: 409, mismatch: 422, unavailable: 503 }
const CREDENTIALS = [
  'Authorization',
  'Proxy-Authorization',
  'WWW-Authenticate',
  'Proxy-Authenticate',
  'Authentication-Info',
  'Proxy-Authentication-Info',
  'Cookie',
  'X-Api-Key',
  'X-Amz-Security-Token',
]
const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/

/** @throws AlonceError `CONFIG_INVALID`, naming the option */
export function httpSettings<Q>(options: HttpIdempotencyOptions<Q>): HttpSettings {
  if (typeof options !== 'object' || options === null) throw configInvalid('options', 'must be an object.')
  if ('key' in options) throw configInvalid('key', 'is the header of the request: use "header" to name another one.')
  // What another library has stored is no response that this one could send again as it sends its own.
  if ('predecessor' in options) throw configInvalid('predecessor', 'is not an option of HTTP: use makeIdempotent meanwhile.')
  const { header, methods, fingerprint, storeWhen, omitHeaders, statuses, ...rest } = options
  for (const [name, given] of Object.entries({ fingerprint, storeWhen })) callable(name, given)
  return {
    plan: planOf<[request: Q]>({ ...rest, key: undefined }),
    fingerprint: fingerprint as HttpSettings['fingerprint'],
    header: tokens('header', [header ?? 'Idempotency-Key'])[0] as string,
    methods: new Set(tokens('methods', methods ?? ['POST', 'PATCH']).map((method) => method.toUpperCase())),
    stores: judge(storeWhen),
    omitted: new Set(['set-cookie', ...tokens('omitHeaders', omitHeaders ?? CREDENTIALS).map((name) => name.toLowerCase())]),
    statuses: { ...STATUSES, ...checkedStatuses(statuses) },
  }
}

/** The plan for one request. All else that is a function gets the request as the user knows it. */
export function planFor({ plan, fingerprint }: HttpSettings, { key, request, original }: Asked): Plan {
  return {
    ...plan,
    key: () => (key.is === 'given' ? key.key : undefined),
    fingerprint: () => (fingerprint ? fingerprint(original, request.body) : defaultFingerprint(request)),
  }
}

function tokens(option: string, given: readonly string[]): readonly string[] {
  if (Array.isArray(given) && given.every((word) => typeof word === 'string' && TOKEN.test(word))) return given
  throw configInvalid(option, 'must be names as HTTP has them, such as "POST" or "X-Api-Key".')
}

function checkedStatuses(given: Partial<ProblemStatuses> | undefined): Partial<ProblemStatuses> {
  for (const [name, status] of Object.entries(given ?? {})) {
    if (!Object.hasOwn(STATUSES, name))
      throw configInvalid(`statuses.${name}`, `does not exist. There are: ${Object.keys(STATUSES).join(', ')}.`)
    wholeNumber(`statuses.${name}`, status ?? Number.NaN, [400, 599])
  }
  return given ?? {}
}

const isFinal = (statusCode: number): boolean => statusCode < 500 && statusCode !== 429

/** The handler has run when this is asked: a judge that throws must not make it run again. */
function judge(given: HttpIdempotencyOptions<unknown>['storeWhen']): (statusCode: number) => boolean {
  if (!given) return isFinal
  return (statusCode) => {
    try {
      return given(statusCode)
    } catch {
      return isFinal(statusCode)
    }
  }
}
