import { describe, expect, test } from 'vitest'
import { fenced } from '../../lib/lock/fenced.ts'
import type { Fence } from '../../lib/store/record.ts'

const fence = 7 as Fence
const CONDITION = '(attribute_not_exists(#alonceFence) OR #alonceFence <= :alonceFence)'
const TableName = 'accounts'
const Key = { id: 'a1' }

describe('a fenced write', () => {
  test('a Put carries the fence, and the condition that no larger one is there', () => {
    expect(fenced({ TableName, Item: { id: 'a1', cents: 5 } }, fence)).toEqual({
      TableName,
      Item: { id: 'a1', cents: 5, fence: 7 },
      ConditionExpression: CONDITION,
      ExpressionAttributeNames: { '#alonceFence': 'fence' },
      ExpressionAttributeValues: { ':alonceFence': 7 },
    })
  })

  test.each([
    ['SET cents = :c', 'SET #alonceFence = :alonceFence, cents = :c'],
    ['set cents = :c REMOVE note', 'set #alonceFence = :alonceFence, cents = :c REMOVE note'],
    ['REMOVE note SET cents = :c', 'REMOVE note SET #alonceFence = :alonceFence, cents = :c'],
    ['ADD visits :one', 'SET #alonceFence = :alonceFence ADD visits :one'],
    ['REMOVE #set, a.#set', 'SET #alonceFence = :alonceFence REMOVE #set, a.#set'],
    ['REMOVE offset', 'SET #alonceFence = :alonceFence REMOVE offset'],
    ['ADD v :set', 'SET #alonceFence = :alonceFence ADD v :set'],
    [undefined, 'SET #alonceFence = :alonceFence'],
  ])('an Update that says %j then says %j', (UpdateExpression, expected) => {
    expect(fenced({ TableName, Key, UpdateExpression }, fence).UpdateExpression).toBe(expected)
  })

  test('the caller’s condition holds as well, whatever it is made of', () => {
    const write = { TableName, Key, UpdateExpression: 'SET cents = :c', ConditionExpression: 'cents > :c OR vip = :yes' }
    expect(fenced(write, fence).ConditionExpression).toBe(`(cents > :c OR vip = :yes) AND ${CONDITION}`)
  })

  test('the caller’s names and values stay, even when they are ours', () => {
    const write = {
      TableName,
      Key,
      UpdateExpression: 'SET #alonceFence = :alonceFence',
      ExpressionAttributeNames: { '#alonceFence': 'mine', '#alonceFence2': 'too' },
      ExpressionAttributeValues: { ':alonceFence': 'x' },
    }
    const { UpdateExpression, ExpressionAttributeNames, ExpressionAttributeValues } = fenced(write, fence, { attribute: 'f' })
    expect(UpdateExpression).toBe('SET #alonceFence3 = :alonceFence2, #alonceFence = :alonceFence')
    expect(ExpressionAttributeNames).toEqual({ ...write.ExpressionAttributeNames, '#alonceFence3': 'f' })
    expect(ExpressionAttributeValues).toEqual({ ':alonceFence': 'x', ':alonceFence2': 7 })
  })

  test('the caller’s own object is left as it is', () => {
    const write = Object.freeze({ TableName, Item: Object.freeze({ id: 'a1' }) })
    fenced(write, fence)
    expect(write).toEqual({ TableName, Item: { id: 'a1' } })
  })

  test.each([
    ['neither Item nor Key', { TableName }, {}, 'write'],
    ['both', { TableName, Item: {}, Key }, {}, 'write'],
    ['an item that has the attribute', { TableName, Item: { fence: 3 } }, {}, 'attribute'],
    ['an attribute without a name', { TableName, Key }, { attribute: '' }, 'attribute'],
  ])('%s is CONFIG_INVALID', (_, write, options, option) => {
    expect(() => fenced(write, fence, options)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID', option }))
  })
})
