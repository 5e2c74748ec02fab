import type { LockAcquire, LockCommand, LockRelease, LockRenew } from '../../store/command.ts'
import { DAY_MS } from '../../store/time.ts'
import { clockMark, FRESH, type HotWrite, hotWrite, NO_GHOST, RISE, type Sending } from './expression.ts'
import { number, text, ttlSeconds } from './item.ts'

/** Shared holders and queues are a later version's. */
const EXCLUSIVE = 'attribute_not_exists(h) AND attribute_not_exists(q)'

export function lockWrite(command: LockCommand, sending: Sending): HotWrite | undefined {
  switch (command.type) {
    case 'lock.acquire':
      return acquire(command, sending)
    case 'lock.renew':
      return renew(command, sending)
    case 'lock.release':
      return release(command, sending)
    case 'lock.break':
      return undefined
  }
}

function acquire({ owner, leaseMs, label }: LockAcquire, sending: Sending): HotWrite {
  const expiresAtMs = sending.latest + leaseMs
  const mark = clockMark(sending)
  return hotWrite({
    set: ['o = :o', 'x = :x', 'l = :l', label !== undefined && 'lb = :lb', ...RISE, '#t = :t', mark.set],
    remove: [...(label === undefined ? ['lb'] : []), ...mark.remove],
    // A takeover goes the slow way: it leaves a tombstone of whom it takes over from.
    when: [FRESH, EXCLUSIVE, NO_GHOST, 'attribute_not_exists(o)'],
    values: {
      ':o': text(owner),
      ':x': number(expiresAtMs),
      ':l': number(leaseMs),
      ':lb': text(label),
      ':t': number(ttlSeconds(expiresAtMs + DAY_MS)),
      ':seed': number(sending.seed),
      ':sent': number(sending.sentAtMs),
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
    when: ['sv = :sv', EXCLUSIVE, 'o = :o', 'f = :f', 'x < :x'],
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
    when: ['sv = :sv', EXCLUSIVE, 'o = :o'],
    values: { ':o': text(owner), ':earliest': number(sending.earliest) },
    reply: { outcome: 'released' },
  })
}
