import { freezeDeadline } from '../idempotency/deadline.ts'
import { onceKey } from '../idempotency/key.ts'
import { beginOperation, runWithin } from '../idempotency/operation.ts'
import type { Plan } from '../idempotency/options.ts'
import type { LambdaContext } from '../runtime/invocation.ts'
import { AlonceError, isAlonceError } from '../store/errors.ts'
import { runInLanes, type Task, type Verdict } from './batch-loop.ts'
import type { BatchSettings, RecordFailure, RecordHandler } from './batch-options.ts'
import { readingFirst } from './batch-read-first.ts'

/** What Lambda wants to hear, when the trigger reports batch item failures. */
export interface BatchResponse {
  readonly batchItemFailures: { readonly itemIdentifier: string }[]
}

/** What a queue or stream says of its records. Records come from outside: each answer may be missing. */
export interface Source<R> {
  /** The name under which a record is returned as failed. */
  identifier(record: R): string | undefined
  /** Records of one group run in order; `undefined`: alone. */
  group(record: R): string | undefined
  /** Whether it was delivered before, as far as the source says. */
  isRetry(record: R): boolean
}

export interface Batch<R, C extends LambdaContext> {
  readonly source: Source<R>
  readonly settings: BatchSettings<R>
  readonly handler: RecordHandler<R, C>
}

/** Runs each record of the event, and resolves to those that failed, in the order of the batch. */
export async function runBatch<R, C extends LambdaContext>(
  batch: Batch<R, C>,
  event: { readonly Records: readonly R[] },
  context: C,
): Promise<readonly RecordFailure<R>[]> {
  const records = recordsOf(event)
  const { plan, concurrency, minRemainingMs } = batch.settings
  const deadline = freezeDeadline(plan.store.runtime.clock, context)
  const mayStart = (): boolean => (deadline.remaining() ?? Number.POSITIVE_INFINITY) > minRemainingMs
  const tasks = records.map((record) => taskOf(batch, record, context))
  const verdicts = await runInLanes(tasks, { concurrency, mayStart })
  const failures = verdicts.flatMap((verdict, index) => failureOf(batch, records[index] as R, verdict))
  for (const failure of failures) tell(batch.settings, failure)
  return failures
}

function recordsOf<R>(event: { readonly Records: readonly R[] }): readonly R[] {
  if (Array.isArray(event?.Records)) return event.Records
  const message = 'The event has no Records: a batch handler belongs behind a queue or a stream, and gets its events as they are.'
  throw new AlonceError('CONFIG_INVALID', message, { option: 'event' })
}

/** Everything that identifies the record is fixed here, before any handler runs: what handlers do to records changes nothing. */
function taskOf<R, C extends LambdaContext>({ source, settings, handler }: Batch<R, C>, record: R, context: C): Task {
  if (typeof record !== 'object' || record === null) return { lanes: [], run: () => Promise.reject(malformed()) }
  const plan = fixedPlan(settings.plan, record)
  const group = source.group(record)
  const key = knownKey(plan)
  const lanes = [group === undefined ? undefined : `group ${group}`, key && `key ${key}`].filter((lane) => lane !== undefined)
  const run = (): Promise<void> =>
    runRecord(source.isRetry(record) ? { ...plan, store: readingFirst(plan.store) } : plan, context, () =>
      handler(record, context),
    )
  return { lanes, run }
}

const malformed = (): AlonceError => new AlonceError('KEY_INVALID', 'A record of the batch is not an object.')

function fixedPlan(plan: Plan, record: unknown): Plan {
  const { key, scope, fingerprint } = plan
  return {
    ...plan,
    key: fixed(() => key([record])),
    scope: scope && fixed(() => scope([record])),
    fingerprint: fingerprint && fixed(() => fingerprint([record])),
  }
}

/** Asks now, and answers or throws the same ever after. */
function fixed<T>(ask: () => T): () => T {
  try {
    const value = ask()
    return () => value
  } catch (error) {
    return () => {
      throw error
    }
  }
}

/** What duplicates in one batch have in common. A record without a key, or with a wrong one, says so when it is begun. */
function knownKey({ operation, key, scope }: Plan): string | undefined {
  try {
    return onceKey(operation, scope ? { key: key([]), scope: scope([]) } : { key: key([]) })
  } catch {
    return undefined
  }
}

/** Its result is not kept: nobody is there to get it, and a record without one is small. */
async function runRecord(plan: Plan, context: LambdaContext, handle: () => unknown): Promise<void> {
  const begun = await beginOperation(plan, { args: [], context })
  switch (begun.kind) {
    case 'replay':
      return
    case 'rethrow':
      // Kept by another entrance, and it has run: that there is no result to replay is no news for a queue.
      if (isAlonceError(begun.error, 'RESULT_TOO_LARGE') || isAlonceError(begun.error, 'RESULT_NOT_SERIALIZABLE')) return
      throw begun.error
    case 'unprotected':
      await runWithin(begun.handle, handle)
      return
    case 'run': {
      const { running } = begun
      try {
        await runWithin(running.handle, handle)
      } catch (error) {
        await running.fail(error)
        throw error
      }
      await running.complete(undefined)
    }
  }
}

function failureOf<R, C extends LambdaContext>({ source }: Batch<R, C>, record: R, verdict: Verdict): RecordFailure<R>[] {
  if (verdict.as === 'done') return []
  const named = typeof record === 'object' && record !== null ? source.identifier(record) : undefined
  // Lambda takes an empty name for "the whole batch": whoever can't be named must not be taken for done.
  const itemIdentifier = typeof named === 'string' ? named : ''
  return [{ record, itemIdentifier, reason: verdict.as, ...('error' in verdict ? { error: verdict.error } : {}) }]
}

/** A listener that throws must not turn done records into failed ones. */
function tell<R>({ onRecordFailure }: BatchSettings<R>, failure: RecordFailure<R>): void {
  try {
    onRecordFailure(failure)
  } catch (error) {
    process.emitWarning(`alonce: onRecordFailure threw: ${error instanceof Error ? error.message : 'not an Error'}`)
  }
}
