import type { MiddlewareObj, Request } from '@middy/core'
import { beginOperation, type Operation, type Running } from '../idempotency/operation.ts'
import { type IdempotencyOptions, type Plan, planOf } from '../idempotency/options.ts'
import { tellerOf } from '../idempotency/telling.ts'
import { findContext } from '../runtime/invocation.ts'
import { answerEarly, type Ending, endReturned, endThrown, expose, type MiddyRequest, take } from './middy-request.ts'

/** As for `makeIdempotent`; `key`, `scope` and `fingerprint` are functions of the event. */
export type IdempotentOptions<TEvent> = IdempotencyOptions<[event: TEvent]>

type WithOperation = Request['context'] & { alonce: { operation: Operation } }

/**
 * Runs what comes after it in the chain, and the handler, once for each key; other requests are answered with its result, as a
 * fresh copy. The handle is `context.alonce.operation`.
 *
 * `makeIdempotent` around the handler is the first choice: it sees every end of the handler. middy skips a middleware's end
 * when a later one answers early or for it. So put this last in the chain, and give middy an `aloncePlugin()`: without one,
 * such an answer leaves the operation in progress until its lease ends. After middy's early time-out it stays so in any case,
 * because the handler still runs. A `timeoutEarlyResponse` of your own goes into `aloncePlugin({ timeoutEarlyResponse })`:
 * without that, middy hides it, and its answer would be taken for the handler's.
 *
 * What is stored is the response as it is when this middleware's turn comes: middlewares before it in the chain change it
 * afterwards, for a replay as for the first answer.
 *
 * @throws AlonceError `CONFIG_INVALID` at once; each request rejects as a function of `makeIdempotent` does
 *
 * @example
 * middy(aloncePlugin())
 *   .use(idempotent({ store, operation: 'charge', key: (event: ChargeEvent) => event.paymentId }))
 *   .handler(async (event, context) => charge(event, context.alonce.operation.downstreamKey('charge')))
 */
export function idempotent<TEvent = unknown>(
  options: IdempotentOptions<TEvent>,
): MiddlewareObj<TEvent, unknown, Error, WithOperation> {
  const plan = planOf(options)
  const by = Symbol('idempotent')

  async function idempotentMiddlewareBefore(request: MiddyRequest): Promise<void> {
    const begun = await beginOperation(plan, { args: [request.event], context: findContext([request.context]) })
    switch (begun.kind) {
      case 'replay':
        return answerEarly(request, begun.value)
      case 'rethrow':
        throw begun.error
      case 'unprotected':
        return expose(request, 'operation', begun.handle)
      case 'run':
        take(request, { by, end: (ending) => end(begun.running, ending, plan) })
        return expose(request, 'operation', begun.running.handle)
    }
  }
  const idempotentMiddlewareAfter = (request: MiddyRequest): Promise<void> => endReturned(request, by)
  const idempotentMiddlewareOnError = (request: MiddyRequest): Promise<void> => endThrown(request, by)

  return { before: idempotentMiddlewareBefore, after: idempotentMiddlewareAfter, onError: idempotentMiddlewareOnError }
}

async function end(running: Running, ending: Ending, plan: Plan): Promise<unknown> {
  switch (ending.as) {
    case 'returned':
      return running.complete(ending.value)
    case 'threw':
      return running.fail(ending.error)
    case 'never-ran':
      return running.giveBack()
    case 'still-running':
    case 'unknown': {
      // Its effect may be done or to come: only the lease's end may let another attempt begin.
      running.stop()
      const { key, fence, attempt } = running.handle
      tellerOf(plan, key)('completion-failed', { fence, attempt, reason: ending.as })
    }
  }
}
