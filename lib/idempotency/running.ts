import type { OnceEventName } from '../events/events.ts'
import type { Replies } from '../store/command.ts'
import { AlonceError, InvariantError, isAlonceError } from '../store/errors.ts'
import type { StoredResult } from '../store/record.ts'
import type { TransactItem } from '../store/transaction.ts'
import { Checkpoints } from './checkpoints.ts'
import { type Claim, type Identity, requestTime } from './claim.ts'
import { handleOf } from './handle.ts'
import { LeaseKeeper } from './lease.ts'
import type { Running } from './operation.ts'
import type { FailurePolicy } from './options.ts'
import { recall, storedError, storedValue, type UnstorableCode, unstorable } from './outcome.ts'
import { persist } from './persist.ts'
import { beginStep, type Details, type Step } from './telling.ts'
import { type Settlement, settle } from './transacting.ts'

type Completion = Replies['once.complete']['outcome']

/** One attempt that owns its record, from its beginning to its only end. Nothing of it is shared with another. */
export class Attempt {
  readonly identity: Identity
  readonly claim: Claim
  readonly keeper: LeaseKeeper
  readonly #life: Step
  #checkpoints: Checkpoints | undefined
  #ended = false
  #transaction: Promise<Settlement> | undefined
  #settlement: Settlement | undefined

  constructor(identity: Identity, claimed: Claim) {
    const { plan, key, tell } = identity
    const { owner, lease, sentAt, started } = claimed
    this.identity = identity
    this.claim = claimed
    this.#life = beginStep(plan.store.runtime.clock)
    const { fence, expiresAtMs } = started
    this.keeper = new LeaseKeeper({ store: plan.store, key, owner, fence, lease, sentAt, tell, expiresAtMs })
  }

  get checkpoints(): Checkpoints {
    this.#checkpoints ??= new Checkpoints(this)
    return this.#checkpoints
  }

  /** See `Operation.transact`. */
  async transact<R>(items: readonly TransactItem[], result: R): Promise<R> {
    if (this.keeper.over || this.#transaction !== undefined) throw this.keeper.endedError()
    this.#transaction = settle(this, items, result)
    try {
      this.#settlement = await this.#transaction
    } finally {
      this.#transaction = undefined
    }
    if (this.#settlement.as === 'completed') return result
    throw this.#settlement.error
  }

  stop(): void {
    this.keeper.stop('ended')
  }

  /** See `Running.complete`. */
  async complete(value: unknown): Promise<unknown> {
    if (this.#ended) return value
    this.#ended = true
    const settlement = this.#transaction || this.#settlement ? await this.#settled() : undefined
    if (settlement?.as === 'completed') return settlement.value
    if (settlement) return this.#successorsOutcome()
    const step = this.#step()
    const result = await this.#encoded(value)
    const outcome = typeof result === 'string' ? await this.#unstorable(result, step) : await this.#record(result, step)
    if (outcome !== 'lost') return value
    return this.#successorsOutcome()
  }

  /** See `Running.fail`. */
  async fail(error: unknown): Promise<void> {
    if (this.#ended) return
    this.#ended = true
    const settlement = await this.#settled()
    const step = this.#step()
    if (!settlement && this.#policy(error) === 'store') await this.#record(storedError(error), step).catch(() => undefined)
    // After it, a transaction that is still on its way is refused.
    else if (settlement?.as !== 'completed' && settlement?.as !== 'lost') await this.#abandon(step)
  }

  /** The error is final, whatever the policy. Never throws. */
  async failForGood(error: unknown): Promise<void> {
    if (this.#ended) return
    this.#ended = true
    await this.#record(storedError(error), this.#step()).catch(() => undefined)
  }

  /** See `Running.giveBack`. */
  async giveBack(): Promise<void> {
    if (this.#ended) return
    this.#ended = true
    await this.#abandon(this.#step())
  }

  /** What the attempt's transaction has made of it, one that the function did not wait for too. */
  async #settled(): Promise<Settlement | undefined> {
    if (this.#transaction !== undefined) await this.#transaction.catch(() => undefined)
    if (this.#settlement) this.keeper.stop('ended')
    return this.#settlement
  }

  #step(): Step {
    return beginStep(this.identity.plan.store.runtime.clock)
  }

  #policy(error: unknown): FailurePolicy {
    try {
      return this.identity.plan.failure(error)
    } catch {
      // The handler's own error matters more than that of the function that judges it.
      return 'retry'
    }
  }

  async #encoded(value: unknown): Promise<StoredResult | UnstorableCode> {
    const { codec, store } = this.identity.plan
    try {
      return await storedValue(value, codec, store.capabilities.maxResultBytes)
    } catch (error) {
      return isAlonceError(error, 'RESULT_TOO_LARGE') ? 'RESULT_TOO_LARGE' : 'RESULT_NOT_SERIALIZABLE'
    }
  }

  /** It has run, and there will be nothing to replay. */
  async #unstorable(code: UnstorableCode, step: Step): Promise<Completion | 'failed'> {
    if (this.identity.plan.onUnstorableResult === 'keep') return this.#record(unstorable(code), step, code)
    await this.#abandon(step, code)
    return 'failed'
  }

  /** Writes the completion and tells what came of it. Never throws but for a broken invariant. */
  async #record(result: StoredResult, step: Step, code?: UnstorableCode): Promise<Completion | 'failed'> {
    this.keeper.rest()
    try {
      const { plan, key } = this.identity
      const traced = { ...result, traceparent: this.identity.traceparent }
      const command = { type: 'once.complete', key, owner: this.claim.owner, result: traced, retainMs: plan.retainMs } as const
      const { outcome } = await persist(this, step, (options) => plan.store.execute(command, options))
      this.#tellCompletion(outcome, step, code)
      return outcome
    } catch (error) {
      if (error instanceof InvariantError) throw error
      // The store's own limit may be lower than it says.
      if (isAlonceError(error, 'RESULT_TOO_LARGE') && code === undefined) return this.#unstorable('RESULT_TOO_LARGE', step)
      this.tell('completion-failed', step, { code: isAlonceError(error) ? error.code : undefined })
      return 'failed'
    } finally {
      this.keeper.stop('ended')
    }
  }

  #tellCompletion(outcome: Completion, step: Step, code: UnstorableCode | undefined): void {
    if (outcome === 'completed') this.tell('completed', step, { code, durationMs: this.heldMs() })
    if (outcome === 'uncertain') this.tell('completion-failed', step, { reason: 'uncertain', code: 'OUTCOME_UNCERTAIN' })
    if (outcome === 'lost') this.#tellLoss(step)
  }

  #tellLoss(step: Step): void {
    if (this.keeper.end !== 'lost') this.tell('lost', step, { reason: 'lost', code: 'LOCK_LOST' })
    this.keeper.stop('lost')
  }

  /** How long the attempt has owned its record. */
  heldMs(): number {
    return this.#life.measured().durationMs
  }

  tell(event: OnceEventName, step: Step, details: Details = {}): void {
    const { fence, attempt } = this.claim.started
    this.identity.tell(event, { fence, attempt, ...step.measured(), ...details })
  }

  /** Gives the record back. Never throws: the claim then stays until its lease ends. */
  async #abandon(step: Step, code?: UnstorableCode): Promise<void> {
    const { plan, key, deadline } = this.identity
    this.keeper.rest()
    try {
      const options = { onRequest: step.onRequest, timeoutMs: requestTime(deadline) }
      const { outcome } = await plan.store.execute({ type: 'once.abandon', key, owner: this.claim.owner }, options)
      if (outcome === 'lost') this.#tellLoss(step)
      else this.tell('abandoned', step, { code, reason: outcome === 'abandoned' ? undefined : outcome })
    } catch (error) {
      this.tell('abandon-failed', step, { code: isAlonceError(error) ? error.code : undefined })
    } finally {
      this.keeper.stop('ended')
    }
  }

  /**
   * This attempt ran past its lease, and a newer one owns the record. What that one has stored is what every other caller
   * gets, so this caller gets it too.
   *
   * @throws AlonceError `OUTCOME_UNCERTAIN` when it has stored nothing yet
   */
  async #successorsOutcome(): Promise<unknown> {
    const { plan, key } = this.identity
    const record = await plan.store.read(key).catch(() => undefined)
    const found = record?.kind === 'once' && record.status === 'completed' ? record.result : undefined
    const outcome = found && (await recall(found, plan.codec, key))
    if (outcome) this.identity.tell('replayed', { reason: 'lost', traceparent: found?.traceparent })
    if (outcome?.kind === 'replay') return outcome.value
    if (outcome?.kind === 'rethrow') throw outcome.error
    const message =
      'This attempt finished when the record was no longer its own: its lease had ended, and another attempt may have run, whose outcome is not known yet. Call again under the same key to get the outcome that counts.'
    throw new AlonceError('OUTCOME_UNCERTAIN', message, { key })
  }
}

export function runningOf(attempt: Attempt): Running {
  return {
    handle: handleOf(attempt),
    complete: (value) => attempt.complete(value),
    fail: (error) => attempt.fail(error),
    giveBack: () => attempt.giveBack(),
    stop: () => attempt.stop(),
  }
}
