import { MOST_MEMBERS, poolPurgeAtMs } from '../../lock/transitions.ts'
import type { LockAcquire, LockRelease, LockRenew } from '../../store/command.ts'
import { type HotWrite, hotWrite, NO_GHOST, type Sending } from './expression.ts'
import { memberName, number, text, ttlSeconds } from './item.ts'
import { memberItem } from './lock-fields.ts'

/**
 * Holding together: each member is an entry of its own, and joining, renewing and leaving are conditions on that entry and on
 * the sum alone. With a condition on the version, 100 contenders cost 16 writes a grant; this way 5, and a renewal never needs a
 * second try. The pool itself is made, and cleared of the dead, the slow way.
 */
export function joinWrite({ owner, leaseMs, label, share }: LockAcquire, sending: Sending): HotWrite {
  const { limit, weight = 1 } = share ?? {}
  const expiresAtMs = sending.latest + leaseMs
  const room = limit === undefined ? [] : ['w <= :room']
  const named = sending.leastFence !== undefined
  const rise = named ? ['hf.#m = :f', 'f = :f'] : ['hf.#m = f + :one', 'f = f + :one']
  const write = hotWrite({
    set: ['h.#m = :member', ...rise, 'w = w + :w', 'v = v + :one', '#t = :t', ...mark(sending)],
    when: [
      'sv = :sv',
      'attribute_exists(h)',
      'attribute_not_exists(h.#m)',
      'size(h) < :most',
      limit === undefined ? 'attribute_not_exists(pl)' : 'pl = :limit',
      ...room,
      'attribute_not_exists(o)',
      'size(q) = :zero',
      NO_GHOST,
      ...(named ? ['f < :f'] : []),
    ],
    values: {
      ':o': text(owner),
      ':member': memberItem({ expiresAtMs, leaseMs, weight, label }),
      ':w': number(weight),
      ':most': number(MOST_MEMBERS),
      ':limit': number(limit),
      // A weight above the limit never fits; DynamoDB would compare with a negative number, and say the same.
      ':room': number(limit === undefined ? undefined : limit - weight),
      ':sent': number(sending.sentAtMs),
      ':f': number(sending.leastFence),
      ':t': number(ttlSeconds(poolPurgeAtMs(sending.latest))),
    },
    names: { '#m': memberName(owner) },
  })
  return { ...write, absenceWillDo: true }
}

export function renewMemberWrite({ owner, fence, leaseMs }: LockRenew, sending: Sending): HotWrite {
  const expiresAtMs = sending.latest + leaseMs
  return hotWrite({
    set: ['h.#m.x = :x', 'h.#m.l = :l', 'v = v + :one', '#t = :t', ...mark(sending)],
    when: ['sv = :sv', 'hf.#m = :f', 'h.#m.x < :x'],
    values: {
      ':f': number(fence),
      ':x': number(expiresAtMs),
      ':l': number(leaseMs),
      ':t': number(ttlSeconds(poolPurgeAtMs(sending.latest))),
    },
    names: { '#m': memberName(owner) },
    reply: { outcome: 'renewed', expiresAtMs },
  })
}

export function leaveWrite({ owner }: LockRelease, sending: Sending): HotWrite {
  return hotWrite({
    set: ['lo = :o', 'g = :earliest', 'v = v + :one', 'w = w - h.#m.w'],
    remove: ['h.#m', 'hf.#m', 'lr'],
    when: ['sv = :sv', 'attribute_exists(h.#m)'],
    values: { ':o': text(owner), ':earliest': number(sending.earliest) },
    names: { '#m': memberName(owner) },
    reply: { outcome: 'released' },
  })
}

/** One mark for all members: it stays until somebody holds the lock alone, and costs no more than a later takeover. */
const mark = (sending: Sending): readonly string[] => (sending.basis === 'wall' ? ['u = :one'] : [])
