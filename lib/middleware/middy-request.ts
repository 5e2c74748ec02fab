import type { Operation } from '../idempotency/operation.ts'
import type { Lock } from '../lock/handle.ts'

/** What we use of middy's request, in middy 6 and 7 alike. */
export interface MiddyRequest {
  readonly event: unknown
  context: object
  response: unknown
  earlyResponse?: unknown
  error: unknown
  readonly internal: { readonly [name: string]: unknown }
}

/** How the code that something was taken for came to its end. */
export type Ending =
  | { readonly as: 'returned'; readonly value: unknown }
  | { readonly as: 'threw'; readonly error: unknown }
  | { readonly as: 'never-ran' }
  /** middy's early time-out: the invocation ends, the handler goes on. */
  | { readonly as: 'still-running' }
  /** The code is at its end, but middy does not let us see at which. */
  | { readonly as: 'unknown' }

/** A lock or an operation that this request holds until it is told of the end. */
export interface Taken {
  /** The middleware that took it. */
  readonly by: symbol
  /** Resolves to the response: another one only when a newer attempt's outcome counts. */
  end(ending: Ending): Promise<unknown>
}

/** What the plugin has seen of a request. */
export interface Trace {
  handlerCalled: boolean
  /** A response was assigned that was not an early answer: by middy after the handler, or by hand in some `before`. */
  answered: boolean
  timedOut: boolean
  failure: { readonly error: unknown } | undefined
}

export interface Handles {
  lock?: Lock | undefined
  operation?: Operation | undefined
}

interface Registry {
  /** In the order in which it was taken. */
  readonly taken: Taken[]
  trace: Trace | undefined
  handles: Handles | undefined
}

/**
 * Registered, so that a plugin and a middleware from two copies of this package in one bundle see the same registry.
 */
const REGISTRY: unique symbol = Symbol.for('alonce.middy') as never

/**
 * What Alonce has at stake in a request: a hidden property of the request, which middy makes anew for each call. Not in
 * `request.internal`, which middy 6 shares between all requests when the plugin has an `internal`; nor in a map of this
 * module's, of which two copies of the package would have two.
 */
export function registryOf(request: MiddyRequest): Registry {
  const carrier: { [REGISTRY]?: Registry } = request as object
  const known = carrier[REGISTRY]
  if (known) return known
  const registry: Registry = { taken: [], trace: undefined, handles: undefined }
  Object.defineProperty(request, REGISTRY, { value: registry })
  return registry
}

export function take(request: MiddyRequest, taken: Taken): void {
  registryOf(request).taken.push(taken)
}

/** The end of `by`'s own part, when middy calls its `after`. */
export async function endReturned(request: MiddyRequest, by: symbol): Promise<void> {
  const mine = takeOut(request, by)
  if (!mine) return
  // A time-out's answer is not the handler's.
  if (isStillRunning(request)) await mine.end({ as: 'still-running' })
  else request.response = await mine.end({ as: 'returned', value: request.response })
}

/** The end of `by`'s own part, when middy calls its `onError`: also for what an earlier or later middleware has thrown. */
export async function endThrown(request: MiddyRequest, by: symbol): Promise<void> {
  const mine = takeOut(request, by)
  await mine?.end(isStillRunning(request) ? { as: 'still-running' } : { as: 'threw', error: request.error })
}

/** Ends whatever is left, the last taken first. Each is ended, whatever happens to another. */
export async function endAll(request: MiddyRequest, ending: Ending): Promise<void> {
  const failures: unknown[] = []
  const { taken } = registryOf(request)
  for (let last = taken.pop(); last; last = taken.pop()) {
    await last.end(ending).catch((error: unknown) => failures.push(error))
  }
  if (failures.length > 0) throw failures[0]
}

/**
 * Answers without the handler. middy then skips every `after`, so what was taken earlier in this request is given back here:
 * it was for a handler that never runs.
 */
export async function answerEarly(request: MiddyRequest, value: unknown): Promise<void> {
  await endAll(request, { as: 'never-ran' })
  await cleanUpPowertools(request)
  // Not by returning it: `undefined` is an answer too.
  request.earlyResponse = value
}

const POWERTOOLS = /* @__PURE__ */ ['tracer', 'metrics', 'logger', 'idempotency'].map((name) => `powertools-for-aws.${name}`)

/** What `cleanupMiddlewares` of @aws-lambda-powertools/commons does, which has no other way to hear of an early answer. */
async function cleanUpPowertools(request: MiddyRequest): Promise<void> {
  for (const name of POWERTOOLS) {
    const cleanUp = Object.hasOwn(request.internal, name) ? request.internal[name] : undefined
    if (typeof cleanUp === 'function') await cleanUp(request)
  }
}

/** Whether middy gave up waiting: the handler is at work, and may yet do all that it was to do. */
export function isStillRunning(request: MiddyRequest): boolean {
  return registryOf(request).trace?.timedOut === true || isMiddysTimeout(request.error)
}

/** How deep a cause may lie: nobody wraps an error more often. */
const DEEPEST_CAUSE = 8

/**
 * Told by its `cause`, which middy 6 and 7 set alike: a `TimeoutError` of `fetch`, `AbortSignal.timeout` or the AWS SDK has
 * ended the handler, and is its error as any other. Wrapped in another error it still says that a handler is at work.
 */
export function isMiddysTimeout(error: unknown): boolean {
  let at: unknown = error
  for (let depth = 0; depth < DEEPEST_CAUSE && typeof at === 'object' && at !== null; depth++) {
    const { name, cause } = at as { readonly name?: unknown; readonly cause?: unknown }
    const maker = typeof cause === 'object' && cause !== null && 'package' in cause ? cause.package : undefined
    if (name === 'TimeoutError' && maker === '@middy/core') return true
    at = cause
  }
  return false
}

/**
 * Puts the handle where the handler finds it: `context.alonce`, as middy's own middlewares do. Where the context can't take
 * it, or another request has put its own there (one context for two calls), this request gets a context that inherits.
 */
export function expose<Name extends keyof Handles>(request: MiddyRequest, name: Name, handle: Handles[Name]): void {
  const registry = registryOf(request)
  if (!registry.handles) {
    registry.handles = {}
    const alonce = { value: registry.handles, enumerable: true, writable: true, configurable: true }
    const own = Object.isExtensible(request.context) && !('alonce' in request.context)
    if (own) Object.defineProperty(request.context, 'alonce', alonce)
    else request.context = Object.create(request.context, { alonce })
  }
  registry.handles[name] = handle
}

function takeOut(request: MiddyRequest, by: symbol): Taken | undefined {
  const { taken } = registryOf(request)
  const at = taken.findLastIndex((one) => one.by === by)
  return at === -1 ? undefined : taken.splice(at, 1)[0]
}
