import { type Lease, leaseFor } from '../runtime/invocation.ts'
import type { Replies, Started } from '../store/command.ts'
import { AlonceError, isAlonceError } from '../store/errors.ts'
import type { Fence, RecordKey, StoredResult } from '../store/record.ts'
import type { Deadline } from './deadline.ts'
import type { Plan } from './options.ts'
import { beginStep, type Step, type Tell } from './telling.ts'
import { Patience, untilFree } from './waiting.ts'

/** One call, with everything that identifies it fixed: a handler that changes its event changes nothing of this. */
export interface Identity {
  readonly plan: Plan
  readonly key: RecordKey
  readonly fingerprint: string | undefined
  readonly label: string | undefined
  readonly deadline: Deadline
  readonly tell: Tell
}

export interface Claim {
  readonly kind: 'claimed'
  readonly owner: string
  readonly started: Started
  readonly lease: Lease
  /** Monotonic time at which the begin was sent: the lease can't end before `leaseMs` after it. */
  readonly sentAt: number
}

export type Claimed =
  | Claim
  | { readonly kind: 'completed'; readonly result: StoredResult; readonly fence: Fence }
  | { readonly kind: 'unavailable'; readonly error: AlonceError; readonly step: Step }

/** A begin is stale when somebody gave the record back after it was sent. More often than this in a row, something else is wrong. */
const MAX_STALE = 8

/**
 * Begins the operation, after waiting for a running attempt if need be. Never returns without a claim, an outcome, or the
 * store's failure to answer the first begin.
 *
 * @throws AlonceError `IN_PROGRESS`, `FINGERPRINT_MISMATCH`, and what a store throws
 */
export async function claim(identity: Identity): Promise<Claimed> {
  const { plan, tell } = identity
  const step = beginStep(plan.store.runtime.clock)
  const patience = new Patience(plan.store, identity.deadline.spare(plan.waitMs))
  try {
    const claimed = await attempt(identity, step, patience)
    if (patience.waited) tell('waited', step.measured())
    if (claimed.kind === 'claimed') tellClaim(identity, claimed, step)
    if (claimed.kind === 'completed') tell('replayed', { fence: claimed.fence, ...step.measured() })
    return claimed
  } catch (error) {
    if (patience.waited) tell('waited', step.measured())
    if (isAlonceError(error)) tellRefusal(tell, error, step)
    throw error
  }
}

async function attempt(identity: Identity, step: Step, patience: Patience): Promise<Claimed> {
  let refused = false
  for (let stale = 0; stale < MAX_STALE; ) {
    const sent = await sendBegin(identity, step, refused)
    if (sent.kind !== 'replied') return sent
    const { reply } = sent
    switch (reply.outcome) {
      case 'started':
        return { kind: 'claimed', owner: sent.owner, started: reply, lease: sent.lease, sentAt: sent.sentAt }
      case 'completed':
        return { kind: 'completed', result: reply.result, fence: reply.fence }
      case 'mismatch':
        throw mismatch(identity.key, reply.status)
      case 'in-progress':
        refused = true
        await untilFree(identity.key, reply, { step, patience })
        break
      case 'stale':
        stale++
        break
    }
  }
  const message = `The record was given back ${MAX_STALE} times while this call was beginning. Try again later.`
  throw new AlonceError('STORE_UNAVAILABLE', message, { key: identity.key })
}

type Sent =
  | {
      readonly kind: 'replied'
      readonly reply: Replies['once.begin']
      readonly owner: string
      readonly lease: Lease
      readonly sentAt: number
    }
  | { readonly kind: 'unavailable'; readonly error: AlonceError; readonly step: Step }

async function sendBegin(identity: Identity, step: Step, refused: boolean): Promise<Sent> {
  const { plan, key, fingerprint, label, deadline } = identity
  const { store } = plan
  const owner = store.runtime.random.id()
  const lease = wholeLease(leaseFor(plan.leaseMs, deadline.remaining(), store.capabilities.minLeaseMs))
  const sentAt = store.runtime.clock.monotonic()
  const { leaseMs } = lease
  try {
    const reply = await store.execute(
      { type: 'once.begin', key, owner, leaseMs, retainMs: plan.retainMs, fingerprint, hold: plan.hold, label },
      { onRequest: step.onRequest, timeoutMs: requestTime(deadline) },
    )
    return { kind: 'replied', reply, owner, lease, sentAt }
  } catch (error) {
    if (!isAlonceError(error, 'STORE_UNAVAILABLE')) throw error
    if (error.maybeApplied !== false) await giveBackUnseen(identity, owner, step)
    // Another attempt is known to run, or to have run: without the store, not even a user who prefers availability is served.
    if (refused) throw error
    return { kind: 'unavailable', error, step }
  }
}

/** Clocks count in fractions of a millisecond, and records in whole ones: an invocation's remaining time is rounded up. */
const wholeLease = (lease: Lease): Lease => ({ ...lease, leaseMs: Math.ceil(lease.leaseMs) })

/** Nobody may wait for an attempt that will never run. A begin that is still under way can't be caught: its lease will end. */
async function giveBackUnseen(identity: Identity, owner: string, step: Step): Promise<void> {
  const { plan, key, deadline } = identity
  const options = { onRequest: step.onRequest, timeoutMs: Math.max(SHORTEST_REQUEST_MS, deadline.spare(GIVE_BACK_MS)) }
  await plan.store.execute({ type: 'once.abandon', key, owner }, options).catch(() => undefined)
}

const GIVE_BACK_MS = 1000
const SHORTEST_REQUEST_MS = 100

/** The time for one request: what the invocation can spare; the store's own bound where there is no invocation. */
export function requestTime(deadline: Deadline): number | undefined {
  if (deadline.remaining() === undefined) return undefined
  return Math.max(SHORTEST_REQUEST_MS, deadline.spare(Number.POSITIVE_INFINITY))
}

function tellClaim({ tell }: Identity, { started }: Claim, step: Step): void {
  const { fence, attempt: number, tookOver } = started
  tell(tookOver ? 'took-over' : 'started', { fence, attempt: number, ...step.measured() })
}

function tellRefusal(tell: Tell, error: AlonceError, step: Step): void {
  const event = error.code === 'FINGERPRINT_MISMATCH' ? 'mismatch' : 'rejected'
  tell(event, { code: error.code, holder: error.holder, fence: error.fence, ...step.measured() })
}

function mismatch(key: RecordKey, status: 'in-progress' | 'completed'): AlonceError {
  const what = status === 'completed' ? 'has been completed' : 'is in progress'
  const message = `This idempotency key was used with another payload, and that request ${what}. Send a new request under a new key.`
  return new AlonceError('FINGERPRINT_MISMATCH', message, { key })
}
