import type { Store } from '../store/store.ts'

interface Releasable {
  release(): Promise<void>
}

/**
 * The live handles of each store. Not in the store, which knows no handles, and not in a session that every wrapper would
 * have to be given: at a shutdown all locks matter, whoever took them. An entry lives as long as its lock is held, and the
 * set as long as its store, so nothing of an invocation outlives it here.
 */
const HELD = new WeakMap<Store, Set<Releasable>>()

export function remember(store: Store, lock: Releasable): void {
  const held = HELD.get(store) ?? new Set()
  held.add(lock)
  HELD.set(store, held)
}

export function forget(store: Store, lock: Releasable): void {
  HELD.get(store)?.delete(lock)
}

export interface ReleasedAll {
  readonly released: number
  /** Why the others could not be released; each ends with its lease. */
  readonly failed: readonly unknown[]
}

/**
 * Releases every lock that this process holds through `store`, each whatever happens to another. Never throws. For a
 * process that shuts down: the signals of the handles abort with `released`.
 *
 * @example
 * process.once('SIGTERM', () => releaseAll(store).then(() => process.exit()))
 */
export async function releaseAll(store: Store): Promise<ReleasedAll> {
  const held = [...(HELD.get(store) ?? [])]
  const outcomes = await Promise.allSettled(held.map((lock) => lock.release()))
  const failed = outcomes.filter((outcome) => outcome.status === 'rejected').map((outcome) => outcome.reason as unknown)
  return { released: outcomes.length - failed.length, failed }
}
