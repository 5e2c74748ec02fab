import { type AlonceError, configInvalid, isAlonceError } from '../store/errors.ts'
import { type TransactItem, TransactionRefusedError, type Transactions } from '../store/transaction.ts'
import { storedValue } from './outcome.ts'
import { persist } from './persist.ts'
import type { Attempt } from './running.ts'
import { beginStep } from './telling.ts'

/** What a transaction has made of the attempt, for good. */
export type Settlement =
  | { readonly as: 'completed'; readonly value: unknown }
  | { readonly as: 'lost' | 'uncertain'; readonly error: AlonceError }

/**
 * Completes the attempt and writes the caller's items, all or nothing. Whatever it throws, nothing was written and the attempt
 * goes on.
 *
 * @throws TransactionRefusedError; AlonceError `CONFIG_INVALID`, `RESULT_TOO_LARGE`, `RESULT_NOT_SERIALIZABLE`, and what a
 * store throws
 */
export async function settle(attempt: Attempt, items: readonly TransactItem[], value: unknown): Promise<Settlement> {
  const { keeper } = attempt
  const { store, codec } = attempt.identity.plan
  const transactions = transactionsOf(attempt)
  const result = await storedValue(value, codec, store.capabilities.maxResultBytes)
  if (keeper.over) throw keeper.endedError()
  const step = beginStep(store.runtime.clock)
  // A renewal would only get into the transaction's way.
  keeper.rest()
  try {
    const { key, plan, traceparent } = attempt.identity
    const token = store.runtime.random.id()
    const { owner } = attempt.claim
    const command = {
      type: 'once.complete',
      key,
      owner,
      result: { ...result, traceparent },
      retainMs: plan.retainMs,
      token,
    } as const
    const reply = await persist(attempt, step, (options) => transactions.transact(command, items, options))
    if (reply.outcome === 'completed') {
      attempt.tell('completed', step, { durationMs: attempt.heldMs() })
      return { as: 'completed', value }
    }
    if (reply.outcome === 'refused') throw new TransactionRefusedError(reply, key)
    keeper.resume()
    return { as: reply.outcome, error: keeper.lose(reply.outcome) }
  } catch (error) {
    if (isAlonceError(error, 'STORE_UNAVAILABLE') && error.maybeApplied !== false) {
      attempt.tell('completion-failed', step, { reason: 'uncertain', code: error.code })
      keeper.stop('uncertain')
      return { as: 'uncertain', error }
    }
    keeper.resume()
    throw error
  }
}

function transactionsOf({ identity }: Attempt): Transactions {
  const { transactions, name } = identity.plan.store
  if (transactions) return transactions
  throw configInvalid(
    'store',
    `is "${name}", which can't write your items in one transaction with its record. transact() needs dynamodbStore(), on a table that takes transactions.`,
  )
}
