import { type IdempotencyOptions, type Plan, planOf } from '../idempotency/options.ts'
import type { LambdaContext } from '../runtime/invocation.ts'
import { configInvalid } from '../store/errors.ts'
import { callable, wholeNumber } from '../store/option.ts'

/** As for `makeIdempotent`, with `key`, `scope` and `fingerprint` as functions of the record. Results of records are not kept. */
export interface BatchOptions<R> extends Omit<IdempotencyOptions<[record: R]>, 'codec' | 'onUnstorableResult'> {
  /** How many records run at once, 1 to 1000. Default: 10. */
  readonly concurrency?: number | undefined
  /**
   * No record is started with less than this left of the invocation, in milliseconds: it is returned as failed and delivered
   * again. Give it what a record takes, and the function never dies in the middle of one. Default: 1000.
   */
  readonly minRemainingMs?: number | undefined
  /** Told of each record that is returned as failed. Default: a line of JSON on the console, with the error's name and message. */
  readonly onRecordFailure?: ((failure: RecordFailure<R>) => void) | undefined
}

export interface RecordFailure<R> {
  readonly record: R
  /** As it is returned to Lambda. */
  readonly itemIdentifier: string
  /**
   * `failed`: see `error`. `behind-failure`: an earlier record of its group or key has failed. `out-of-time`: the invocation is
   * about to end.
   */
  readonly reason: 'failed' | 'behind-failure' | 'out-of-time'
  /** What the handler threw, or why Alonce did not run it: `IN_PROGRESS`, `KEY_MISSING`, … */
  readonly error?: unknown
}

export type RecordHandler<R, C extends LambdaContext> = (record: R, context: C) => unknown

/** The options, checked once, with their defaults. */
export interface BatchSettings<R> {
  readonly plan: Plan
  readonly concurrency: number
  readonly minRemainingMs: number
  readonly onRecordFailure: (failure: RecordFailure<R>) => void
}

const MOST_AT_ONCE = 1000
const LONGEST_MS = 900_000
const NOT_HERE = ['codec', 'onUnstorableResult']

/** @throws AlonceError `CONFIG_INVALID`, naming the option */
export function batchSettings<R>(options: BatchOptions<R>): BatchSettings<R> {
  if (typeof options !== 'object' || options === null) throw configInvalid('options', 'must be an object.')
  const { concurrency = 10, minRemainingMs = 1000, onRecordFailure, ...rest } = options
  for (const name of NOT_HERE) {
    if (name in rest) throw configInvalid(name, 'is not an option of a batch: the results of records are not kept.')
  }
  wholeNumber('concurrency', concurrency, [1, MOST_AT_ONCE])
  wholeNumber('minRemainingMs', minRemainingMs, [0, LONGEST_MS])
  callable('onRecordFailure', onRecordFailure, 'a function of a failure')
  const plan = planOf(rest)
  return { plan, concurrency, minRemainingMs, onRecordFailure: onRecordFailure ?? printing(plan) }
}

export function checkHandler(handler: unknown): void {
  if (typeof handler !== 'function') throw configInvalid('recordHandler', 'must be a function of a record.')
}

/** A batch that answers swallows its errors, and Lambda reports none of them: without a listener they would be lost. */
function printing<R>(plan: Plan): (failure: RecordFailure<R>) => void {
  return ({ itemIdentifier, reason, error }) => {
    const { name, message } = error instanceof Error ? error : { name: undefined, message: error && String(error) }
    console.warn(JSON.stringify({ alonce: 'record-failed', operation: plan.operation, itemIdentifier, reason, name, message }))
  }
}
