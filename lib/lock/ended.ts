import { AlonceError, type ErrorCode } from '../store/errors.ts'

/**
 * Why a handle is over.
 *
 * - `lost`: the store says that it is no longer ours; another may hold it;
 * - `expired`: our own reading of the store's clock says that the lease has ended, or may have;
 * - `uncertain`: a renewal was sent again and refused, and nobody knows what became of the first;
 * - `released`: we gave it back;
 * - `deadline`: the invocation is about to end.
 */
export type LockEnd = 'lost' | 'expired' | 'uncertain' | 'released' | 'deadline'

const CODE: { readonly [end in LockEnd]: ErrorCode } = {
  lost: 'LOCK_LOST',
  expired: 'LEASE_EXPIRED',
  uncertain: 'OUTCOME_UNCERTAIN',
  released: 'LOCK_LOST',
  deadline: 'LEASE_EXPIRED',
}

const SENTENCE: { readonly [end in LockEnd]: string } = {
  lost: 'is no longer ours, and another may hold it. Stop what it protects, and let the resource check the fence.',
  expired: 'had its lease end before it could be renewed. Stop what it protects; use a longer leaseMs if this is not rare.',
  uncertain: 'may have been lost: a renewal was refused after one without an answer. Stop what it protects.',
  released: 'was released by this holder. Do the work that it protects before the release.',
  deadline: 'is given up because the invocation is about to end. Stop, or leave the rest to the next invocation.',
}

/** The reason of a lock's `signal`, and what `assertHeld()` throws. */
export class LockEndedError extends AlonceError {
  readonly reason: LockEnd

  constructor(reason: LockEnd, lock: { readonly name: string; readonly fence: number }) {
    const { name, fence } = lock
    super(CODE[reason], `The lock "${name}" (fence ${fence}) ${SENTENCE[reason]}`, { key: name, fence })
    this.reason = reason
  }
}
