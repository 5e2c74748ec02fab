import type { LambdaContext } from '../runtime/invocation.ts'
import { beginOperation, type Call, type Operation, runWithin } from './operation.ts'
import { type IdempotencyOptions, type Plan, planOf } from './options.ts'

export interface WithIdempotencyOptions extends IdempotencyOptions<[]> {
  /** Lambda's context, for the invocation's remaining time. */
  readonly context?: LambdaContext | undefined
}

/**
 * Runs `fn` now, unless it has run before under this key: then its earlier result is returned, as a fresh copy.
 *
 * @throws AlonceError `IN_PROGRESS`, `FINGERPRINT_MISMATCH`, `KEY_MISSING`, … and whatever `fn` throws, unchanged
 *
 * @example
 * await withIdempotency({ store, operation: 'charge', key: order.id }, (operation) =>
 *   provider.charge(order, { idempotencyKey: operation.downstreamKey('charge') }),
 * )
 */
export async function withIdempotency<R>(options: WithIdempotencyOptions, fn: (operation: Operation) => R): Promise<Awaited<R>> {
  const { context, ...rest } = options
  return runOnce(planOf(rest), { args: [], context }, fn)
}

/** Begins, runs, ends: the way of every wrapper that can hold the function in its hands. */
export async function runOnce<R>(plan: Plan, call: Call, fn: (operation: Operation) => R): Promise<Awaited<R>> {
  const begun = await beginOperation(plan, call)
  switch (begun.kind) {
    case 'replay':
      return begun.value as Awaited<R>
    case 'rethrow':
      throw begun.error
    case 'unprotected':
      return await runWithin(begun.handle, () => fn(begun.handle))
    case 'run': {
      const { running } = begun
      let value: Awaited<R>
      try {
        value = await runWithin(running.handle, () => fn(running.handle))
      } catch (error) {
        await running.fail(error)
        throw error
      }
      return (await running.complete(value)) as Awaited<R>
    }
  }
}
