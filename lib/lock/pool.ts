import type { Share } from '../store/command.ts'
import type { Holder, Member, Pool } from '../store/record.ts'

/**
 * Those who hold a lock together. A shared lock is a pool without a limit, a semaphore (Dijkstra, 1965) one with a limit.
 *
 * Members whose lease has ended are dropped only when their room is needed. So whoever joins an open pool, renews in it or
 * leaves it touches nothing but its own entry and the sum, and a store may do that without reading first.
 */

/** A record has to stay small enough to be written: some 80 bytes a member. */
export const MOST_MEMBERS = 1000

export const memberOf = (pool: Pool | undefined, owner: string): Member | undefined =>
  pool && Object.hasOwn(pool.members, owner) ? pool.members[owner] : undefined

export const isEmpty = (pool: Pool | undefined): boolean => !pool || Object.keys(pool.members).length === 0

export const fits = (pool: Pool, { limit, weight }: Share): boolean =>
  pool.limit === limit &&
  pool.weight + weight <= (limit ?? Number.POSITIVE_INFINITY) &&
  Object.keys(pool.members).length < MOST_MEMBERS

/** The pool that `share` can join, without the dead if need be; `undefined`: none. */
export function openPool(pool: Pool | undefined, share: Share, earliest: number): Pool | undefined {
  if (pool && fits(pool, share)) return pool
  const living = alive(pool, earliest)
  const open = isEmpty(living) ? { limit: share.limit, weight: 0, members: {} } : living
  return open && fits(open, share) ? open : undefined
}

export const joined = (pool: Pool, owner: string, member: Member): Pool => ({
  ...pool,
  weight: pool.weight + member.weight,
  members: { ...pool.members, [owner]: member },
})

/** With another end of its lease. */
export const prolonged = (pool: Pool, owner: string, member: Member): Pool => ({
  ...pool,
  members: { ...pool.members, [owner]: member },
})

export function without(pool: Pool, owner: string): Pool {
  const left = Object.entries(pool.members).filter(([name]) => name !== owner)
  return { ...pool, weight: pool.weight - (memberOf(pool, owner)?.weight ?? 0), members: Object.fromEntries(left) }
}

export const cleared = (pool: Pool): Pool => (isEmpty(pool) ? pool : { ...pool, weight: 0, members: {} })

/** The members whose lease has not certainly ended. */
export function alive(pool: Pool | undefined, earliest: number): Pool | undefined {
  if (!pool) return undefined
  const members = Object.entries(pool.members).filter(([, member]) => earliest <= member.expiresAtMs)
  const weight = members.reduce((sum, [, member]) => sum + member.weight, 0)
  return { ...pool, weight, members: Object.fromEntries(members) }
}

/** Whom to wait for: the last to go, for who wants them all gone; the first, for who wants some room. */
export function memberToWaitFor(pool: Pool | undefined, which: 'first' | 'last'): Holder | undefined {
  const sign = which === 'first' ? 1 : -1
  const [owner, member] =
    Object.entries(pool?.members ?? {}).sort(([a, x], [b, y]) => sign * (x.expiresAtMs - y.expiresAtMs) || (a < b ? -1 : 1))[0] ??
    []
  return owner === undefined || !member ? undefined : { owner, expiresAtMs: member.expiresAtMs, label: member.label }
}
