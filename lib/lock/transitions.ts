import type { LockAcquire, LockBreak, LockCommand, LockRelease, LockRenew, Replies } from '../store/command.ts'
import type { Fence, Holder, LockRecord } from '../store/record.ts'
import type { Transitioned } from '../store/store.ts'
import { DAY_MS, type Moment } from '../store/time.ts'

/**
 * The specification of exclusive locks. After Gray and Cheriton, "Leases: An Efficient Fault-Tolerant Mechanism for
 * Distributed File Cache Consistency" (1989), with fencing as in Kleppmann, "How to do distributed locking" (2016).
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

function acquire(record: LockRecord | undefined, command: LockAcquire, moment: Moment): Transitioned<LockRecord> {
  const holder = record?.holder
  if (record && holder?.owner === command.owner) {
    // Our own earlier sending (V3). The record keeps its expiry and its fence: a late duplicate must not rewind either.
    return same(record, { outcome: 'acquired', fence: record.fence, expiresAtMs: holder.expiresAtMs, tookOver: false })
  }
  if (record && holder && !hasEnded(holder, moment)) return same(record, { outcome: 'held', fence: record.fence, holder })
  if (isGhost(record, command.owner, moment)) return same(record, { outcome: 'stale' })

  const expiresAtMs = moment.latest + command.leaseMs
  const granted: LockRecord = {
    kind: 'lock',
    fence: ((record?.fence ?? moment.seed) + 1) as Fence,
    version: (record?.version ?? moment.seed) + 1,
    holder: { owner: command.owner, expiresAtMs, label: command.label },
    tombstone: record?.tombstone,
    purgeAtMs: expiresAtMs + DAY_MS,
  }
  return next(granted, { outcome: 'acquired', fence: granted.fence, expiresAtMs, tookOver: holder !== undefined })
}

function renew(record: LockRecord | undefined, command: LockRenew, moment: Moment): Transitioned<LockRecord> {
  const holder = record?.holder
  if (!record || holder?.owner !== command.owner || record.fence !== command.fence) {
    return same(record, { outcome: moment.resent ? 'uncertain' : 'lost' })
  }
  const expiresAtMs = Math.max(holder.expiresAtMs, moment.latest + command.leaseMs)
  if (expiresAtMs === holder.expiresAtMs) return same(record, { outcome: 'renewed', expiresAtMs })
  const renewed = { ...record, version: record.version + 1, holder: { ...holder, expiresAtMs }, purgeAtMs: expiresAtMs + DAY_MS }
  return next(renewed, { outcome: 'renewed', expiresAtMs })
}

function release(record: LockRecord | undefined, command: LockRelease, moment: Moment): Transitioned<LockRecord> {
  if (record?.holder?.owner === command.owner) {
    return next(freed(record, { owner: command.owner, atMs: moment.earliest }), { outcome: 'released' })
  }
  if (record && !record.holder && record.tombstone?.owner === command.owner) return same(record, { outcome: 'released' })
  return same(record, { outcome: moment.resent ? 'gone' : 'lost' })
}

function breakLock(record: LockRecord | undefined, command: LockBreak, moment: Moment): Transitioned<LockRecord> {
  if (!record?.holder || record.fence !== command.fence) return same(record, { outcome: 'unchanged' })
  const tombstone = { owner: record.holder.owner, atMs: moment.earliest, reason: command.reason }
  return next(freed(record, tombstone), { outcome: 'broken' })
}

/** By the store's clock, and only when nobody's clock can still be before the end (V5). */
const hasEnded = (holder: Holder, moment: Moment): boolean => moment.earliest > holder.expiresAtMs

function isGhost(record: LockRecord | undefined, owner: string, moment: Moment): boolean {
  const tombstone = record?.tombstone
  return tombstone !== undefined && (tombstone.owner === owner || tombstone.atMs > moment.sentAtMs)
}

const freed = (record: LockRecord, tombstone: LockRecord['tombstone']): LockRecord => ({
  ...record,
  version: record.version + 1,
  holder: undefined,
  tombstone,
})

type LockReply = Replies[LockCommand['type']]
const same = (record: LockRecord | undefined, reply: LockReply): Transitioned<LockRecord> => ({ record, reply })
const next = (record: LockRecord, reply: LockReply): Transitioned<LockRecord> => ({ record, reply })
