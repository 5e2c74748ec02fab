import type { Fence, Holder, LockRecord, Member, Pool, Waiter } from '../../store/record.ts'
import { type Fields, unreadable } from './fields.ts'
import { map, memberName, number, type Optional, present, text } from './optional.ts'
import type { Item } from './send.ts'

/**
 * A lock's own attributes. Fences have a map of their own, because an expression can count up an attribute, but not inside of
 * a map that it writes. So have the waiters' signs of life: a list holds who comes first, and a map what is renewed by name.
 */
export const lockFields = ({ holder, pool, queue }: LockRecord): Optional => ({
  o: text(holder?.owner),
  x: number(holder?.expiresAtMs),
  lb: text(holder?.label),
  ...(pool && {
    h: map(pool.members, memberItem),
    hf: map(pool.members, ({ fence }) => number(fence)),
    w: number(pool.weight),
    pl: number(pool.limit),
  }),
  ...(queue && {
    q: { L: queue.map(({ owner }) => ({ S: owner })) },
    qm: map(Object.fromEntries(queue.map((waiter) => [waiter.owner, waiter])), waiterItem),
  }),
})

export const memberItem = ({ expiresAtMs, leaseMs, weight, label }: Omit<Member, 'fence'>): Item[string] => ({
  M: present({ x: number(expiresAtMs), l: number(leaseMs), w: number(weight), lb: text(label) }),
})

export const waiterItem = ({ aliveUntilMs, leaseMs, label }: Omit<Waiter, 'owner'>): Item[string] => ({
  M: present({ x: number(aliveUntilMs), l: number(leaseMs), lb: text(label) }),
})

export function lockOf(fields: Fields): Pick<LockRecord, 'holder' | 'pool' | 'queue'> {
  return { holder: holderOf(fields), pool: poolOf(fields), queue: queueOf(fields) }
}

/** Whom the lock was handed over to, its own label still lies with the waiters': no expression knows its name. */
function holderOf(fields: Fields): Holder | undefined {
  const owner = fields.text('o')
  if (owner === undefined) return undefined
  const label = fields.text('lb') ?? fields.nested('qm')?.nested(memberName(owner))?.text('lb')
  return { owner, expiresAtMs: fields.needed(fields.number('x'), 'x'), label }
}

function poolOf(fields: Fields): Pool | undefined {
  const fences = fields.nested('hf')
  if (!fields.nested('h')) return undefined
  const members = fields.map('h', (all, name): Member => {
    const entry = all.needed(all.nested(name), name)
    return {
      fence: fields.needed(fences?.number(name), 'hf') as Fence,
      expiresAtMs: entry.needed(entry.number('x'), 'x'),
      leaseMs: entry.needed(entry.number('l'), 'l'),
      weight: entry.needed(entry.number('w'), 'w'),
      label: entry.text('lb'),
    }
  })
  return { limit: fields.number('pl'), weight: fields.needed(fields.number('w'), 'w'), members }
}

function queueOf(fields: Fields): readonly Waiter[] | undefined {
  const signs = fields.nested('qm')
  return fields.texts('q')?.map((owner): Waiter => {
    const sign = signs?.nested(memberName(owner))
    if (!sign) throw unreadable(fields.key, 'a waiter has no sign of life')
    return {
      owner,
      aliveUntilMs: sign.needed(sign.number('x'), 'x'),
      leaseMs: sign.needed(sign.number('l'), 'l'),
      label: sign.text('lb'),
    }
  })
}
