import { AlonceError, type ErrorCode } from '../store/errors.ts'

/**
 * Why an attempt can no longer act on its record.
 *
 * - `lost`: the store says that it is no longer ours; another attempt may be running;
 * - `expired`: the lease could not be renewed and is about to end;
 * - `uncertain`: a request was sent again and refused, and nobody knows what became of the first;
 * - `ended`: the attempt has come to its end.
 */
export type OperationEnd = 'lost' | 'expired' | 'uncertain' | 'ended'

/** The reason of an operation's `signal`, and what its handle throws when it is too late. */
export class OperationEndedError extends AlonceError {
  readonly reason: OperationEnd

  constructor(reason: OperationEnd, key: string) {
    super(CODE[reason], `This attempt ${SENTENCE[reason]}`, { key })
    this.reason = reason
  }
}

const CODE: { readonly [end in OperationEnd]: ErrorCode } = {
  lost: 'LOCK_LOST',
  expired: 'LEASE_EXPIRED',
  uncertain: 'OUTCOME_UNCERTAIN',
  ended: 'LEASE_EXPIRED',
}

const SENTENCE: { readonly [end in OperationEnd]: string } = {
  lost: 'has lost its record; another one may be running. Stop, and change nothing more.',
  expired: 'could not renew its lease, which is about to end; another one may begin. Stop, and change nothing more.',
  uncertain: 'may have lost its record: an answer of the store is missing. Stop, and change nothing more.',
  ended: 'has ended. Do the work that belongs to it before the function returns.',
}
