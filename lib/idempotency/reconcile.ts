import { configInvalid } from '../store/errors.ts'
import type { Fence } from '../store/record.ts'
import { checkedName } from './handle.ts'
import { downstreamKeyOf } from './key.ts'
import type { OperationSignal } from './lease.ts'
import type { Begun } from './operation.ts'
import { type Attempt, runningOf } from './running.ts'
import { beginStep, type Details } from './telling.ts'
import { unresolved } from './waiting.ts'

/** An attempt whose lease has ended without an outcome. What it has done is to be found out. */
export interface CrashedAttempt {
  /** The record's key: the operation's name, and a hash of scope and key. */
  readonly key: string
  readonly attempt: number
  readonly fence: Fence
  /** What it had checkpointed, or attempts before it. */
  readonly checkpoints: { readonly [name: string]: unknown }
  /** Aborts when the finding out takes longer than its own lease. */
  readonly signal: OperationSignal
  /** The key under which it has asked another system: ask that one what became of it. */
  downstreamKey(name: string): string
}

/**
 * - `retry`: it has done nothing that a new attempt would do twice: the function runs;
 * - `{ result }`: it was done, and this is what callers get;
 * - `{ error }`: it has failed for good, and this is what callers get thrown;
 * - `hold`: it can't be told yet. Callers get `IN_PROGRESS`; when this lease has ended, the next one asks again.
 */
export type Decision = 'retry' | 'hold' | { readonly result: unknown } | { readonly error: unknown }

export type Reconcile = (crashed: CrashedAttempt) => Decision | Promise<Decision>

/**
 * Has `decide` say what became of the attempt that this one has taken over. One owner at a time does that, under a fence and a
 * lease of its own. What it throws is the call's error, and the record stays held.
 *
 * @throws AlonceError `IN_PROGRESS` for `hold`, `RECORD_UNREADABLE`; OperationEndedError; and whatever `decide` throws
 */
export async function reconcile(attempt: Attempt, decide: Reconcile): Promise<Begun> {
  const decision = await decisionOf(attempt, decide)
  if (decision === 'retry') {
    if (attempt.keeper.over) throw attempt.keeper.endedError()
    return { kind: 'run', running: runningOf(attempt) }
  }
  if (decision === 'hold') {
    attempt.stop()
    throw unresolved(attempt.identity.key, { fence: attempt.claim.started.fence, label: attempt.identity.label })
  }
  if ('result' in decision) return { kind: 'replay', value: await attempt.complete(decision.result) }
  await attempt.failForGood(decision.error)
  return { kind: 'rethrow', error: decision.error }
}

async function decisionOf(attempt: Attempt, decide: Reconcile): Promise<Decision> {
  const { tell, plan } = attempt.identity
  const { fence, attempt: number } = attempt.claim.started
  const step = beginStep(plan.store.runtime.clock)
  const details = (reason?: string): Details => ({ fence, attempt: number, reason, ...step.measured() })
  try {
    const decision = checked(await decide(await describe(attempt)))
    tell('reconciled', details(typeof decision === 'string' ? decision : Object.keys(decision)[0]))
    return decision
  } catch (error) {
    // Nobody knows yet, so nothing is given back.
    tell('reconcile-failed', details())
    attempt.stop()
    throw error
  }
}

async function describe({ identity, claim, checkpoints, keeper }: Attempt): Promise<CrashedAttempt> {
  const { key } = identity
  const { crashed, epoch, retired } = claim.started
  return {
    key,
    attempt: crashed?.attempt ?? 0,
    fence: crashed?.fence ?? (0 as Fence),
    checkpoints: await checkpoints.left(),
    signal: keeper.signal,
    downstreamKey: (name) => {
      const generation = Object.hasOwn(retired, checkedName(name)) ? (retired[name] ?? 0) : 0
      return downstreamKeyOf({ record: key, epoch, name, generation })
    },
  }
}

function checked(decision: Decision): Decision {
  if (decision === 'retry' || decision === 'hold') return decision
  const known = typeof decision === 'object' && decision !== null && ('result' in decision || 'error' in decision)
  if (known) return decision
  throw configInvalid('onCrash', 'has a reconcile function that must return "retry", "hold", { result } or { error }.')
}
