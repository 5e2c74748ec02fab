import type { Fence } from '../store/record.ts'

/**
 * What somebody who waits can tell of the others who do: nobody counts them, and their writes in vain leave no trace.
 *
 * With n of them who look every d ms, a free lock lies idle for d / n, and n * w / d of them write in vain while the next
 * holder's write is on its way for w ms. The best d is a fixed share of a turn times n; and n can be guessed from what each of
 * them sees, the fence: who has lost n times has, at a guess, n competitors; and when grants come more slowly than they used to,
 * it is the free lock that lies idle for longer, because fewer are left.
 *
 * Tried in simulations with 2 to 200 contenders, holds of 20 ms to 5 s, regular or not, and answers in 1 to 20 ms, with the
 * store standing still now and then. (A published total of the times held, which shows the idle time itself, came out no better.)
 * Exponential back-off is Metcalfe and Boggs's, "Ethernet: Distributed Packet Switching for Local Computer Networks" (1976).
 */
export interface Crowd {
  readonly first: Sight
  /** The last sights of a new fence, from at least `RECENT` grants before the last one on. */
  readonly recent: Sights
  /** The quickest answer so far. */
  readonly quickestMs: number
}

type Sights = readonly [Sight, ...Sight[]]

/** Under which fence the lock was held, at which time of the monotonic clock. */
export interface Sight {
  readonly fence: Fence
  readonly atMs: number
}

/** Nobody else has been seen to get it: the longest pause of who is alone with its holder. */
export const CALM_CAP_MS = 250
const CROWDED_CAP_MS = 2000
/** Who has lost n times has, at a guess, n competitors. */
const CAP_PER_LOSS_MS = 70
/** Longer than so many turns of the others would leave the lock idle when few are left. */
const CAP_IN_TURNS = 2.5
/** And shorter than so many answers would make too many write in vain when many are left. */
const CAP_IN_ANSWERS = 70
const SLOW_ANSWER_MS = 100
const FRESH_MS = 20
const RECENT = 8
/** Grants that come 9 % more slowly than on average halve the pause. */
const HASTE = 8

export const startCrowd = (sight: Sight): Crowd => ({ first: sight, recent: [sight], quickestMs: Number.POSITIVE_INFINITY })

export function seeCrowd({ first, recent, quickestMs }: Crowd, sight: Sight, answerMs: number): Crowd {
  const quickest = Math.min(quickestMs, answerMs)
  if (sight.fence <= lastOf(recent).fence) return { first, recent, quickestMs: quickest }
  const all = [...recent, sight]
  const from = all.findLastIndex(({ fence }) => sight.fence - fence >= RECENT)
  const [oldest = sight, ...newer] = all.slice(Math.max(0, from))
  return { first, recent: [oldest, ...newer], quickestMs: quickest }
}

/** The longest pause that makes sense. */
export function crowdCapMs({ first, recent, quickestMs }: Crowd): number {
  const last = lastOf(recent)
  const losses = last.fence - first.fence
  if (losses <= 0) return CALM_CAP_MS
  const turnMs = meanTurnMs(first, last)
  const mostMs = Math.max(turnMs * CAP_IN_TURNS, Math.min(quickestMs, SLOW_ANSWER_MS) * CAP_IN_ANSWERS)
  const slowedBy = losses < 2 * RECENT ? 1 : Math.max(1, meanTurnMs(recent[0], last) / turnMs)
  const capMs = Math.min(mostMs, CROWDED_CAP_MS) / slowedBy ** HASTE
  return Math.min(Math.max(CALM_CAP_MS, capMs), CALM_CAP_MS + losses * CAP_PER_LOSS_MS)
}

/**
 * Whether what an answer showed may be over by now, because it took long: longer than four of the quickest, at least. So it is when
 * the store or this machine stood still; then all who wait saw the same free lock, and will write at once.
 */
export const isOutOfDate = (answerMs: number, quickestMs: number): boolean =>
  answerMs > Math.min(Math.max(FRESH_MS, 4 * quickestMs), SLOW_ANSWER_MS)

const meanTurnMs = (from: Sight, to: Sight): number => (to.atMs - from.atMs) / (to.fence - from.fence)

const lastOf = (sights: Sights): Sight => sights.at(-1) ?? sights[0]
