import { randomUUID } from 'node:crypto'
import type { ScheduledEvent } from 'aws-lambda'
import { readJournal } from '../demo/journal.ts'
import type { DevFunction } from './dev-function.ts'
import { type HttpAnswer, httpAnswer, httpEvent, jsonAnswer } from './http-event.ts'
import type { Routes } from './http-server.ts'
import type { Batch, Queue } from './lambda/queue.ts'
import type { Log } from './log.ts'

/** API Gateway in front of a function. */
export function httpTrigger(fn: DevFunction, path: string): Routes {
  const routeKey = `POST ${path}`
  return { [routeKey]: async (request, body) => httpAnswer(await fn.invoke(httpEvent(request, body, routeKey))) }
}

/** A producer's way into the queue, and a look at what is in it. */
export function queueRoutes(queue: Queue, path: string): Routes {
  return {
    [`POST ${path}`]: async (_request, body) =>
      body.length === 0
        ? jsonAnswer(400, { message: 'The body is the message, and there is none.' })
        : jsonAnswer(202, { messageId: queue.send(body.toString()) }),
    [`GET ${path}`]: async () => jsonAnswer(200, { waiting: queue.size, dead: queue.dead }),
  }
}

/** What is told of a queue's batches. */
export function batchLog(log: Log, source: string, limits: { readonly visibilityMs: number; readonly maxReceiveCount: number }) {
  const { visibilityMs, maxReceiveCount } = limits
  return ({ deleted, kept }: Batch): void => {
    const failed = kept.map(({ messageId, receives }) => `${messageId} (received ${receives} of ${maxReceiveCount} times)`)
    const again = failed.length > 0 ? `; visible again in ${visibilityMs / 1000} s: ${failed.join(', ')}` : ''
    log({
      source,
      event: 'batch',
      text: `batch of ${deleted.length + kept.length}: ${deleted.length} done${again}`,
      deleted,
      kept,
    })
  }
}

/** The schedule, asked to fire now: with the time that a body may give, `{"time":"2026-11-25T02:00:00Z"}`. */
export function scheduleRoutes(fn: DevFunction, path: string): Routes {
  return {
    [`POST ${path}`]: async (_request, body) => {
      const time = timeOf(body)
      if (!time)
        return jsonAnswer(400, { message: 'The body must be empty, or {"time": …} with a time such as 2026-11-25T02:00:00Z.' })
      return httpAnswer(await fn.invoke(scheduledEvent(time)))
    },
  }
}

function timeOf(body: Buffer): Date | undefined {
  if (body.length === 0) return new Date()
  try {
    const { time } = JSON.parse(body.toString()) as { readonly time?: unknown }
    const date = new Date(String(time))
    return Number.isNaN(date.getTime()) ? undefined : date
  } catch {
    return undefined
  }
}

/** As EventBridge hands it over. */
export const scheduledEvent = (time: Date): ScheduledEvent => ({
  version: '0',
  id: randomUUID(),
  'detail-type': 'Scheduled Event',
  source: 'aws.events',
  account: '000000000000',
  time: time.toISOString().replace(/\.\d+Z$/, 'Z'),
  region: 'eu-central-1',
  resources: ['arn:aws:events:eu-central-1:000000000000:rule/settlement'],
  detail: {},
})

/** The charges that the payment provider has really made. */
export const journalRoutes = (journal: string): Routes => ({
  'GET /provider/charges': async (): Promise<HttpAnswer> => jsonAnswer(200, readJournal(journal)),
})
