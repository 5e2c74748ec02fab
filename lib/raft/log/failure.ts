/**
 * - `LOG_DAMAGED`: bytes that were durable are not what was written. Nothing was changed.
 * - `LOG_FOREIGN`: the files belong to another cluster or member, or were written by another version.
 * - `LOG_MISSING`: the disk is empty though this member has been at work before.
 * - `LOG_FULL`: no room. Nothing of the batch counts; the log can be read, and written again when there is room.
 * - `LOG_DEAD`: the disk failed, and what it holds is unknown. Only a new process that reads everything again can tell.
 */
export type LogFailureCode = 'LOG_DAMAGED' | 'LOG_FOREIGN' | 'LOG_MISSING' | 'LOG_FULL' | 'LOG_DEAD'

/** Where and what, for the operator. */
export interface Place {
  readonly file: string
  readonly offset: number
  readonly what: string
}

/** A refusal to start: the decision as a value, for a caller that knows how to go on (see `recover`). */
export interface Refusal {
  readonly code: 'LOG_DAMAGED' | 'LOG_FOREIGN' | 'LOG_MISSING'
  readonly place?: Place | undefined
  /** `peers`: the other members still have it all; this one must come back under a new id (its votes may be lost). */
  readonly repair: 'peers' | 'none'
  readonly wayOut: string
}

/** Everything that the log throws on purpose; check `code`. */
export class LogFailure extends Error {
  override readonly name = 'LogFailure'
  readonly code: LogFailureCode
  readonly refusal: Refusal | undefined

  constructor(code: LogFailureCode, message: string, details: { cause?: unknown; refusal?: Refusal } = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined)
    this.code = code
    this.refusal = details.refusal
  }
}

export const isLogFailure = (error: unknown, code?: LogFailureCode): error is LogFailure =>
  error instanceof LogFailure && (code === undefined || error.code === code)

export function refused(refusal: Refusal): LogFailure {
  const { place } = refusal
  const where = place ? `${place.file}, offset ${place.offset}: ${place.what}. ` : ''
  return new LogFailure(refusal.code, `${where}${refusal.wayOut}`, { refusal })
}

const REJOIN =
  'Nothing was changed. Do not delete single files: remove this member from the cluster, empty its directory, and add it again ' +
  'under a new member id, so that the others send it everything (a cluster of one is restored from its backup).'

export const damaged = (file: string, offset: number, what: string): Refusal => ({
  code: 'LOG_DAMAGED',
  place: { file, offset, what },
  repair: 'peers',
  wayOut: REJOIN,
})

export const foreign = (place: Place, wayOut: string): Refusal => ({ code: 'LOG_FOREIGN', place, repair: 'none', wayOut })

export const missing: Refusal = {
  code: 'LOG_MISSING',
  repair: 'peers',
  wayOut:
    'The directory holds no log. If this member id was never used, start it as new once; else mount the right disk, or remove ' +
    'the member from the cluster and add it again under a new member id: under the old one it would forget its votes.',
}

/** The caller broke the log's rules: a bug, not an outcome. */
export function demand(holds: boolean, message: () => string): asserts holds {
  if (!holds) throw new Error(`The log was used wrongly, please report it: ${message()}`)
}
