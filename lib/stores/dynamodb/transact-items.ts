import type { TransactWriteItem } from '@aws-sdk/client-dynamodb'
import { AlonceError, configInvalid } from '../../store/errors.ts'
import type { TransactItem, Values } from '../../store/transaction.ts'
import type { Item } from './send.ts'

/** DynamoDB takes a hundred actions, of which one is ours. */
const MOST_ITEMS = 99
const MOST_BYTES = 4 * 1024 * 1024
const ACTIONS = ['Put', 'Update', 'Delete', 'ConditionCheck'] as const

type Marshall = (values: Values) => Item

/**
 * The caller's items as DynamoDB takes them. Whatever can be known to be wrong is found here, before anything is sent.
 *
 * @throws AlonceError `CONFIG_INVALID`
 */
export async function marshalled(items: readonly TransactItem[]): Promise<readonly TransactWriteItem[]> {
  if (!Array.isArray(items) || items.length > MOST_ITEMS) {
    throw configInvalid('items', `must be an array of at most ${MOST_ITEMS} items for a transaction.`)
  }
  const marshall = await marshaller()
  const all = items.map((item, index) => marshalledItem(item, index, marshall))
  const bytes = all.reduce((sum, { size }) => sum + size, 0)
  if (bytes > MOST_BYTES) throw configInvalid('items', `have ${bytes} bytes, and a transaction may have at most ${MOST_BYTES}.`)
  return all.map(({ item }) => item)
}

/** Loaded when it is needed: whoever never transacts need not install it. */
async function marshaller(): Promise<Marshall> {
  try {
    const { marshall } = await import('@aws-sdk/util-dynamodb')
    return (values) => marshall(values, { removeUndefinedValues: true })
  } catch {
    throw configInvalid('items', 'need the package @aws-sdk/lib-dynamodb: npm install @aws-sdk/lib-dynamodb')
  }
}

function marshalledItem(given: TransactItem, index: number, marshall: Marshall): { item: TransactWriteItem; size: number } {
  const { action, input } = actionOf(given, index)
  const fields: { readonly [name: string]: unknown } = { ...input }
  const done: { [name: string]: unknown } = { ...input }
  let size = 0
  for (const name of ['Item', 'Key', 'ExpressionAttributeValues']) {
    if (fields[name] === undefined) continue
    const values = marshalledValues(fields[name], { index, name, marshall })
    done[name] = values
    size += sizeOf(values)
  }
  return { item: { [action]: done } as unknown as TransactWriteItem, size }
}

function actionOf(given: TransactItem, index: number): { action: (typeof ACTIONS)[number]; input: { TableName: string } } {
  const names = typeof given === 'object' && given !== null ? ACTIONS.filter((action) => given[action] !== undefined) : []
  const action = names[0]
  if (action === undefined || names.length > 1) {
    throw configInvalid('items', `must each have one of ${ACTIONS.join(', ')}; item ${index} has ${names.length || 'none'}.`)
  }
  const input = given[action]
  if (typeof input?.TableName !== 'string' || input.TableName === '') {
    throw configInvalid('items', `must each name a table; item ${index} has no "TableName". Is an environment variable not set?`)
  }
  return { action, input: input as { TableName: string } }
}

interface Place {
  readonly index: number
  readonly name: string
  readonly marshall: Marshall
}

function marshalledValues(values: unknown, { index, name, marshall }: Place): Item {
  try {
    if (typeof values === 'object' && values !== null && !Array.isArray(values)) return marshall(values as Values)
  } catch {
    // What `marshall` says quotes the value.
    const problem = `hold in item ${index} a value that DynamoDB has no type for, in "${name}": a class instance, a function, an empty set, or a number beyond 2^53.`
    throw configInvalid('items', problem)
  }
  throw configInvalid('items', `must be plain objects; "${name}" of item ${index} is none.`)
}

/** DynamoDB's own rule, roughly: names and values in UTF-8, numbers by their digits, a few bytes for each list and map. */
function sizeOf(values: Item): number {
  return Object.entries(values).reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + sizeOfValue(value), 0)
}

function sizeOfValue(value: Item[string]): number {
  const { S, N, B, SS, NS, BS, L, M } = value as Partial<Sized>
  const texts = [S, N, ...(SS ?? []), ...(NS ?? [])].reduce((sum, text) => sum + Buffer.byteLength(text ?? ''), 0)
  const bytes = [B, ...(BS ?? [])].reduce((sum, part) => sum + (part?.byteLength ?? 0), 0)
  const nested = (L ?? []).reduce((sum, member) => sum + 1 + sizeOfValue(member), 0)
  return 1 + texts + bytes + nested + (M ? 3 + sizeOf(M) : 0)
}

interface Sized {
  readonly S: string
  readonly N: string
  readonly B: Uint8Array
  readonly SS: readonly string[]
  readonly NS: readonly string[]
  readonly BS: readonly Uint8Array[]
  readonly L: readonly Item[string][]
  readonly M: Item
}

/** What DynamoDB says of a whole transaction may be said of the caller's tables as well as of ours. */
export function ofTransaction(error: unknown): unknown {
  if (!(error instanceof AlonceError)) return error
  const { code, cause } = error
  if (cause instanceof Error && cause.name === 'ValidationException') {
    return configInvalid('items', `are no transaction that DynamoDB takes. It says: ${cause.message}`)
  }
  if (code !== 'STORE_NOT_FOUND' && code !== 'STORE_DENIED') return error
  return new AlonceError(code, `${error.message} In a transaction this may be about a table of your items, too.`, { cause })
}
