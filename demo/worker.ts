import { AsyncLocalStorage } from 'node:async_hooks'
import type { Context } from 'aws-lambda'
import { type PaymentsHandler, paymentsHandler } from '../functions/payments/handler.ts'
import { httpProvider } from '../functions/payments/http-provider.ts'
import type { AlonceEvent } from '../lib/events/events.ts'
import { bareHandler } from './bare-handler.ts'
import type { BooksSetup, FromWorker, FunctionAnswer, FunctionEvent, ToWorker, WorkerSetup } from './messages.ts'
import { openStore } from './open-store.ts'
import { DELIVERY_HEADER } from './transit.ts'

/** A process as Lambda would run it, for a storm's parent that delivers events over IPC and dies with it. */
const setup = JSON.parse(process.argv[2] ?? '{}') as WorkerSetup
const INVOCATION_MS = setup.invocationMs ?? 10_000

/** The delivery at work, so that each request and each event can be told apart by it, however many run at once. */
const current = new AsyncLocalStorage<string>()
const report = (message: FromWorker): void => void process.send?.(message)

const onEvent = (event: AlonceEvent): void => report({ type: 'event', delivery: current.getStore() ?? '', event })
const handler = (setup.books ? await booksHandler(setup.books) : await payments()) as Handler

type Handler = (event: FunctionEvent, context: Context) => Promise<FunctionAnswer>

async function payments(): Promise<PaymentsHandler> {
  const provider = httpProvider({
    url: setup.providerUrl,
    timeoutMs: setup.providerTimeoutMs,
    fetch: (input, init) => {
      const headers = new Headers(init?.headers)
      headers.set(DELIVERY_HEADER, current.getStore() ?? '')
      return fetch(input, { ...init, headers })
    },
  })
  if (setup.unprotected) return bareHandler(provider)
  const store = await openStore(setup.store, () => current.getStore())
  return paymentsHandler({ store, provider, leaseMs: setup.leaseMs, onEvent })
}

/** They book in DynamoDB: its client is loaded for them only. */
async function booksHandler(books: BooksSetup): Promise<unknown> {
  const { bookingHandler } = await import('./booking-handler.ts')
  return bookingHandler({ setup, books, onEvent, delivery: () => current.getStore() })
}

async function answer({ delivery, event }: ToWorker): Promise<void> {
  const endsAt = performance.now() + INVOCATION_MS
  const context = { awsRequestId: delivery, getRemainingTimeInMillis: () => endsAt - performance.now() } as Context
  try {
    report({ type: 'answer', delivery, answer: await handler(event, context) })
  } catch (error) {
    report({ type: 'threw', delivery, message: error instanceof Error ? error.message : String(error) })
  }
}

process.on('message', (message: ToWorker) => void current.run(message.delivery, () => answer(message)))
process.on('disconnect', () => process.exit())
report({ type: 'ready' })
