import { setTimeout as delay } from 'node:timers/promises'
import type { BatchResponse } from 'alonce/batch'
import type { SQSEvent, SQSRecord } from 'aws-lambda'
import type { Order } from '../functions/orders/order.ts'
import { ACT_LIMIT_MS, type Stage, startWorkers } from './act.ts'
import type { Outcome, Worker } from './fleet.ts'
import { LostInTransit } from './transit.ts'

export interface OrdersEvidence {
  readonly messages: number
  readonly deliveries: number
  /** How often a merchant's balance was raised for an order. */
  readonly bookings: number
  readonly doubleBookings: number
  readonly unbooked: readonly string[]
}

const DAY = '2026-11-24'
const MERCHANTS = ['m1', 'm2']
/** SQS makes a message visible again when nobody has confirmed it for so long. */
const VISIBILITY_MS = 3500
const PAUSE_MS = 400

/**
 * Two batches of three orders. One is delivered once more while a process is at it, which is killed right after it has booked; the
 * other's process is frozen with a booking on its way, which arrives when another process has booked the order since.
 */
export async function playOrders(stage: Stage): Promise<OrdersEvidence> {
  const { script, say, books } = stage
  const [first, second, third] = (await startWorkers(stage, 'orders', 3)) as [Worker, Worker, Worker]
  const booking = Promise.withResolvers<void>()
  script.on({ delivery: 'batch-1.1', step: /transact/i, side: 'before', nth: 1 }, async () => booking.resolve())
  script.on({ delivery: 'batch-1.1', step: /transact/i, side: 'applied', nth: 1 }, async () => {
    say('orders      KILLED a process that has booked an order, before it knew')
    first.kill()
    throw new LostInTransit('killed')
  })
  script.on({ delivery: 'batch-2.1', step: /transact/i, side: 'before', nth: 1 }, async () => {
    say(`orders      FROZEN a process for ${stage.freezeMs} ms, with a booking on its way`)
    await second.freeze(stage.freezeMs)
    say('orders      THAWED: its booking arrives, late')
  })
  const queue = new Queue(third)
  const [one, two] = [messagesOf('batch-1'), messagesOf('batch-2')]
  const firstBatch = queue.deliver('batch-1', one, first)
  const again = Promise.race([booking.promise, firstBatch]).then(() => queue.insist('batch-1-again', one))
  await Promise.all([firstBatch, again, queue.deliver('batch-2', two, second)])
  await queue.settled
  const booked = new Set((await books.orders(DAY)).map(({ sk }) => sk))
  const bookings = (await books.balances()).reduce((sum, { orders = 0 }) => sum + orders, 0)
  const all = [...one, ...two].map(({ body }) => (JSON.parse(body) as Order).orderId)
  const unbooked = all.filter((orderId) => !booked.has(orderId))
  return { messages: all.length, deliveries: queue.deliveries, bookings, doubleBookings: bookings - booked.size, unbooked }
}

/** A queue as SQS is one: what was not confirmed comes again. */
class Queue {
  deliveries = 0
  readonly #next: Worker
  readonly #open: Promise<unknown>[] = []
  readonly #until = performance.now() + ACT_LIMIT_MS

  constructor(next: Worker) {
    this.#next = next
  }

  /** Resolves when the processes that were given up have come to rest, too. */
  get settled(): Promise<unknown> {
    return Promise.all(this.#open)
  }

  /** First to `worker`, then to the next one until all are confirmed. */
  async deliver(name: string, messages: readonly SQSRecord[], worker: Worker): Promise<void> {
    const left = await this.#once(`${name}.1`, messages, worker)
    if (left.length > 0) await this.insist(name, left, 2)
  }

  async insist(name: string, messages: readonly SQSRecord[], from = 1): Promise<void> {
    let left = messages
    for (let attempt = from; left.length > 0 && performance.now() < this.#until; attempt++) {
      if (attempt > 1) await delay(PAUSE_MS)
      left = await this.#once(`${name}.${attempt}`, left, this.#next)
    }
  }

  /** @returns what is to be delivered again */
  async #once(delivery: string, messages: readonly SQSRecord[], worker: Worker): Promise<readonly SQSRecord[]> {
    this.deliveries++
    const answering = worker.deliver<BatchResponse>(delivery, { Records: [...messages] } satisfies SQSEvent)
    this.#open.push(answering)
    const outcome = await Promise.race([answering, delay(VISIBILITY_MS, { kind: 'crashed' } as Outcome<BatchResponse>)])
    if (outcome.kind !== 'answered') return messages
    const failed = new Set(outcome.answer.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier))
    return messages.filter(({ messageId }) => failed.has(messageId))
  }
}

const messagesOf = (batch: string): readonly SQSRecord[] =>
  [1, 2, 3].map((number) => {
    const orderId = `${batch}-o${number}`
    const order: Order = { orderId, merchantId: MERCHANTS[number % 2] ?? 'm1', amountMinor: 100 * number, day: DAY }
    return {
      messageId: orderId,
      receiptHandle: orderId,
      body: JSON.stringify(order),
      attributes: {
        ApproximateReceiveCount: '1',
        SentTimestamp: '0',
        SenderId: 'demo',
        ApproximateFirstReceiveTimestamp: '0',
      },
      messageAttributes: {},
      md5OfBody: '',
      eventSource: 'aws:sqs',
      eventSourceARN: 'arn:aws:sqs:eu-central-1:000000000000:orders',
      awsRegion: 'eu-central-1',
    }
  })
