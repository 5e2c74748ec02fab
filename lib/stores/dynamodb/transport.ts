import { DynamoDBClient, type DynamoDBClientConfig } from '@aws-sdk/client-dynamodb'
import { attempt, type HandlerResult, type Watch } from './attempts.ts'

/** What we need of a `DynamoDBClient`. */
export interface CommandSender {
  send(command: object, options?: { readonly abortSignal?: AbortSignal }): Promise<unknown>
}

/** Sends a command through a client, so that each attempt is noted, and ends when the watch's signal aborts. */
export type Transport = (command: object, watch: Watch) => Promise<unknown>

/** Where a command's input carries its watch: by a symbol, which no serializer looks at. */
const WATCH = Symbol('watch')
interface WatchedInput {
  [WATCH]?: Watch
}
interface HandlerArgs {
  readonly input: WatchedInput
  readonly request: unknown
}
/** As much of the SDK's middleware as we use. */
type Middleware = (next: (args: HandlerArgs) => Promise<HandlerResult>) => (args: HandlerArgs) => Promise<HandlerResult>
interface MiddlewareStack {
  add(middleware: Middleware, options: object): void
}
interface SdkCommand {
  readonly input: WatchedInput
  readonly middlewareStack?: MiddlewareStack
}
/** What our own client is besides a client: where its middleware and its HTTP are. */
interface SdkClient extends CommandSender {
  readonly middlewareStack: MiddlewareStack
  readonly config: { readonly requestHandler: { handle(request: unknown, options: object): Promise<HandlerResult> } }
}

/** Below the SDK's retries and its deserializer: there each raw response is seen, errors too. */
const INNERMOST = { step: 'deserialize', priority: 'low', name: 'alonceAttempts' } as const

/** The caller's client stays as it is: what we add, we add to each command. */
export const throughClient =
  (client: CommandSender): Transport =>
  async (command, watch) => {
    ;(command as SdkCommand).middlewareStack?.add((next) => (args) => attempt(watch, () => next(args)), INNERMOST)
    return client.send(command, watch.abortSignal && { abortSignal: watch.abortSignal })
  }

/**
 * A client of our own, and one middleware for all its commands. Commands with middleware of their own, or options of `send`,
 * would have the SDK put the chain of its middleware together for each of them, a fifth of the processor time of a call. So the
 * middleware finds its watch with the command's input, and gives the signal to the HTTP handler itself.
 *
 * The SDK's own retries are off: they would hide from us which sending was answered, and have no bound in time.
 */
export function throughOwnClient(config: DynamoDBClientConfig): Transport {
  const client = new DynamoDBClient({ ...config, maxAttempts: 1, cacheMiddleware: true }) as unknown as SdkClient
  const { requestHandler } = client.config
  const noting: Middleware = (next) => (args) => {
    const watch = args.input[WATCH]
    if (!watch) return next(args)
    return attempt(watch, () => requestHandler.handle(args.request, { abortSignal: watch.abortSignal }))
  }
  client.middlewareStack.add(noting, INNERMOST)
  return (command, watch) => {
    ;(command as SdkCommand).input[WATCH] = watch
    return client.send(command)
  }
}
