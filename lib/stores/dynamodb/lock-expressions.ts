import { fits, isEmpty, MOST_WAITERS, placeOf } from '../../lock/transitions.ts'
import type { LockAcquire, LockCommand, LockRelease, LockRenew, Reply, Share } from '../../store/command.ts'
import type { LockRecord } from '../../store/record.ts'
import { DAY_MS } from '../../store/time.ts'
import { clockMark, FRESH, type HotWrite, hotWrite, NO_GHOST, RISE, RISE_TO, RISES, type Sending } from './expression.ts'
import { number, text, ttlSeconds } from './item.ts'
import { joinWrite, leaveWrite, renewMemberWrite } from './pool-expressions.ts'
import { enqueueWrite, handOverWrite, stayWrite } from './queue-expressions.ts'

/** Nobody waits. Not even a dead waiter: who takes over clears the queue. */
const NO_QUEUE = '(attribute_not_exists(q) OR size(q) = :zero)'
/** Nobody shares it, dead or alive. */
const NO_MEMBERS = '(attribute_not_exists(h) OR size(h) = :zero)'

/** The write to try without having looked; `undefined`: look first. */
export function lockWrite(command: LockCommand, sending: Sending): HotWrite | undefined {
  switch (command.type) {
    case 'lock.acquire':
      if (command.queueMs !== undefined) return queueingWrite(command, sending)
      if (!command.share) return acquire(command, sending)
      return sending.basis === 'guess' ? undefined : joinWrite(command, sending)
    case 'lock.renew':
      return command.hint === 'shared' ? renewMemberWrite(command, sending) : renew(command, sending)
    case 'lock.release':
      if (command.hint === 'queue') return handOverWrite(command, sending)
      return command.hint === 'shared' ? leaveWrite(command, sending) : release(command, sending)
    case 'lock.break':
      return undefined
  }
}

/** Who has not looked is as likely to be refused as not, and a look costs a tenth of a write. */
function queueingWrite(command: LockAcquire, sending: Sending): HotWrite | undefined {
  if (command.hint === 'free') return acquire(command, sending)
  // Whether the holder's lease still runs is a question to the server's clock.
  return command.hint === 'queue' && sending.basis === 'server' ? enqueueWrite(command, 'holder', sending) : undefined
}

/** The write that asks for less than "unchanged since I looked", where the look shows that it would do. */
export function lockWriteOn(
  record: LockRecord,
  { command, outcome }: { readonly command: LockCommand; readonly outcome: Reply['outcome'] },
  sending: Sending,
): HotWrite | undefined {
  const { holder, pool, queue } = record
  switch (command.type) {
    case 'lock.acquire':
      if (command.share) return canJoin(record, command.share) ? joinWrite(command, sending) : undefined
      if (!queue || outcome !== 'queued') return undefined
      if (placeOf(queue, command.owner) >= 0) return holder && stayWrite(command, sending)
      if (queue.length >= MOST_WAITERS) return undefined
      if (holder) return enqueueWrite(command, 'holder', sending)
      return isEmpty(pool) ? undefined : enqueueWrite(command, 'members', sending)
    case 'lock.renew':
      return isMember(record, command.owner) ? renewMemberWrite(command, sending) : undefined
    case 'lock.release':
      if (isMember(record, command.owner)) return leaveWrite(command, sending)
      return holder?.owner === command.owner && queue?.length ? handOverWrite(command, sending) : undefined
    case 'lock.break':
      return undefined
  }
}

const canJoin = ({ holder, pool, queue }: LockRecord, share: Share): boolean =>
  holder === undefined && queue?.length === 0 && pool !== undefined && fits(pool, share)

const isMember = ({ pool }: LockRecord, owner: string): boolean => pool !== undefined && Object.hasOwn(pool.members, owner)

/** Whoever comes next needs only to append to the queue. */
const OPEN_QUEUE = ['q = if_not_exists(q, :nobody)', 'qm = if_not_exists(qm, :nosigns)'] as const

function acquire({ owner, leaseMs, label, queueMs }: LockAcquire, sending: Sending): HotWrite {
  const expiresAtMs = sending.latest + leaseMs
  const mark = clockMark(sending)
  const named = sending.leastFence !== undefined
  const queues = queueMs !== undefined
  return hotWrite({
    set: [
      ...['o = :o', 'x = :x', 'l = :l', label !== undefined && 'lb = :lb', '#t = :t', mark.set],
      ...(named ? RISE_TO : RISE),
      ...(queues ? OPEN_QUEUE : []),
    ],
    remove: [...(label === undefined ? ['lb'] : []), ...mark.remove],
    // A takeover goes the slow way: it leaves a tombstone of whom it takes over from.
    when: [FRESH, NO_MEMBERS, NO_QUEUE, NO_GHOST, 'attribute_not_exists(o)', ...(named ? [RISES] : [])],
    values: {
      ':o': text(owner),
      ':x': number(expiresAtMs),
      ':l': number(leaseMs),
      ':lb': text(label),
      ':t': number(ttlSeconds(expiresAtMs + DAY_MS)),
      ':seed': number(sending.seed),
      ':f': number(sending.leastFence),
      ':sent': number(sending.sentAtMs),
      ':nobody': queues ? { L: [] } : undefined,
      ':nosigns': queues ? { M: {} } : undefined,
    },
  })
}

function renew({ owner, fence, leaseMs }: LockRenew, sending: Sending): HotWrite {
  const expiresAtMs = sending.latest + leaseMs
  const mark = clockMark(sending)
  return hotWrite({
    set: ['x = :x', 'l = :l', 'v = v + :one', '#t = :t', mark.set],
    remove: mark.remove,
    // An expiry only rises: a late duplicate of an earlier renewal is refused.
    when: ['sv = :sv', 'o = :o', 'f = :f', 'x < :x'],
    values: {
      ':o': text(owner),
      ':f': number(fence),
      ':x': number(expiresAtMs),
      ':l': number(leaseMs),
      ':t': number(ttlSeconds(expiresAtMs + DAY_MS)),
    },
    reply: { outcome: 'renewed', expiresAtMs },
  })
}

function release({ owner }: LockRelease, sending: Sending): HotWrite {
  return hotWrite({
    set: ['lo = :o', 'g = :earliest', 'v = v + :one'],
    remove: ['o', 'x', 'l', 'u', 'lb', 'lr'],
    when: ['sv = :sv', NO_QUEUE, 'o = :o'],
    values: { ':o': text(owner), ':earliest': number(sending.earliest) },
    reply: { outcome: 'released' },
  })
}
