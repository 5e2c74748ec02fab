// Compiled, never run: a lock's part in writes of the caller's own, as lib-dynamodb takes them.
import { PutCommand, TransactWriteCommand, UpdateCommand, type UpdateCommandInput } from '@aws-sdk/lib-dynamodb'
import type { Lock } from 'alonce'
import { makeIdempotent, type Store } from 'alonce'
import { jmespath } from 'alonce/jmespath'

declare const lock: Lock
declare const store: Store
declare const input: UpdateCommandInput

export const put = new PutCommand(lock.fenced({ TableName: 't', Item: { id: 'a', cents: 5 } }))
export const update = new UpdateCommand(
  lock.fenced({ TableName: 't', Key: { id: 'a' }, UpdateExpression: 'SET cents = :c', ExpressionAttributeValues: { ':c': 5 } }),
)
export const given = new UpdateCommand(lock.fenced(input, { attribute: 'settledBy' }))
export const together = new TransactWriteCommand({
  TransactItems: [lock.guard(), { Put: lock.fenced({ TableName: 't', Item: { id: 'a' } }) }],
})
// The caller's own type stays.
export const item: { id: string } = lock.fenced({ TableName: 't', Item: { id: 'a' } }).Item

export const byExpression = makeIdempotent(async (_event: { body: string }) => 1, {
  store,
  operation: 'x',
  key: jmespath('powertools_json(body).id'),
})

// @ts-expect-error a write names its table
export const m1 = lock.fenced({ Item: { id: 'a' } })
// @ts-expect-error an expression is a text
export const m2 = jmespath(5)
