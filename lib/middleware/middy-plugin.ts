import type middy from '@middy/core'
import { configInvalid } from '../store/errors.ts'
import { callable } from '../store/option.ts'
import {
  type Ending,
  endAll,
  isMiddysTimeout,
  isStillRunning,
  type MiddyRequest,
  registryOf,
  type Trace,
} from './middy-request.ts'

/** The second argument of middy, as the installed major knows it. */
export type PluginConfig = NonNullable<Parameters<typeof middy>[1]>

const OURS = ['requestStart', 'beforeHandler', 'requestEnd', 'timeoutEarlyResponse'] as const

/**
 * The safety net under `locked` and `idempotent`, for where middy skips their ends: locks are released, and the operation is
 * completed when the handler ran, fails with the error when it threw, and is given back when it was never called. Where that
 * can't be known it is left to its lease, and the event `completion-failed` tells.
 *
 * A configuration of your own goes in here, hooks and `timeoutEarlyResponse` above all; other options may as well be spread
 * beside it. middy 6 calls `requestEnd` for answers only: there, what an `onError` that throws has skipped stays until its
 * lease ends. Nothing can change the response any more when `requestEnd` runs.
 *
 * @throws AlonceError `CONFIG_INVALID` when a hook is not a function
 *
 * @example
 * middy({ ...aloncePlugin(), timeoutEarlyInMillis: 0 }).use(idempotent({ … })).handler(charge)
 */
export function aloncePlugin(config: PluginConfig = {}): PluginConfig {
  checkHooks(config)
  /** From `beforeHandler` to middy's reading of the handler's arguments: one synchronous stretch, so of one request only. */
  let handlerIsNext = false
  let watches = false
  const takeTurn = (): boolean => {
    const turn = handlerIsNext
    handlerIsNext = false
    return turn
  }
  const hooks: PluginConfig = {
    requestStart(request) {
      watches = typeof request === 'object'
      if (watches) watch(request as MiddyRequest, takeTurn)
      config.requestStart?.(request)
    },
    beforeHandler() {
      config.beforeHandler?.()
      handlerIsNext = true
    },
    async requestEnd(request) {
      try {
        await endAll(request as MiddyRequest, endingOf(request as MiddyRequest))
      } finally {
        await config.requestEnd?.(request)
      }
    },
  }
  const { timeoutEarlyResponse } = config
  if (!timeoutEarlyResponse) return { ...config, ...hooks }
  const marked = marking(timeoutEarlyResponse)
  return { ...config, ...hooks, timeoutEarlyResponse: () => (watches ? marked() : timeoutEarlyResponse()) }
}

function checkHooks(config: PluginConfig): void {
  if (typeof config !== 'object' || config === null) throw configInvalid('config', 'of aloncePlugin must be an object.')
  for (const name of OURS) callable(name, config[name])
}

/** The answer or the error of an early time-out, on its way through middy into the request. */
class EarlyTimeout {
  readonly outcome: unknown

  constructor(outcome: unknown) {
    this.outcome = outcome
  }
}

/** middy's early time-out knows no request: its outcome is marked here, and unwrapped where middy assigns it. */
function marking(timeoutEarlyResponse: () => unknown): () => Promise<EarlyTimeout> {
  return async () => {
    try {
      return new EarlyTimeout(await timeoutEarlyResponse())
    } catch (error) {
      throw new EarlyTimeout(error)
    }
  }
}

/**
 * Watches what middy does to the request, which tells no hook of it: it reads `event` when it calls the handler, and assigns
 * `response` and `error`. Other middlewares do so as well; `takeTurn` says whether the reader calls the handler.
 */
function watch(request: MiddyRequest, takeTurn: () => boolean): void {
  const trace: Trace = { handlerCalled: false, answered: false, timedOut: false, failure: undefined }
  registryOf(request).trace = trace
  const values: { event: unknown; response: unknown; error: unknown } = request
  const { event, response, error } = values
  const unwrap = (value: unknown): unknown => {
    if (!(value instanceof EarlyTimeout)) return value
    trace.timedOut = true
    return value.outcome
  }
  define(request, 'event', {
    initial: event,
    onGet: () => {
      if (takeTurn()) trace.handlerCalled = true
    },
  })
  define(request, 'response', {
    initial: response,
    onSet: (value) => {
      if (!Object.hasOwn(request, 'earlyResponse')) trace.answered = true
      return unwrap(value)
    },
  })
  define(request, 'error', {
    initial: error,
    onSet: (value) => {
      const unwrapped = unwrap(value)
      if (isMiddysTimeout(unwrapped)) trace.timedOut = true
      // Whoever clears the error has handled it; the handler has failed all the same.
      trace.failure = { error: unwrapped ?? trace.failure?.error }
      return unwrapped
    },
  })
}

interface Watched {
  readonly initial: unknown
  readonly onGet?: () => void
  readonly onSet?: (value: unknown) => unknown
}

function define(request: MiddyRequest, name: string, { initial, onGet, onSet }: Watched): void {
  let current = initial
  Object.defineProperty(request, name, {
    enumerable: true,
    configurable: true,
    get: () => {
      onGet?.()
      return current
    },
    set: (value: unknown) => {
      current = onSet ? onSet(value) : value
    },
  })
}

/** At the request's very end: how did the code end that something is still held for? */
function endingOf(request: MiddyRequest): Ending {
  const { trace } = registryOf(request)
  if (isStillRunning(request)) return { as: 'still-running' }
  const failure = trace?.failure ?? (request.error === undefined ? undefined : { error: request.error })
  if (failure) return { as: 'threw', error: failure.error }
  if (trace?.handlerCalled) return { as: 'returned', value: request.response }
  // Two witnesses, because a user's own `beforeHandler` may have taken the place of ours.
  return trace && !trace.answered ? { as: 'never-ran' } : { as: 'unknown' }
}
