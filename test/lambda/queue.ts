import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda'
import type { Outcome } from './environment.ts'
import type { LambdaFunction } from './lambda.ts'

export interface QueueOptions {
  readonly batchSize: number
  /** After this a message that was received and not deleted can be received again. Lambda: at least the function's time-out. */
  readonly visibilityMs: number
  /** After so many it goes to the dead-letter queue. */
  readonly maxReceiveCount: number
  /** How many batches are with the function at a time. */
  readonly pollers: number
}

interface Message {
  readonly messageId: string
  readonly body: string
  readonly sentAtMs: number
  receives: number
  visibleAtMs: number
}

const POLL_MS = 20

/** A standard queue with a function behind it, whose trigger has `ReportBatchItemFailures` on. */
export class Queue {
  /** The bodies of the messages that were received too often. */
  readonly dead: string[] = []
  readonly #fn: LambdaFunction
  readonly #options: QueueOptions
  readonly #messages = new Map<string, Message>()

  constructor(fn: LambdaFunction, options: QueueOptions) {
    this.#fn = fn
    this.#options = options
  }

  send(body: object): void {
    const message = { messageId: randomUUID(), body: JSON.stringify(body), sentAtMs: Date.now(), receives: 0, visibleAtMs: 0 }
    this.#messages.set(message.messageId, message)
  }

  /** Resolves when every message has been deleted, or has gone to the dead-letter queue. */
  async drain(): Promise<void> {
    await Promise.all(Array.from({ length: this.#options.pollers }, () => this.#poll()))
  }

  async #poll(): Promise<void> {
    while (this.#messages.size > 0) {
      const batch = this.#receive()
      if (batch.length === 0) await delay(POLL_MS)
      else this.#delete(batch, await this.#fn.invoke(eventOf(batch)))
    }
  }

  #receive(): readonly Message[] {
    const now = Date.now()
    const visible = [...this.#messages.values()].filter(({ visibleAtMs }) => visibleAtMs <= now)
    const received: Message[] = []
    for (const message of visible) {
      if (received.length === this.#options.batchSize) break
      if (message.receives === this.#options.maxReceiveCount) {
        this.dead.push(message.body)
        this.#messages.delete(message.messageId)
        continue
      }
      message.receives++
      message.visibleAtMs = now + this.#options.visibilityMs
      received.push(message)
    }
    return received
  }

  /** What the function did not name as failed. Of a batch whose invocation failed, nothing. */
  #delete(batch: readonly Message[], outcome: Outcome): void {
    if (outcome.kind !== 'returned') return
    const failed = new Set((outcome.value as SQSBatchResponse).batchItemFailures.map(({ itemIdentifier }) => itemIdentifier))
    for (const { messageId } of batch) if (!failed.has(messageId)) this.#messages.delete(messageId)
  }
}

function eventOf(batch: readonly Message[]): SQSEvent {
  const Records = batch.map(({ messageId, body, receives, sentAtMs }) => ({
    messageId,
    receiptHandle: messageId,
    body,
    attributes: {
      ApproximateReceiveCount: String(receives),
      SentTimestamp: String(sentAtMs),
      SenderId: 'sender',
      ApproximateFirstReceiveTimestamp: String(sentAtMs),
    },
    messageAttributes: {},
    md5OfBody: '',
    eventSource: 'aws:sqs',
    eventSourceARN: 'arn:aws:sqs:eu-central-1:000000000000:orders',
    awsRegion: 'eu-central-1',
  }))
  return { Records }
}
