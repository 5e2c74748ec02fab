import { currentOperation, makeLocked, withIdempotency } from 'alonce'
import { describe, expect, test } from 'vitest'
import { backends } from '../../support/backends.ts'
import { work } from '../idempotency/stage.ts'
import { failing, message, open } from './stage.ts'

const FINE = async (): Promise<string> => 'shipped'

describe.each(backends)('a batch from SQS on $name', (backend) => {
  test('I31 ten messages: two duplicates, one in progress elsewhere, one failing: those two are returned', async () => {
    const s = await open(backend)
    const elsewhere = work()
    const other = s.actor()
    const running = withIdempotency({ store: other.store, operation: 'ship', key: 'elsewhere' }, elsewhere.run)
    await s.world.run(elsewhere.begun)

    const ids = ['o1', 'twin', 'o3', 'elsewhere', 'o5', 'twin', 'bad', 'o8', 'o9', 'o10']
    const records = ids.map((id, index) => message(id, {}, `m${index}`))
    expect(await s.deliver(s.consumer(failing('bad')), records)).toEqual(['m3', 'm6'])
    expect([...s.ran].sort()).toEqual(['bad', 'o1', 'o10', 'o3', 'o5', 'o8', 'o9', 'twin'])
    expect(s.failures).toMatchObject([
      { reason: 'failed', error: { code: 'IN_PROGRESS' } },
      { reason: 'failed', error: { name: 'RangeError', message: "can't ship bad" } },
    ])
    // What is in progress elsewhere has not run here, and its owner's outcome counts.
    elsewhere.finish('shipped elsewhere')
    expect(await s.world.run(running)).toBe('shipped elsewhere')
    expect((await s.record('ship', 'elsewhere'))?.attempt).toBe(1)

    const again = [message('elsewhere', { receiveCount: 2 }), message('bad', { receiveCount: 2 })]
    expect(await s.deliver(s.consumer(FINE), again)).toEqual([])
    expect(s.ran.slice(8)).toEqual(['bad'])
  })

  test('I31 duplicates of a message that fails are returned with it, after one run', async () => {
    const s = await open(backend)
    const records = ['a', 'b', 'c'].map((name) => message('bad', {}, name))
    expect(await s.deliver(s.consumer(failing('bad')), records)).toEqual(['a', 'b', 'c'])
    expect(s.ran).toEqual(['bad'])
    expect(s.failures.map(({ reason }) => reason)).toEqual(['failed', 'behind-failure', 'behind-failure'])
  })

  test('I31 a duplicate with another payload is refused, not taken for done', async () => {
    const s = await open(backend)
    const consumer = s.consumer(FINE, { fingerprint: (record) => record.body })
    const records = [message({ id: 'o1', amount: 1 }, {}, 'one'), message({ id: 'o1', amount: 2 }, {}, 'two')]
    expect(await s.deliver(consumer, records)).toEqual(['two'])
    expect(s.failures).toMatchObject([{ error: { code: 'FINGERPRINT_MISMATCH' } }])
  })

  test('I31 FIFO: a group runs in order and stops after its first failure, other groups go on', async () => {
    const s = await open(backend)
    const [a, b, c] = [{ group: 'a' }, { group: 'b' }, { group: 'c' }]
    const records = [
      message('a1', a),
      message('b1', b),
      message('a2', a),
      message('c1', c),
      message('b2', b),
      message('a3', a),
      message('c2', c),
      message('b3', b),
    ]
    expect(await s.deliver(s.consumer(failing('a2', 'b1')), records)).toEqual(['m-b1', 'm-a2', 'm-b2', 'm-a3', 'm-b3'])
    expect([...s.ran].sort()).toEqual(['a1', 'a2', 'b1', 'c1', 'c2'])
    expect(s.ran.filter((id) => id.startsWith('c'))).toEqual(['c1', 'c2'])
    expect(await s.record('ship', 'a3')).toBeUndefined()

    const retry = records.filter((record) => !record.messageId.startsWith('m-c') && record.messageId !== 'm-a1')
    expect(await s.deliver(s.consumer(FINE), retry)).toEqual([])
    expect(s.ran.slice(5).filter((id) => id.startsWith('b'))).toEqual(['b1', 'b2', 'b3'])
  })

  test('I31 FIFO: what is in progress elsewhere stops its group too', async () => {
    const s = await open(backend)
    const elsewhere = work()
    const running = withIdempotency({ store: s.actor().store, operation: 'ship', key: 'a1' }, elsewhere.run)
    await s.world.run(elsewhere.begun)
    const records = [message('a1', { group: 'a' }), message('a2', { group: 'a' }), message('b1', { group: 'b' })]
    expect(await s.deliver(s.consumer(FINE), records)).toEqual(['m-a1', 'm-a2'])
    expect(s.ran).toEqual(['b1'])
    elsewhere.finish('done')
    await s.world.run(running)
  })

  test('I31 what the remaining time does not allow to start is returned as failed, and has no record', async () => {
    const s = await open(backend)
    const slow = async (): Promise<void> => void (await s.world.advance(4000))
    const consumer = s.consumer(slow, { concurrency: 1, minRemainingMs: 5000 })
    const records = ['o1', 'o2', 'o3', 'o4'].map((id) => message(id))
    expect(await consumer({ Records: records }, s.lambda(10_000))).toEqual({
      batchItemFailures: [{ itemIdentifier: 'm-o3' }, { itemIdentifier: 'm-o4' }],
    })
    expect(s.ran).toEqual(['o1', 'o2'])
    expect(s.failures.map(({ reason }) => reason)).toEqual(['out-of-time', 'out-of-time'])
    expect(await s.record('ship', 'o3')).toBeUndefined()
  })

  test('a message that was delivered before is read before anything is written', async () => {
    const s = await open(backend)
    const consumer = s.consumer(failing('bad'), { fingerprint: (record) => record.body })
    await s.deliver(consumer, [message('done'), message('bad')])
    const sent = s.app.wire.sent.length

    const again = { receiveCount: 2 }
    expect(await s.deliver(consumer, [message('done', again)])).toEqual([])
    expect(s.app.wire.sent.slice(sent)).toEqual(['read'])
    expect(s.app.named('replayed')).toMatchObject([{ requests: 1 }])
    expect(await s.deliver(consumer, [message({ id: 'done', amount: 3 }, again)])).toEqual(['m-done'])
    expect(s.app.wire.sent.slice(sent)).toEqual(['read', 'read'])
    expect(await s.deliver(consumer, [message('bad', again)])).toEqual(['m-bad'])
    expect(s.app.wire.sent.slice(sent + 2)).toEqual(['read', 'once.begin', 'once.abandon'])
  })

  test('a message that was delivered before and runs elsewhere is refused by the read, until that lease ends', async () => {
    const s = await open(backend)
    const other = s.actor()
    void s.consumer(() => work().run(), { leaseMs: 3000 }, other)({ Records: [message('o1')] }, s.lambda(60_000))
    await s.world.settle()
    other.client.kill()
    const sent = s.app.wire.sent.length
    expect(await s.deliver(s.consumer(FINE), [message('o1', { receiveCount: 2 })])).toEqual(['m-o1'])
    // Before its first reply a client of DynamoDB knows no time, so there the write tells; a second one knows it by the read.
    expect(await s.deliver(s.consumer(FINE), [message('o1', { receiveCount: 3 })])).toEqual(['m-o1'])
    expect(s.app.wire.sent.slice(sent)).toEqual(['read', 'read'])
    await s.world.advance(10_000)
    expect(await s.deliver(s.consumer(FINE), [message('o1', { receiveCount: 4 })])).toEqual([])
    expect(s.app.named('took-over')).toHaveLength(1)
  })

  test('each message has its own operation, and a lock inside it', async () => {
    const s = await open(backend)
    const seen: [string, number][] = []
    const locked = makeLocked(async () => void seen.push([currentOperation().key, currentOperation().attempt]), {
      store: s.app.store,
      key: 'stock',
    })
    expect(await s.deliver(s.consumer(locked), [message('o1'), message('o2')])).toEqual([])
    expect(new Set(seen.map(([key]) => key)).size).toBe(2)
    expect(s.app.client.pendingTimers).toBe(0)
  })
})
