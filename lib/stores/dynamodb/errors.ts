import type { AttributeValue, CancellationReason } from '@aws-sdk/client-dynamodb'
import { AlonceError, configInvalid } from '../../store/errors.ts'

/** What a failed request means. */
export type Verdict =
  /** The condition did not hold; the item as it is, if the client hands it on. */
  | {
      readonly kind: 'refused'
      readonly item: { [name: string]: AttributeValue } | undefined
      readonly by?: RefusedItem | undefined
      readonly reasons?: readonly CancellationReason[] | undefined
    }
  /** Worth another try. `sent` is false when the request can't have been applied. */
  | { readonly kind: 'again'; readonly sent: boolean }
  /** The signature was too old or too young. The SDK has learned the server's time from the reply: one more try. */
  | { readonly kind: 'skewed'; readonly error: AlonceError }
  | { readonly kind: 'fatal'; readonly error: AlonceError }

/** An item of the caller's, by its place after our own, and DynamoDB's reason. */
export interface RefusedItem {
  readonly index: number
  readonly reason: string
}

/** Refused before anything was written, and better next time. The SDK does not retry the conflicts of plain writes. */
const BUSY: ReadonlySet<string> = new Set([
  'ThrottlingException',
  'Throttling',
  'ProvisionedThroughputExceededException',
  'RequestLimitExceeded',
  'TransactionConflictException',
  'ReplicatedWriteConflictException',
])
/** No connection, so no request. */
const NEVER_SENT: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'ENETUNREACH', 'EHOSTUNREACH'])
const SKEWED: ReadonlySet<string> = new Set([
  'InvalidSignatureException',
  'SignatureDoesNotMatch',
  'RequestExpired',
  'RequestInTheFuture',
  'RequestTimeTooSkewed',
])
const DENIED: ReadonlySet<string> = new Set([
  'AccessDeniedException',
  'AccessDenied',
  'UnrecognizedClientException',
  'ExpiredTokenException',
  'ExpiredToken',
  'IncompleteSignatureException',
  'InvalidClientTokenId',
  'MissingAuthenticationTokenException',
  'NotAuthorizedException',
  'OptInRequired',
  'CredentialsProviderError',
  'TokenProviderError',
])

interface Thrown {
  readonly name: string
  readonly message: string
  readonly code: string | undefined
  readonly status: number | undefined
  readonly item: { [name: string]: AttributeValue } | undefined
  readonly cancelled: readonly CancellationReason[] | undefined
}

export function judge(error: unknown, tableName: string): Verdict {
  const thrown = read(error)
  if (thrown.name === 'ConditionalCheckFailedException') return { kind: 'refused', item: thrown.item }
  if (thrown.cancelled) return judgeCancelled(thrown.cancelled)
  // Our own earlier sending, as its token says.
  if (thrown.name === 'TransactionInProgressException') return { kind: 'again', sent: true }
  if (BUSY.has(thrown.name)) return { kind: 'again', sent: false }
  if (NEVER_SENT.has(thrown.code ?? '')) return { kind: 'again', sent: false }
  if (SKEWED.has(thrown.name)) return { kind: 'skewed', error: denied(thrown, tableName, error) }
  const fatal = explain(thrown, tableName, error)
  return fatal ? { kind: 'fatal', error: fatal } : { kind: 'again', sent: true }
}

/** Reasons that pass: another write met ours, or there was too much to do. */
const BUSY_REASONS: ReadonlySet<string> = new Set([
  'TransactionConflict',
  'ThrottlingError',
  'ProvisionedThroughputExceeded',
  'RequestLimitExceeded',
])

/** A reason that does not pass, and is no refusal of a condition: an item that is not as ours are. */
export const isUnfit = (reason: string): boolean =>
  reason !== 'None' && reason !== 'ConditionalCheckFailed' && !BUSY_REASONS.has(reason)

/** A cancelled transaction has written nothing. Our own item is the first, and its refusal says more than any other. */
function judgeCancelled(reasons: readonly CancellationReason[]): Verdict {
  if (reasons[0]?.Code === 'ConditionalCheckFailed') return { kind: 'refused', item: reasons[0].Item, reasons }
  const index = reasons.findIndex(({ Code = 'None' }) => Code !== 'None' && !BUSY_REASONS.has(Code))
  if (index < 0) return { kind: 'again', sent: false }
  const reason = reasons[index]?.Code ?? 'unknown'
  if (index > 0) return { kind: 'refused', item: undefined, by: { index: index - 1, reason }, reasons }
  const message = `DynamoDB refused our own item of the transaction (${reason}). Please report it.`
  return { kind: 'fatal', error: new AlonceError('RECORD_UNREADABLE', message) }
}

function explain(thrown: Thrown, tableName: string, cause: unknown): AlonceError | undefined {
  if (DENIED.has(thrown.name)) return denied(thrown, tableName, cause)
  if (thrown.name === 'ResourceNotFoundException') {
    const message = `The table "${tableName}" does not exist in this account and region, or is still being created. Check "tableName" and the region; createTable() makes one for development.`
    return new AlonceError('STORE_NOT_FOUND', message, { cause })
  }
  if (thrown.name === 'ValidationException') return invalid(thrown.message, tableName, cause)
  if (/^Region is missing/i.test(thrown.message)) {
    return configInvalid('clientConfig', 'has no region: set AWS_REGION, or pass { region }.')
  }
  // Of the rest, only what the request itself got wrong can't get better by trying again. 408: the request came too slowly.
  if (thrown.status !== undefined && thrown.status >= 400 && thrown.status < 500 && thrown.status !== 408) {
    const message = `DynamoDB refused a request to the table "${tableName}" with ${thrown.name}. See the cause.`
    return new AlonceError('STORE_UNAVAILABLE', message, { cause, maybeApplied: false })
  }
  return undefined
}

const denied = (thrown: Thrown, tableName: string, cause: unknown): AlonceError =>
  new AlonceError(
    'STORE_DENIED',
    `DynamoDB refused our credentials or permissions for the table "${tableName}" (${thrown.name}). Grant GetItem, PutItem, UpdateItem and Query on it, and check that the credentials are valid.`,
    { cause },
  )

function invalid(message: string, tableName: string, cause: unknown): AlonceError {
  if (/item size/i.test(message)) {
    return new AlonceError('RESULT_TOO_LARGE', 'The record would exceed DynamoDB’s 400 KB. Keep less in checkpoints.', { cause })
  }
  if (/incorrect (data|operand) type|incorrect operand/i.test(message)) {
    const problem = `An item in the table "${tableName}" has attributes of other types than ours: another program writes into this namespace. Give Alonce a namespace of its own.`
    return new AlonceError('RECORD_UNREADABLE', problem, { cause })
  }
  const problem = `The table "${tableName}" does not fit: it needs the partition key "pk" and the sort key "sk", both strings. DynamoDB says: ${message}`
  return new AlonceError('STORE_SCHEMA', problem, { cause })
}

/** Whatever was thrown, with the fields that the SDK's exceptions and Node's socket errors have. */
function read(error: unknown): Thrown {
  const fields = (typeof error === 'object' && error !== null ? error : {}) as {
    readonly [field: string]: unknown
    readonly $metadata?: { readonly httpStatusCode?: number }
    readonly Item?: { [name: string]: AttributeValue }
    readonly CancellationReasons?: readonly CancellationReason[]
  }
  return {
    name: String(fields['name'] ?? ''),
    message: String(fields['message'] ?? ''),
    code: typeof fields['code'] === 'string' ? fields['code'] : undefined,
    status: fields.$metadata?.httpStatusCode,
    item: fields.Item,
    cancelled: fields['name'] === 'TransactionCanceledException' ? (fields.CancellationReasons ?? []) : undefined,
  }
}
