import { CLAIM_MS, MOST_WAITERS } from '../../lock/transitions.ts'
import type { LockAcquire, LockRelease } from '../../store/command.ts'
import { DAY_MS } from '../../store/time.ts'
import { clockMark, type HotWrite, hotWrite, NO_GHOST, type Sending } from './expression.ts'
import { memberName, number, text, ttlSeconds } from './item.ts'
import { waiterItem } from './lock-fields.ts'

/** A live holder, by a time that the server wrote; or members, dead or alive: who takes places waits for his turn then, too. */
const BEHIND = {
  holder: 'o <> :o AND x >= :earliest AND attribute_not_exists(u)',
  members: 'attribute_not_exists(o) AND size(h) > :zero',
} as const

/** A place at the end of the queue. Whoever else takes one at the same moment is no hindrance. */
export function enqueueWrite(
  { owner, queueMs = 0, label }: LockAcquire,
  behind: keyof typeof BEHIND,
  sending: Sending,
): HotWrite {
  return hotWrite({
    set: ['q = list_append(q, :me)', 'qm.#m = :sign', 'v = v + :one'],
    when: ['sv = :sv', 'NOT contains(q, :o)', 'size(q) < :most', 'attribute_exists(qm)', BEHIND[behind], NO_GHOST],
    values: {
      ':o': text(owner),
      ':me': { L: [{ S: owner }] },
      ':sign': waiterItem({ aliveUntilMs: sending.latest + queueMs, leaseMs: queueMs, label }),
      ':most': number(MOST_WAITERS),
      ':sent': number(sending.sentAtMs),
      ':earliest': behind === 'holder' ? number(sending.earliest) : undefined,
    },
    names: { '#m': memberName(owner) },
  })
}

/** A sign of life. */
export function stayWrite({ owner, queueMs = 0, label }: LockAcquire, sending: Sending): HotWrite {
  const aliveUntilMs = sending.latest + queueMs
  return hotWrite({
    set: ['qm.#m = :sign', 'v = v + :one'],
    when: ['sv = :sv', 'contains(q, :o)', 'qm.#m.x < :x', BEHIND.holder],
    values: {
      ':o': text(owner),
      ':sign': waiterItem({ aliveUntilMs, leaseMs: queueMs, label }),
      ':x': number(aliveUntilMs),
      ':earliest': number(sending.earliest),
    },
    names: { '#m': memberName(owner) },
  })
}

/** The release that is the next one's grant. Of its sign of life only the label is still read (see `lockOf`). */
export function handOverWrite({ owner }: LockRelease, sending: Sending): HotWrite {
  const expiresAtMs = sending.latest + CLAIM_MS
  const mark = clockMark(sending)
  return hotWrite({
    set: ['o = q[0]', 'x = :x', 'l = :l', 'f = f + :one', 'v = v + :one', 'lo = :o', 'g = :earliest', '#t = :t', mark.set],
    remove: ['q[0]', 'lb', 'lr', 'qm.#m', ...mark.remove],
    when: ['sv = :sv', 'o = :o', 'attribute_exists(q[0])'],
    values: {
      ':o': text(owner),
      ':x': number(expiresAtMs),
      ':l': number(CLAIM_MS),
      ':earliest': number(sending.earliest),
      ':t': number(ttlSeconds(expiresAtMs + DAY_MS)),
    },
    names: { '#m': memberName(owner) },
    reply: { outcome: 'released' },
  })
}
