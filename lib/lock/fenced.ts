import { configInvalid } from '../store/errors.ts'
import type { Fence } from '../store/record.ts'
import type { Values } from '../store/transaction.ts'

/** The input of lib-dynamodb's `PutCommand` or `UpdateCommand`, or of their like in a transaction. */
export interface FencedWrite {
  readonly TableName: string | undefined
  readonly Item?: Values | undefined
  readonly Key?: Values | undefined
  readonly UpdateExpression?: string | undefined
  readonly ConditionExpression?: string | undefined
  readonly ExpressionAttributeNames?: { readonly [placeholder: string]: string } | undefined
  readonly ExpressionAttributeValues?: Values | undefined
}

export interface FencedOptions {
  /** The attribute that keeps the largest fence that has written the item. Default: `fence`. */
  readonly attribute?: string | undefined
}

/** The write with its fence. */
export type Fenced<W extends FencedWrite> = W & {
  readonly ConditionExpression: string
  readonly ExpressionAttributeNames: { readonly [placeholder: string]: string }
  readonly ExpressionAttributeValues: { readonly [placeholder: string]: unknown }
}

const MAX_ATTRIBUTE_BYTES = 255

/**
 * The same write, that succeeds only if no larger fence has written the item, and leaves its own there. What the caller's
 * expressions say stays as it is, in parentheses.
 *
 * @throws AlonceError `CONFIG_INVALID`
 */
export function fenced<W extends FencedWrite>(write: W, fence: Fence, options: FencedOptions = {}): Fenced<W> {
  const attribute = attributeOf(options)
  const { Item, Key, ConditionExpression, ExpressionAttributeNames = {}, ExpressionAttributeValues = {} } = write
  if ((Item === undefined) === (Key === undefined)) {
    throw configInvalid('write', 'must be the input of a Put (with "Item") or of an Update (with "Key").')
  }
  const name = unused('#alonceFence', ExpressionAttributeNames)
  const value = unused(':alonceFence', ExpressionAttributeValues)
  const condition = `(attribute_not_exists(${name}) OR ${name} <= ${value})`
  return {
    ...write,
    ...(Item ? { Item: withFence(Item, attribute, fence) } : { UpdateExpression: setting(write, `${name} = ${value}`) }),
    ConditionExpression: ConditionExpression ? `(${ConditionExpression}) AND ${condition}` : condition,
    ExpressionAttributeNames: { ...ExpressionAttributeNames, [name]: attribute },
    ExpressionAttributeValues: { ...ExpressionAttributeValues, [value]: fence },
  } as unknown as Fenced<W>
}

function attributeOf({ attribute = 'fence' }: FencedOptions): string {
  if (typeof attribute === 'string' && attribute !== '' && attribute.length <= MAX_ATTRIBUTE_BYTES) return attribute
  throw configInvalid('attribute', `must be the name of an attribute, of 1 to ${MAX_ATTRIBUTE_BYTES} characters.`)
}

function withFence(item: Values, attribute: string, fence: Fence): Values {
  if (Object.hasOwn(item, attribute) && item[attribute] !== undefined) {
    throw configInvalid('attribute', `is "${attribute}", which the item has already: name an attribute that only fences are in.`)
  }
  return { ...item, [attribute]: fence }
}

/** `SET` is a reserved word, so an attribute of this name appears as `#set` only. Each clause may appear once. */
const SET = /(?<![#:.\w])SET\s+/i

function setting({ UpdateExpression = '' }: FencedWrite, assignment: string): string {
  if (SET.test(UpdateExpression)) return UpdateExpression.replace(SET, (set) => `${set}${assignment}, `)
  return `SET ${assignment} ${UpdateExpression}`.trimEnd()
}

/** A placeholder that the caller does not use. */
function unused(placeholder: string, taken: object): string {
  let free = placeholder
  for (let n = 2; Object.hasOwn(taken, free); n++) free = `${placeholder}${n}`
  return free
}
