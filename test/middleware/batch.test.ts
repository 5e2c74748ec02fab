import { currentOperation, type Store } from 'alonce'
import { idempotentBatch, idempotentDynamoDBBatch, idempotentKinesisBatch, type RecordFailure } from 'alonce/batch'
import { memoryStore } from 'alonce/memory'
import type { DynamoDBRecord, KinesisStreamRecord } from 'aws-lambda'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { runInLanes, type Verdict } from '../../lib/middleware/batch-loop.ts'
import { readingFirst } from '../../lib/middleware/batch-read-first.ts'
import { message, orderOf } from '../scenarios/batch/stage.ts'

const context = { getRemainingTimeInMillis: () => 60_000 }
const once = (store: Store = memoryStore()) => ({ store, operation: 'ship', onRecordFailure: () => undefined })
const identifiers = (response: { batchItemFailures: { itemIdentifier: string }[] }): string[] =>
  response.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier)

describe('options are checked when the handler is made', () => {
  const valid = { ...once(), key: 'k' }
  const fine = async (): Promise<void> => undefined
  test.each([
    ['options', () => idempotentBatch(fine, undefined as never)],
    ['recordHandler', () => idempotentBatch({} as never, valid)],
    ['key', () => idempotentBatch(fine, once() as never)],
    ['operation', () => idempotentBatch(fine, { ...valid, operation: '' })],
    ['store', () => idempotentBatch(fine, { ...valid, store: {} as never })],
    ['concurrency', () => idempotentBatch(fine, { ...valid, concurrency: 0 })],
    ['concurrency', () => idempotentBatch(fine, { ...valid, concurrency: 1.5 })],
    ['concurrency', () => idempotentBatch(fine, { ...valid, concurrency: 1001 })],
    ['minRemainingMs', () => idempotentBatch(fine, { ...valid, minRemainingMs: -1 })],
    ['onRecordFailure', () => idempotentBatch(fine, { ...valid, onRecordFailure: 'log' as never })],
    ['codec', () => idempotentBatch(fine, { ...valid, codec: {} } as never)],
    ['fingerprnt', () => idempotentKinesisBatch(fine, { ...valid, fingerprnt: 1 } as never)],
    ['operation', () => idempotentDynamoDBBatch(fine, { ...valid, operation: undefined as never })],
  ])('%s', (option, make) => {
    expect(make).toThrowError(expect.objectContaining({ code: 'CONFIG_INVALID', option }))
  })
})

describe('what comes in', () => {
  test('an empty batch has no failures', async () => {
    expect(await idempotentBatch(() => expect.unreachable(), { ...once(), key: 'k' })({ Records: [] }, context)).toEqual({
      batchItemFailures: [],
    })
  })

  test.each([[undefined], [null], [{}], [{ Records: 'none' }]])('an event that is no batch is refused: %j', async (event) => {
    const handler = idempotentBatch(() => expect.unreachable(), { ...once(), key: 'k' })
    await expect(handler(event as never, context)).rejects.toMatchObject({ code: 'CONFIG_INVALID', option: 'event' })
  })

  test('malformed records fail, the others run', async () => {
    const ran: unknown[] = []
    const failures: RecordFailure<unknown>[] = []
    const options = {
      ...once(),
      key: orderIdOf,
      onRecordFailure: (failure: RecordFailure<unknown>) => void failures.push(failure),
    }
    const handler = idempotentBatch((record) => ran.push(record.body), options)
    const bare = { messageId: 'bare', body: '{"id":"bare"}' } // no attributes, no ARN
    const records = [message('o1'), { ...message('o2'), body: '{not JSON' }, null, 'text', {}, bare]
    expect(identifiers(await handler({ Records: records as never }, context))).toEqual(['m-o2', '', '', ''])
    expect(ran).toEqual(['{"id":"o1"}', '{"id":"bare"}'])
    expect(failures.map(({ error }) => (error as Error).name)).toEqual([
      'SyntaxError',
      'AlonceError',
      'AlonceError',
      'SyntaxError',
    ])
  })

  test('a record without messageId runs; when it fails, the whole batch is returned, as it can’t be named', async () => {
    const { messageId: _, ...nameless } = message('o1')
    let fails = false
    const handler = idempotentBatch(
      async () => {
        if (fails) throw new Error('no stock')
      },
      { ...once(), key: orderIdOf },
    )
    expect(identifiers(await handler({ Records: [nameless as never] }, context))).toEqual([])
    fails = true
    const { messageId: __, ...another } = message('o2')
    expect(identifiers(await handler({ Records: [another as never] }, context))).toEqual([''])
  })

  test('a standard queue’s message group (fair queues) is no order: its messages do not stop after a failure', async () => {
    const fair = ['bad', 'good'].map((id) => {
      const record = message(id)
      return { ...record, attributes: { ...record.attributes, MessageGroupId: 'tenant' } }
    })
    const handler = idempotentBatch(
      (record) => {
        if (orderIdOf(record) === 'bad') throw new Error('no stock')
      },
      { ...once(), key: orderIdOf },
    )
    expect(identifiers(await handler({ Records: fair }, context))).toEqual(['m-bad'])
  })
})

describe('failures are told', () => {
  afterEach(() => vi.restoreAllMocks())
  const failing = (error: unknown, more: object = {}) =>
    idempotentBatch(
      () => {
        throw error
      },
      { store: memoryStore(), operation: 'ship', key: 'k', ...more },
    )

  test('by a line on the console, unless somebody listens', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined)
    await failing(new RangeError('no stock'))({ Records: [message('o1')] }, context)
    await failing('a string')({ Records: [message('o1')] }, context)
    expect(warn.mock.calls.map(([line]) => JSON.parse(line as string))).toEqual([
      {
        alonce: 'record-failed',
        operation: 'ship',
        itemIdentifier: 'm-o1',
        reason: 'failed',
        name: 'RangeError',
        message: 'no stock',
      },
      { alonce: 'record-failed', operation: 'ship', itemIdentifier: 'm-o1', reason: 'failed', message: 'a string' },
    ])
  })

  test('to a listener, whose own error changes nothing', async () => {
    const warning = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    const onRecordFailure = (): never => {
      throw new Error('the listener')
    }
    const handler = failing(new Error('no stock'), { onRecordFailure })
    expect(identifiers(await handler({ Records: [message('o1')] }, context))).toEqual(['m-o1'])
    expect(warning).toHaveBeenCalledOnce()
  })
})

describe('streams', () => {
  const kinesis = (sequenceNumber: string, partitionKey: string) =>
    ({ eventID: sequenceNumber, kinesis: { sequenceNumber, partitionKey, data: '' } }) as KinesisStreamRecord
  const change = (SequenceNumber: string, id: string) =>
    ({ eventID: SequenceNumber, eventName: 'MODIFY', dynamodb: { SequenceNumber, Keys: { id: { S: id } } } }) as DynamoDBRecord

  test('Kinesis: the lowest failed number is returned; a key’s records run in order; what is done is not run again', async () => {
    const ran: string[] = []
    let bad = ['102', '103']
    const handler = idempotentKinesisBatch(
      (record: KinesisStreamRecord) => {
        const { sequenceNumber } = record.kinesis
        ran.push(sequenceNumber)
        if (bad.includes(sequenceNumber)) throw new Error('no stock')
      },
      { ...once(), key: (record) => record.kinesis.sequenceNumber },
    )
    const records = [kinesis('101', 'a'), kinesis('102', 'a'), kinesis('103', 'b'), kinesis('104', 'a'), kinesis('105', 'c')]
    expect(identifiers(await handler({ Records: records }, context))).toEqual(['102'])
    expect(ran.sort()).toEqual(['101', '102', '103', '105'])
    bad = []
    ran.length = 0
    expect(identifiers(await handler({ Records: records.slice(1) }, context))).toEqual([])
    expect(ran.sort()).toEqual(['102', '103', '104'])
  })

  test('DynamoDB: records of one item run in order, others do not wait for them', async () => {
    const ran: string[] = []
    const handler = idempotentDynamoDBBatch(
      async (record: DynamoDBRecord) => {
        ran.push(String(record.eventID))
        if (record.eventID === '2') throw new Error('no stock')
      },
      { ...once(), key: (record) => record.eventID },
    )
    const records = [change('1', 'x'), change('2', 'y'), change('3', 'y'), change('4', 'x')]
    expect(identifiers(await handler({ Records: records }, context))).toEqual(['2'])
    expect(ran.sort()).toEqual(['1', '2', '4'])
  })

  test.each([
    ['Kinesis', (handle: () => never) => idempotentKinesisBatch(handle, { ...once(), key: 'k' })],
    ['DynamoDB', (handle: () => never) => idempotentDynamoDBBatch(handle, { ...once(), key: 'k' })],
  ])('%s: a failed record that can’t be named makes Lambda start the batch again', async (_name, make) => {
    const handler = make(() => {
      throw new Error('no stock')
    })
    expect(identifiers(await handler({ Records: [{} as never] }, context))).toEqual([''])
  })
})

describe('the loop', () => {
  const tasksOf = (count: number, run: (index: number) => Promise<void>, lanes: (index: number) => string[] = () => []) =>
    Array.from({ length: count }, (_, index) => ({ lanes: lanes(index), run: () => run(index) }))
  const as = (verdicts: readonly Verdict[]): string[] => verdicts.map((verdict) => verdict.as)

  test('never runs more at once than it may, and starts in order', async () => {
    let [running, most] = [0, 0]
    const started: number[] = []
    const tasks = tasksOf(40, async (index) => {
      started.push(index)
      most = Math.max(most, ++running)
      await Promise.resolve()
      running--
    })
    expect(new Set(as(await runInLanes(tasks, { concurrency: 3, mayStart: () => true })))).toEqual(new Set(['done']))
    expect(most).toBe(3)
    expect(started).toEqual([...started].sort((a, b) => a - b))
  })

  test('two lanes that cross do not wait for each other in a circle, even one at a time', async () => {
    const lanes = [
      ['a', 'x'],
      ['b', 'y'],
      ['a', 'y'],
      ['b', 'x'],
    ]
    const ran: number[] = []
    const tasks = tasksOf(
      4,
      async (index) => void ran.push(index),
      (index) => lanes[index] ?? [],
    )
    expect(as(await runInLanes(tasks, { concurrency: 1, mayStart: () => true }))).toEqual(['done', 'done', 'done', 'done'])
    expect(ran.slice(0, 2)).toEqual([0, 1])
  })

  test('what may not start has failed, and so has its lane', async () => {
    let starts = 0
    const tasks = tasksOf(
      4,
      async () => undefined,
      (index) => [index < 3 ? 'a' : 'b'],
    )
    const verdicts = await runInLanes(tasks, { concurrency: 1, mayStart: () => ++starts === 1 })
    expect(as(verdicts)).toEqual(['done', 'out-of-time', 'behind-failure', 'out-of-time'])
  })
})

test('a store that reads first can do whatever the store can do', async () => {
  class Counting {
    #reads = 0
    name = 'counting'
    inner = memoryStore()
    runtime = this.inner.runtime
    get capabilities() {
      return { ...this.inner.capabilities, reads: this.#reads }
    }
    now = () => this.inner.now()
    execute = this.inner.execute.bind(this.inner) as Store['execute']
    read(...args: Parameters<Store['read']>) {
      this.#reads++
      return this.inner.read(...args)
    }
  }
  const store = new Counting()
  const handler = idempotentBatch((record) => [orderOf(record as never), currentOperation().fence], { ...once(store), key: 'k' })
  expect(identifiers(await handler({ Records: [message('o1', { receiveCount: 2 })] }, context))).toEqual([])
  const { capabilities, name } = readingFirst(store)
  expect({ capabilities, name }).toMatchObject({ capabilities: { reads: 1 }, name: 'counting' })
})

function orderIdOf(record: { readonly body: string }): string {
  return (JSON.parse(record.body) as { id: string }).id
}
