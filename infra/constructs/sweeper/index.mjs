import { DeleteItemCommand, DynamoDBClient, ScanCommand } from '@aws-sdk/client-dynamodb'

// JavaScript, because it is deployed as it lies here: this file is the function's code.

/** A run that has no time for the whole table begins the next hour with another part of it. */
const SEGMENTS = 24
/** Deletions at once. */
const PARALLEL = 16
/** What a page and its deletions need. Milliseconds. */
const RESERVE_MS = 30_000
const HOUR_MS = 3_600_000

let client

export async function handler(event, context) {
  client ??= new DynamoDBClient({})
  const now = Date.parse(event.time)
  const swept = await sweep({
    client,
    tableName: process.env.ALONCE_TABLE,
    now,
    remainingMs: () => context.getRemainingTimeInMillis(),
  })
  console.log(JSON.stringify({ alonce: 'swept', ...swept }))
  return swept
}

/** A record's `ttl` is a day behind whatever it is still good for, so nobody's clock matters here. */
export async function sweep({ client, tableName, now, remainingMs }) {
  const tally = { seen: 0, deleted: 0, left: 0, finished: true }
  const first = Math.floor(now / HOUR_MS) % SEGMENTS
  for (let step = 0; step < SEGMENTS; step++) {
    await sweepSegment({ client, tableName, now, remainingMs, segment: (first + step) % SEGMENTS }, tally)
    if (!tally.finished) break
  }
  return tally
}

async function sweepSegment({ client, tableName, now, remainingMs, segment }, tally) {
  const seconds = { ':now': { N: String(Math.floor(now / 1000)) } }
  let from
  do {
    if (remainingMs() < RESERVE_MS) {
      tally.finished = false
      return
    }
    const page = await client.send(
      new ScanCommand({
        TableName: tableName,
        Segment: segment,
        TotalSegments: SEGMENTS,
        FilterExpression: '#ttl < :now',
        ProjectionExpression: 'pk, sk',
        ExpressionAttributeNames: { '#ttl': 'ttl' },
        ExpressionAttributeValues: seconds,
        ExclusiveStartKey: from,
      }),
    )
    const expired = page.Items ?? []
    tally.seen += page.ScannedCount ?? 0
    for (let start = 0; start < expired.length; start += PARALLEL) {
      const gone = await Promise.all(
        expired.slice(start, start + PARALLEL).map((key) => remove({ client, tableName, key, seconds })),
      )
      tally.deleted += gone.filter(Boolean).length
      tally.left += gone.filter((deleted) => !deleted).length
    }
    from = page.LastEvaluatedKey
  } while (from)
}

/** Only what has still expired: the record may have been begun again since it was read. */
async function remove({ client, tableName, key, seconds }) {
  try {
    await client.send(
      new DeleteItemCommand({
        TableName: tableName,
        Key: key,
        ConditionExpression: '#ttl < :now',
        ExpressionAttributeNames: { '#ttl': 'ttl' },
        ExpressionAttributeValues: seconds,
      }),
    )
    return true
  } catch (error) {
    // Another region writes it at this moment, or it lives again: the next run looks again.
    if (error.name === 'ConditionalCheckFailedException' || error.name === 'ReplicatedWriteConflictException') return false
    throw error
  }
}
