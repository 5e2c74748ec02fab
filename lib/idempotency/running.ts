import type { OnceEventName } from '../events/events.ts'
import { sleep } from '../runtime/runtime.ts'
import type { Replies } from '../store/command.ts'
import { AlonceError, InvariantError, isAlonceError } from '../store/errors.ts'
import type { StoredResult } from '../store/record.ts'
import { type Claim, claim, type Identity, requestTime } from './claim.ts'
import { LeaseKeeper } from './lease.ts'
import type { FailurePolicy } from './options.ts'
import { recall, storedError, storedValue, type UnstorableCode, unstorable } from './outcome.ts'
import { beginStep, type Details, type Step } from './telling.ts'

/** How long the caller's answer may be held up by a completion that the store does not take. */
const COMPLETION_PATIENCE_MS = 10_000
const COMPLETION_PAUSE_MS = 100
const LONGEST_COMPLETION_PAUSE_MS = 2000

type Completion = Replies['once.complete']['outcome']

/** One attempt that owns its record, from its beginning to its only end. Nothing of it is shared with another. */
export class Attempt {
  readonly identity: Identity
  readonly claim: Claim
  readonly keeper: LeaseKeeper
  readonly #life: Step
  #ended = false

  constructor(identity: Identity, claimed: Claim) {
    const { plan, key, tell } = identity
    const { owner, lease, sentAt, started } = claimed
    this.identity = identity
    this.claim = claimed
    this.#life = beginStep(plan.store.runtime.clock)
    const { fence, expiresAtMs } = started
    this.keeper = new LeaseKeeper({ store: plan.store, key, owner, fence, lease, sentAt, tell, expiresAtMs })
  }

  stop(): void {
    this.keeper.stop('ended')
  }

  /** See `Running.complete`. */
  async complete(value: unknown): Promise<unknown> {
    if (this.#ended) return value
    this.#ended = true
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
    const step = this.#step()
    if (this.#policy(error) === 'store') await this.#record(storedError(error), step).catch(() => undefined)
    else await this.#abandon(step)
  }

  /** See `Running.giveBack`. */
  async giveBack(): Promise<void> {
    if (this.#ended) return
    this.#ended = true
    await this.#abandon(this.#step())
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
      const outcome = await this.#send(result, step)
      this.#tellCompletion(outcome, step, code)
      return outcome
    } catch (error) {
      if (error instanceof InvariantError) throw error
      // The store's own limit may be lower than it says.
      if (isAlonceError(error, 'RESULT_TOO_LARGE') && code === undefined) return this.#unstorable('RESULT_TOO_LARGE', step)
      this.#tell('completion-failed', step, { code: isAlonceError(error) ? error.code : undefined })
      return 'failed'
    } finally {
      this.keeper.stop('ended')
    }
  }

  #tellCompletion(outcome: Completion, step: Step, code: UnstorableCode | undefined): void {
    const { durationMs } = this.#life.measured()
    if (outcome === 'completed') this.#tell('completed', step, { code, durationMs })
    if (outcome === 'uncertain') this.#tell('completion-failed', step, { reason: 'uncertain', code: 'OUTCOME_UNCERTAIN' })
    if (outcome === 'lost') this.#tellLoss(step)
  }

  #tellLoss(step: Step): void {
    if (this.keeper.end !== 'lost') this.#tell('lost', step, { reason: 'lost', code: 'LOCK_LOST' })
    this.keeper.stop('lost')
  }

  #tell(event: OnceEventName, step: Step, details: Details = {}): void {
    const { fence, attempt } = this.claim.started
    this.identity.tell(event, { fence, attempt, ...step.measured(), ...details })
  }

  /** Sends the completion until there is an answer, as long as the lease, the invocation and the caller's patience allow. */
  async #send(result: StoredResult, step: Step): Promise<Completion> {
    const { plan, key, deadline } = this.identity
    const { store } = plan
    const command = { type: 'once.complete', key, owner: this.claim.owner, result, retainMs: plan.retainMs } as const
    const firstSentAtMs = store.now().latest
    const until = store.runtime.clock.monotonic() + COMPLETION_PATIENCE_MS
    let resent = false
    for (let tries = 0; ; tries++) {
      try {
        const options = { resent, firstSentAtMs, onRequest: step.onRequest, timeoutMs: requestTime(deadline) }
        return (await store.execute(command, options)).outcome
      } catch (error) {
        if (!isAlonceError(error, 'STORE_UNAVAILABLE')) throw error
        resent ||= error.maybeApplied !== false
        const pause = Math.min(LONGEST_COMPLETION_PAUSE_MS, COMPLETION_PAUSE_MS * 2 ** tries)
        const left = Math.min(until - store.runtime.clock.monotonic(), this.keeper.leftMs())
        if (pause > deadline.spare(left)) throw error
        await sleep(store.runtime.timer, pause)
      }
    }
  }

  /** Gives the record back. Never throws: the claim then stays until its lease ends. */
  async #abandon(step: Step, code?: UnstorableCode): Promise<void> {
    const { plan, key, deadline } = this.identity
    this.keeper.rest()
    try {
      const options = { onRequest: step.onRequest, timeoutMs: requestTime(deadline) }
      const { outcome } = await plan.store.execute({ type: 'once.abandon', key, owner: this.claim.owner }, options)
      if (outcome === 'lost') this.#tellLoss(step)
      else this.#tell('abandoned', step, { code, reason: outcome === 'abandoned' ? undefined : outcome })
    } catch (error) {
      this.#tell('abandon-failed', step, { code: isAlonceError(error) ? error.code : undefined })
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
    const completed = record?.kind === 'once' && record.status === 'completed'
    const found = completed ? await this.#fetchCompleted().catch(() => undefined) : undefined
    const outcome = found && (await recall(found, plan.codec, key))
    if (outcome) this.identity.tell('replayed', { reason: 'lost' })
    if (outcome?.kind === 'replay') return outcome.value
    if (outcome?.kind === 'rethrow') throw outcome.error
    const message =
      'This attempt finished when the record was no longer its own: its lease had ended, and another attempt may have run, whose outcome is not known yet. Call again under the same key to get the outcome that counts.'
    throw new AlonceError('OUTCOME_UNCERTAIN', message, { key })
  }

  /** By a begin that is refused: only that brings a large result along. */
  async #fetchCompleted(): Promise<StoredResult | undefined> {
    const silent = { ...this.identity, tell: () => undefined, plan: { ...this.identity.plan, waitMs: 0, hold: false } }
    const claimed = await claim(silent)
    if (claimed.kind === 'completed') return claimed.result
    // Its retention ended in between: this call has had its run.
    if (claimed.kind === 'claimed') {
      await silent.plan.store.execute({ type: 'once.abandon', key: silent.key, owner: claimed.owner })
    }
    return undefined
  }
}
