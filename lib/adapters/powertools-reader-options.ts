import { hash } from 'node:crypto'
import { configInvalid } from '../store/errors.ts'
import { callable } from '../store/option.ts'
import { type DynamoDBStoreOptions, dynamodbOptions, type Settings } from '../stores/dynamodb/options.ts'

/** What the old function gave to Powertools' `DynamoDBPersistenceLayer`, `IdempotencyConfig` and `makeIdempotent`, by the same names. */
export interface PowertoolsReaderOptions<A extends readonly unknown[] = readonly unknown[]>
  extends Pick<
    DynamoDBStoreOptions,
    'client' | 'clientConfig' | 'runtime' | 'requestTimeoutMs' | 'totalTimeoutMs' | 'maxAttempts'
  > {
  /** Powertools' table. */
  readonly tableName: string | undefined
  /** The old `keyPrefix`; without one, the name of the function that wrote the records (`AWS_LAMBDA_FUNCTION_NAME` there). */
  readonly keyPrefix: string | undefined
  /** Selects what `eventKeyJmesPath` selected: `jmespath('…')` of `alonce/jmespath` does. Default: the first argument, whole. */
  readonly payload?: ((...args: A) => unknown) | undefined
  /** Selects what `payloadValidationJmesPath` selected. Default: nothing is validated. */
  readonly validation?: ((...args: A) => unknown) | undefined
  /** Default: `md5`. */
  readonly hashFunction?: string | undefined
  /**
   * When the last old record has expired: the moment of the change plus the old `expiresAfterSeconds`. From then on the table is
   * not asked any more. Default: it is always asked, which costs one read for each call.
   */
  readonly until?: Date | undefined
  /** Default: `id`. */
  readonly keyAttr?: string | undefined
  /** With it, `staticPkValue` is needed. */
  readonly sortKeyAttr?: string | undefined
  /** Powertools' default was `idempotency#` and the name of the old function. */
  readonly staticPkValue?: string | undefined
  /** Default: `status`. */
  readonly statusAttr?: string | undefined
  /** Default: `expiration`. */
  readonly expiryAttr?: string | undefined
  /** Default: `in_progress_expiration`. */
  readonly inProgressExpiryAttr?: string | undefined
  /** Default: `data`. */
  readonly dataAttr?: string | undefined
  /** Default: `validation`. */
  readonly validationKeyAttr?: string | undefined
}

type Selection = (args: readonly unknown[]) => unknown

export interface ReaderSettings {
  readonly requests: Settings
  readonly keyPrefix: string
  readonly hashFunction: string
  readonly payload: Selection
  readonly validation: Selection | undefined
  readonly untilMs: number
  /** The primary key of the record with this id. */
  readonly address: (id: string) => { [name: string]: { S: string } }
  readonly names: AttributeNames
}

export interface AttributeNames {
  readonly status: string
  readonly expiry: string
  readonly inProgressExpiry: string
  readonly data: string
  readonly validation: string
}

/** @throws AlonceError `CONFIG_INVALID`, naming the option */
export function readerSettings<A extends readonly unknown[]>(options: PowertoolsReaderOptions<A>): ReaderSettings {
  const { tableName, client, clientConfig, runtime, requestTimeoutMs, totalTimeoutMs, maxAttempts } = options
  return {
    requests: dynamodbOptions({ tableName, client, clientConfig, runtime, requestTimeoutMs, totalTimeoutMs, maxAttempts }),
    keyPrefix: prefixOf(options.keyPrefix),
    hashFunction: hashFunctionOf(options.hashFunction ?? 'md5'),
    payload: selection('payload', options.payload) ?? (([first]) => first),
    validation: selection('validation', options.validation),
    untilMs: untilOf(options.until),
    address: addressing(options),
    names: {
      status: options.statusAttr ?? 'status',
      expiry: options.expiryAttr ?? 'expiration',
      inProgressExpiry: options.inProgressExpiryAttr ?? 'in_progress_expiration',
      data: options.dataAttr ?? 'data',
      validation: options.validationKeyAttr ?? 'validation',
    },
  }
}

/** A guess would look in vain for every record, and everything would run again: so there is no default. */
function prefixOf(keyPrefix: unknown): string {
  if (typeof keyPrefix === 'string') return keyPrefix.trim()
  throw configInvalid(
    'keyPrefix',
    'is required: the "keyPrefix" that the old code gave to Powertools or, if it gave none, the name of the Lambda function that wrote the records.',
  )
}

function hashFunctionOf(name: string): string {
  try {
    hash(name, '', 'base64')
    return name
  } catch {
    throw configInvalid('hashFunction', 'must be the name of a hash that Node knows, such as "md5" or "sha256".')
  }
}

function selection<A extends readonly unknown[]>(
  option: string,
  given: ((...args: A) => unknown) | undefined,
): Selection | undefined {
  const select = callable(option, given, 'a function of the arguments')
  return select && ((args) => select(...(args as A)))
}

function untilOf(until: Date | undefined): number {
  if (until === undefined) return Number.POSITIVE_INFINITY
  if (until instanceof Date && Number.isFinite(until.getTime())) return until.getTime()
  throw configInvalid('until', 'must be a Date.')
}

function addressing({ keyAttr = 'id', sortKeyAttr, staticPkValue }: PowertoolsReaderOptions<never>): ReaderSettings['address'] {
  if (sortKeyAttr === undefined) return (id) => ({ [keyAttr]: { S: id } })
  if (sortKeyAttr === keyAttr) throw configInvalid('sortKeyAttr', 'must differ from "keyAttr".')
  if (typeof staticPkValue === 'string') return (id) => ({ [keyAttr]: { S: staticPkValue }, [sortKeyAttr]: { S: id } })
  throw configInvalid(
    'staticPkValue',
    'is required with "sortKeyAttr": what the old code gave to Powertools or, if it gave none, "idempotency#" and the old function’s name.',
  )
}
