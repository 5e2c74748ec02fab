import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda'
import type { Outcome } from './environment.ts'

/** Who is behind the queue: a `LambdaFunction`, say. */
export interface Consumer {
  invoke(event: SQSEvent): Promise<Outcome>
}

export interface QueueOptions {
  readonly batchSize: number
  /** After this a message that was received and not deleted can be received again. Lambda: at least the function's time-out. */
  readonly visibilityMs: number
  /** After so many it goes to the dead-letter queue. */
  readonly maxReceiveCount: number
  /** How many batches are with the function at a time. */
  readonly pollers: number
  /** Told what became of each batch. */
  readonly onBatch?: (batch: Batch) => void
  /** Told of a message that goes to the dead-letter queue. */
  readonly onDead?: (messageId: string) => void
}

export interface Batch {
  readonly deleted: readonly string[]
  /** They can be received again after the visibility time-out. */
  readonly kept: readonly Kept[]
}
export interface Kept {
  readonly messageId: string
  readonly receives: number
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
  readonly #consumer: Consumer
  readonly #options: QueueOptions
  readonly #messages = new Map<string, Message>()

  constructor(consumer: Consumer, options: QueueOptions) {
    this.#consumer = consumer
    this.#options = options
  }

  /** How many are neither deleted nor dead. */
  get size(): number {
    return this.#messages.size
  }

  /** @returns the message's id */
  send(body: object | string): string {
    const messageId = randomUUID()
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    this.#messages.set(messageId, { messageId, body: text, sentAtMs: Date.now(), receives: 0, visibleAtMs: 0 })
    return messageId
  }

  /** Resolves when every message has been deleted, or has gone to the dead-letter queue. */
  drain(): Promise<void> {
    return this.#pollUntil(() => this.#messages.size === 0)
  }

  /** Hands messages to the function until it is told to stop. */
  run(signal: AbortSignal): Promise<void> {
    return this.#pollUntil(() => signal.aborted)
  }

  async #pollUntil(done: () => boolean): Promise<void> {
    const poll = async (): Promise<void> => {
      while (!done()) {
        const batch = this.#receive()
        if (batch.length === 0) await delay(POLL_MS)
        else this.#settle(batch, await this.#consumer.invoke(eventOf(batch)))
      }
    }
    await Promise.all(Array.from({ length: this.#options.pollers }, poll))
  }

  #receive(): readonly Message[] {
    const now = Date.now()
    const visible = [...this.#messages.values()].filter(({ visibleAtMs }) => visibleAtMs <= now)
    const received: Message[] = []
    for (const message of visible) {
      if (received.length === this.#options.batchSize) break
      if (message.receives === this.#options.maxReceiveCount) {
        this.#bury(message)
        continue
      }
      message.receives++
      message.visibleAtMs = now + this.#options.visibilityMs
      received.push(message)
    }
    return received
  }

  #bury({ messageId, body }: Message): void {
    this.dead.push(body)
    this.#messages.delete(messageId)
    this.#options.onDead?.(messageId)
  }

  /** Deletes what the function did not name as failed. */
  #settle(batch: readonly Message[], outcome: Outcome): void {
    const failed = failedOf(batch, outcome)
    const isKept = ({ messageId }: Message): boolean => failed === 'all' || failed.has(messageId)
    const deleted = batch.filter((message) => !isKept(message)).map(({ messageId }) => messageId)
    for (const messageId of deleted) this.#messages.delete(messageId)
    const kept = batch.filter(isKept).map(({ messageId, receives }) => ({ messageId, receives }))
    this.#options.onBatch?.({ deleted, kept })
  }
}

/**
 * No answer at all counts as success. An invocation that failed, or names a message that the batch does not have, is a batch
 * that failed: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
 */
function failedOf(batch: readonly Message[], outcome: Outcome): ReadonlySet<string> | 'all' {
  if (outcome.kind !== 'returned') return 'all'
  const { batchItemFailures } = (outcome.value ?? {}) as Partial<SQSBatchResponse>
  const failed = new Set((batchItemFailures ?? []).map(({ itemIdentifier }) => itemIdentifier))
  const known = new Set(batch.map(({ messageId }) => messageId))
  return [...failed].every((id) => known.has(id)) ? failed : 'all'
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
