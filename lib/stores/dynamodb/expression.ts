import type { Reply } from '../../store/command.ts'
import { SCHEMA } from '../../store/record.ts'
import { number, present } from './item.ts'
import type { Item } from './send.ts'
import type { Instant } from './table-clock.ts'

/**
 * A command as one conditional `UpdateItem`.
 *
 * Its condition may refuse more than the transition does, never less, and what it writes is what the transition makes of
 * any item that the condition lets pass. Both are tested against the transitions on DynamoDB Local.
 */
export interface HotWrite {
  readonly update: string
  readonly condition: string
  readonly values: Item
  readonly names: { readonly [placeholder: string]: string }
  /** The answer when the condition holds; `undefined`: the transition of the item as it was before. */
  readonly reply: Reply | undefined
  /** A refusal without an item is taken to say that there is none: whatever is written then is written on that condition. */
  readonly absenceWillDo?: boolean
}

/** The moment of the first sending, which every sending of the command carries. */
export interface Sending extends Instant {
  readonly sentAtMs: number
  /** In a transaction, which does not return what it has written: the fence to be given, if it is larger than the last. */
  readonly leastFence?: number | undefined
}

export interface Draft {
  readonly set: readonly (string | false | undefined)[]
  readonly remove?: readonly string[]
  readonly when: readonly string[]
  readonly values: { readonly [placeholder: string]: Item[string] | undefined }
  readonly names?: { readonly [placeholder: string]: string }
  readonly reply?: Reply
}

/** Common to many expressions. No other placeholder begins with one of these, so a search for the text finds them. */
const VOCABULARY = Object.entries(present({ ':sv': number(SCHEMA), ':one': number(1), ':zero': number(0) }))

/**
 * DynamoDB refuses values and names that an expression does not use: a draft's own values are all used or `undefined`, the
 * common ones are looked for. (On the way of every call: to look for each placeholder by a pattern cost as much as the rest.)
 */
export function hotWrite({ set, remove = [], when, values, names = {}, reply }: Draft): HotWrite {
  const sets = set.filter(Boolean).join(', ')
  const update = remove.length > 0 ? `SET ${sets} REMOVE ${remove.join(', ')}` : `SET ${sets}`
  const condition = when.join(' AND ')
  const uses = (placeholder: string): boolean => update.includes(placeholder) || condition.includes(placeholder)
  const used = present(values)
  for (const [placeholder, value] of VOCABULARY) if (uses(placeholder)) used[placeholder] = value
  return { update, condition, values: used, names: uses('#t') ? { '#t': 'ttl', ...names } : names, reply }
}

/** `u` marks what a client without the server's clock has written. */
export const clockMark = (sending: Sending): { readonly set: string | false; readonly remove: readonly string[] } =>
  sending.basis === 'wall' ? { set: 'u = :one', remove: [] } : { set: false, remove: ['u'] }

/** Not the owner of the tombstone, and first sent after it (a ghost otherwise). */
export const NO_GHOST = '(attribute_not_exists(lo) OR (lo <> :o AND g <= :sent))'
/** A fence and a version that rise, from the seed in a new item. */
export const RISE = ['f = if_not_exists(f, :seed) + :one', 'v = if_not_exists(v, :seed) + :one', 'sv = :sv'] as const

/** The same, where the fence was named. */
export const RISE_TO = ['f = :f', 'v = if_not_exists(v, :seed) + :one', 'sv = :sv'] as const
export const RISES = '(attribute_not_exists(f) OR f < :f)'
export const FRESH = '(attribute_not_exists(pk) OR sv = :sv)'
