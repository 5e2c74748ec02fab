import type { Holder, Waiter } from '../store/record.ts'

/**
 * Who waits, in the order of arrival: a ticket lock whose tickets are kept with the lock. After Mellor-Crummey and Scott,
 * "Algorithms for Scalable Synchronization on Shared-Memory Multiprocessors" (1991): whoever leaves hands over to the next,
 * so the others need not compete.
 *
 * A waiter may be dead. Each one gives a sign of life now and then; the dead are dropped when somebody takes the lock over, or
 * when the queue is full, so that taking a place and handing over touch nothing but the end and the head.
 */

export const MOST_WAITERS = 128

/** For so long the one that a lock was handed over to holds it without having said anything. */
export const CLAIM_MS = 5000

export const isAlive = (waiter: Waiter, earliest: number): boolean => earliest <= waiter.aliveUntilMs

export const placeOf = (queue: readonly Waiter[] | undefined, owner: string): number =>
  queue?.findIndex((waiter) => waiter.owner === owner) ?? -1

/** The one whose turn it is, unless that is `owner`: who asks is alive. */
export function turnBefore(queue: readonly Waiter[] | undefined, owner: string, earliest: number): Waiter | undefined {
  const next = queue?.find((waiter) => waiter.owner === owner || isAlive(waiter, earliest))
  return next?.owner === owner ? undefined : next
}

/** A waiter as one to wait for. */
export const asHolder = ({ owner, aliveUntilMs, label }: Waiter): Holder => ({ owner, expiresAtMs: aliveUntilMs, label })
