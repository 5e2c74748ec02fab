import { type AttributeValue, ScanCommand, type ScanCommandInput, type ScanCommandOutput } from '@aws-sdk/client-dynamodb'
import { isAlonceError } from '../../store/errors.ts'
import type { RecordKey } from '../../store/record.ts'
import { decodeHead, STATUS } from '../../stores/dynamodb/item.ts'
import type { ListEntry, ListPage, ListQuery } from '../backend.ts'
import { UsageError } from '../status.ts'
import { type Connection, send } from './connection.ts'

type Item = Record<string, AttributeValue>

/** What one request looks at, at most: small enough that progress is seen. */
const PAGE_ITEMS = 1000

/**
 * By `Scan`: a table that is keyed by record has no order to list by, and an index would cost every write. Eventually
 * consistent, which costs half.
 */
export async function* listing(connection: Connection, query: ListQuery): AsyncGenerator<ListPage> {
  let from = query.from === undefined ? undefined : startOf(query.from)
  let left = query.scanLimit
  do {
    const input = { ...scanOf(connection, query), Limit: Math.min(PAGE_ITEMS, left), ...(from && { ExclusiveStartKey: from }) }
    const page = await send<ScanCommandOutput>(connection, new ScanCommand(input))
    const entries = (page.Items ?? []).map((item) => entryOf(item, connection.namespace))
    const scanned = page.ScannedCount ?? 0
    left -= scanned
    from = page.LastEvaluatedKey
    const next = from && positionOf(from)
    yield { entries, scanned, readUnits: page.ConsumedCapacity?.CapacityUnits ?? 0, next }
  } while (from && left > 0)
}

function scanOf({ tableName, namespace }: Connection, { prefix, completed }: ListQuery): ScanCommandInput {
  const condition = 'sk = :head AND begins_with(pk, :prefix)'
  return {
    TableName: tableName,
    FilterExpression: completed ? condition : `${condition} AND (attribute_not_exists(s) OR s <> :completed)`,
    ExpressionAttributeValues: {
      ':head': { S: 'head' },
      ':prefix': { S: `${namespace}/${prefix}` },
      ...(!completed && { ':completed': { S: STATUS.completed } }),
    },
    ReturnConsumedCapacity: 'TOTAL',
  }
}

function entryOf(item: Item, namespace: string): ListEntry {
  const key = (item['pk']?.S ?? '').slice(namespace.length + 1) as RecordKey
  return { key, record: recordOf(item, key), position: positionOf(item) }
}

function recordOf(item: Item, key: RecordKey): ListEntry['record'] {
  try {
    return decodeHead(item, key).record
  } catch (error) {
    if (isAlonceError(error)) return error.code
    throw error
  }
}

const positionOf = ({ pk, sk }: Item): string => Buffer.from(JSON.stringify([pk?.S, sk?.S])).toString('base64url')

function startOf(position: string): Item {
  try {
    const [pk, sk] = JSON.parse(Buffer.from(position, 'base64url').toString()) as unknown[]
    if (typeof pk === 'string' && typeof sk === 'string') return { pk: { S: pk }, sk: { S: sk } }
  } catch {
    // Said below.
  }
  throw new UsageError('--from takes what an earlier "alonce ls" of the same table printed, and nothing else.')
}
