import type { LockAcquire, LockBreak, LockCommand, LockRelease, LockRenew, Obstacle, Replies } from '../store/command.ts'
import { invariant } from '../store/errors.ts'
import { interventionOf, isOwnStep } from '../store/intervention.ts'
import type { Fence, Holder, LockRecord, Tombstone, Waiter } from '../store/record.ts'
import type { Transitioned } from '../store/store.ts'
import { DAY_MS, type Moment } from '../store/time.ts'
import { alive, cleared, joined, memberOf, memberToWaitFor, openPool, prolonged, without } from './pool.ts'
import { asHolder, CLAIM_MS, isAlive, MOST_WAITERS, placeOf, turnBefore } from './queue.ts'

export { fits, isEmpty, MOST_MEMBERS } from './pool.ts'
export { CLAIM_MS, MOST_WAITERS, placeOf } from './queue.ts'

/**
 * The specification of locks. After Gray and Cheriton, "Leases: An Efficient Fault-Tolerant Mechanism for Distributed File
 * Cache Consistency" (1989), with fencing as in Kleppmann, "How to do distributed locking" (2016); readers and writers as in
 * the second problem of Courtois, Heymans and Parnas, "Concurrent control with 'readers' and 'writers'" (1971): a writer that
 * waits stands in the queue, and no reader passes a queue.
 */
export function lockTransition(record: LockRecord | undefined, command: LockCommand, moment: Moment): Transitioned<LockRecord> {
  switch (command.type) {
    case 'lock.acquire':
      return acquire(record, command, moment)
    case 'lock.renew':
      return renew(record, command, moment)
    case 'lock.release':
      return release(record, command, moment)
    case 'lock.break':
      return breakLock(record, command, moment)
  }
}

/** No lease is longer than a day, so whoever writes a pool's record needs to know no other member's. */
export const poolPurgeAtMs = (latest: number): number => latest + 3 * DAY_MS

function acquire(record: LockRecord | undefined, command: LockAcquire, moment: Moment): Transitioned<LockRecord> {
  const own = grantOf(record, command.owner)
  // Our own earlier sending (V3). The record keeps its expiry and its fence: a late duplicate must not rewind either.
  if (record && own) return same(record, { outcome: 'acquired', ...own, tookOver: false })
  const inTheWay = obstacle(record, command, moment.earliest)
  if (record && inTheWay) {
    if (command.queueMs !== undefined) return enqueue(record, command, { moment, inTheWay })
    return same(record, { outcome: 'held', fence: record.fence, ...inTheWay })
  }
  // Who stands in the queue has not gone, whatever was released since it came.
  const queued = placeOf(record?.queue, command.owner) >= 0
  if (!queued && isGhost(record, command.owner, moment)) return same(record, { outcome: 'stale' })

  const expiresAtMs = moment.latest + command.leaseMs
  const fence = Math.max((record?.fence ?? moment.seed) + 1, moment.leastFence ?? 0) as Fence
  const head = { kind: 'lock', fence, version: (record?.version ?? moment.seed) + 1 } as const
  const granted = command.share
    ? sharedGrant(record, command, { head, moment })
    : {
        ...head,
        holder: { owner: command.owner, expiresAtMs, label: command.label },
        pool: record?.pool && cleared(record.pool),
        queue: queueBehind(record, command, moment.earliest),
        purgeAtMs: expiresAtMs + DAY_MS,
      }
  const dead = replaced(record, granted)
  // Who is taken over from is marked as gone: its late acquire must not bring it back (V3). One mark serves for all of them,
  // because its time is later than that of any sending of theirs.
  const tombstone = dead === undefined ? record?.tombstone : { owner: dead, atMs: moment.earliest, reason: 'taken over' }
  const { intervention } = record ?? {}
  return next({ ...granted, tombstone, intervention }, { outcome: 'acquired', fence, expiresAtMs, tookOver: dead !== undefined })
}

/** Those who go on waiting. Who would have queued leaves a queue, if an empty one: whoever comes then needs only to append. */
const queueBehind = (
  record: LockRecord | undefined,
  { owner, queueMs }: LockAcquire,
  earliest: number,
): readonly Waiter[] | undefined =>
  (record?.queue ?? (queueMs === undefined ? undefined : []))?.filter(
    (waiter) => waiter.owner !== owner && isAlive(waiter, earliest),
  )

type GrantedHead = Pick<LockRecord, 'kind' | 'fence' | 'version'>

function sharedGrant(
  record: LockRecord | undefined,
  { owner, leaseMs, label, share }: LockAcquire,
  { head, moment }: { readonly head: GrantedHead; readonly moment: Moment },
): LockRecord {
  const pool = share && openPool(record?.pool, share, moment.earliest)
  invariant(share !== undefined && pool !== undefined, () => `a share of weight ${share?.weight} fits no pool of its limit`)
  const member = { fence: head.fence, expiresAtMs: moment.latest + leaseMs, leaseMs, weight: share.weight, label }
  // No living waiter is in the queue; it is there from now on, so that a writer can take a place in it at once.
  return { ...head, pool: joined(pool, owner, member), queue: [], purgeAtMs: poolPurgeAtMs(moment.latest) }
}

/** Whose lease had ended without a release; of several the first by name, so that every store says the same. */
const replaced = (before: LockRecord | undefined, after: LockRecord): string | undefined =>
  before?.holder?.owner ??
  Object.keys(before?.pool?.members ?? {})
    .filter((owner) => !memberOf(after.pool, owner))
    .sort()[0]

/** Why the lock can't be had now, by the store's clock: nothing has ended that may still be trusted (V5). */
export function obstacle(
  record: LockRecord | undefined,
  { owner, share, queueMs }: Pick<LockAcquire, 'owner' | 'share' | 'queueMs'>,
  earliest: number,
): Obstacle | undefined {
  if (!record) return undefined
  const { holder, pool, queue } = record
  if (holder && !hasEnded(holder, earliest)) return { holder }
  if (!share) {
    // Who takes places waits for his turn even when all members are dead: so a place can be taken without knowing that.
    const queues = queueMs !== undefined && placeOf(queue, owner) < 0 && holder === undefined
    const member = memberToWaitFor(queues ? pool : alive(pool, earliest), 'last')
    if (member) return { holder: member, because: 'shared' }
  }
  const before = turnBefore(queue, owner, earliest)
  if (before) return { holder: asHolder(before), because: 'queue' }
  if (!share || openPool(pool, share, earliest)) return undefined
  const member = memberToWaitFor(alive(pool, earliest), pool?.limit === share.limit ? 'first' : 'last')
  invariant(member !== undefined, () => `a share of weight ${share.weight} fits no pool of its limit`)
  return { holder: member, because: pool?.limit === share.limit ? 'full' : 'limit' }
}

function enqueue(
  record: LockRecord,
  { owner, queueMs = 0, label }: LockAcquire,
  { moment, inTheWay }: { readonly moment: Moment; readonly inTheWay: Obstacle },
): Transitioned<LockRecord> {
  const { fence, queue = [] } = record
  const waiter: Waiter = { owner, aliveUntilMs: moment.latest + queueMs, leaseMs: queueMs, label }
  const version = record.version + 1
  const place = placeOf(queue, owner)
  const known = queue[place]
  if (known) {
    const reply = { outcome: 'queued', fence, place, ...inTheWay } as const
    if (known.aliveUntilMs >= waiter.aliveUntilMs) return same(record, reply)
    return next({ ...record, version, queue: queue.with(place, waiter) }, reply)
  }
  if (isGhost(record, owner, moment)) return same(record, { outcome: 'stale' })
  const others = queue.length < MOST_WAITERS ? queue : queue.filter((other) => isAlive(other, moment.earliest))
  if (others.length >= MOST_WAITERS) return same(record, { outcome: 'held', fence, ...inTheWay, because: 'queue-full' })
  return next({ ...record, version, queue: [...others, waiter] }, { outcome: 'queued', fence, place: others.length, ...inTheWay })
}

function renew(record: LockRecord | undefined, command: LockRenew, moment: Moment): Transitioned<LockRecord> {
  const { owner, leaseMs } = command
  const own = grantOf(record, owner)
  if (!record || own?.fence !== command.fence) return same(record, { outcome: moment.resent ? 'uncertain' : 'lost' })
  const expiresAtMs = Math.max(own.expiresAtMs, moment.latest + leaseMs)
  if (expiresAtMs === own.expiresAtMs) return same(record, { outcome: 'renewed', expiresAtMs })
  const { holder, pool } = record
  const member = memberOf(pool, owner)
  const lease =
    pool && member
      ? { pool: prolonged(pool, owner, { ...member, expiresAtMs, leaseMs }), purgeAtMs: poolPurgeAtMs(moment.latest) }
      : { holder: holder && { ...holder, expiresAtMs }, purgeAtMs: expiresAtMs + DAY_MS }
  return next({ ...record, version: record.version + 1, ...lease }, { outcome: 'renewed', expiresAtMs })
}

function release(record: LockRecord | undefined, command: LockRelease, moment: Moment): Transitioned<LockRecord> {
  const { owner } = command
  const tombstone = { owner, atMs: moment.earliest }
  if (record?.holder?.owner === owner) return next(handedOver(record, tombstone, moment), { outcome: 'released' })
  if (record?.pool && memberOf(record.pool, owner)) {
    return next({ ...freed(record, tombstone), pool: without(record.pool, owner) }, { outcome: 'released' })
  }
  if (record?.queue && placeOf(record.queue, owner) >= 0) {
    const queue = record.queue.filter((waiter) => waiter.owner !== owner)
    return next({ ...freed(record, tombstone), holder: record.holder, queue }, { outcome: 'released' })
  }
  // By its own release, not by a takeover or an operator's break, which have a reason.
  const last = record?.tombstone
  if (!record?.holder && last?.owner === owner && last.reason === undefined) return same(record, { outcome: 'released' })
  return same(record, { outcome: moment.resent ? 'gone' : 'lost' })
}

/** To the head of the queue, dead or alive: whether it is alive shows when the time to claim it is over. */
function handedOver(record: LockRecord, tombstone: Tombstone, moment: Moment): LockRecord {
  const [head, ...queue] = record.queue ?? []
  if (!head) return freed(record, tombstone)
  const expiresAtMs = moment.latest + CLAIM_MS
  const holder = { owner: head.owner, expiresAtMs, label: head.label }
  const fence = (record.fence + 1) as Fence
  return { ...freed(record, tombstone), fence, holder, queue, purgeAtMs: expiresAtMs + DAY_MS }
}

function breakLock(record: LockRecord | undefined, command: LockBreak, moment: Moment): Transitioned<LockRecord> {
  const member = Object.entries(record?.pool?.members ?? {}).find(([, { fence }]) => fence === command.fence)
  const owner = record?.holder && record.fence === command.fence ? record.holder.owner : member?.[0]
  if (!record || owner === undefined) {
    return same(record, { outcome: record && isOwnStep(record, command, moment) ? 'broken' : 'unchanged' })
  }
  const intervention = interventionOf(command, moment, 'broken')
  const { reason } = intervention
  const broken = { ...freed(record, { owner, atMs: moment.earliest, reason }), intervention }
  const { pool } = record
  return next(member && pool ? { ...broken, pool: without(pool, owner) } : broken, { outcome: 'broken' })
}

/** What `owner` holds, alone or with others. */
function grantOf(
  record: LockRecord | undefined,
  owner: string,
): { readonly fence: Fence; readonly expiresAtMs: number } | undefined {
  if (!record) return undefined
  const { fence, holder } = record
  if (holder?.owner === owner) return { fence, expiresAtMs: holder.expiresAtMs }
  const member = memberOf(record.pool, owner)
  return member && { fence: member.fence, expiresAtMs: member.expiresAtMs }
}

/** By the store's clock, and only when nobody's clock can still be before the end (V5). */
const hasEnded = (holder: Holder, earliest: number): boolean => earliest > holder.expiresAtMs

function isGhost(record: LockRecord | undefined, owner: string, moment: Moment): boolean {
  const tombstone = record?.tombstone
  return tombstone !== undefined && (tombstone.owner === owner || tombstone.atMs > moment.sentAtMs)
}

const freed = (record: LockRecord, tombstone: Tombstone): LockRecord => ({
  ...record,
  version: record.version + 1,
  holder: undefined,
  tombstone,
})

type LockReply = Replies[LockCommand['type']]
const same = (record: LockRecord | undefined, reply: LockReply): Transitioned<LockRecord> => ({ record, reply })
const next = (record: LockRecord, reply: LockReply): Transitioned<LockRecord> => ({ record, reply })
