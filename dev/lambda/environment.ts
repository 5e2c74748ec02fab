import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { type Answer, type Invocation, RuntimeApi } from './runtime-api.ts'
import { runtimeClient } from './runtime-client.ts'

/** What becomes of an invocation. */
export type Outcome = Answer | { readonly kind: 'timed-out' } | { readonly kind: 'crashed'; readonly how: string }

/** A function with its settings. */
export interface Deployment {
  readonly name: string
  readonly taskRoot: string
  readonly timeoutMs: number
  /** How many environments there are at most. Lambda: reserved concurrency. */
  readonly environments: number
  /** How many invocations run at once in one environment. Default: 1. Lambda: managed instances. */
  readonly concurrency?: number
  /** How long after its deadline an invocation is killed. Default: 700 ms, the most that was seen on Lambda. */
  readonly killDelayMs?: number
  readonly variables?: Variables
  /** Modules that are loaded before the runtime client. */
  readonly preload?: readonly string[]
  /** Ways to the world that are this environment's own: their addresses go into its variables. */
  readonly connect?: (environment: Environment) => Promise<Connection>
  /** Told right before an invocation is handed out. */
  readonly onStart?: (environment: Environment, invocation: Invocation) => void
  /** Told of what the function prints, as it comes. */
  readonly onOutput?: (environment: Environment, text: string) => void
}
export interface Variables {
  readonly [name: string]: string
}
export interface Connection {
  readonly variables: Variables
  close(): Promise<void>
}

interface Running {
  readonly invocation: Invocation
  readonly resolve: (outcome: Outcome | undefined) => void
  deadlineMs: number
  timer: NodeJS.Timeout | undefined
}

const STAND_IN = join(import.meta.dirname, 'rapid-client.process.ts')
const KILL_DELAY_MS = 700
const MAX_LOG_CHARS = 20_000

/**
 * One execution environment: a process of AWS's runtime client with the function in it. As on Lambda it stands still
 * (SIGSTOP) while it has nothing to do, and is killed when an invocation takes too long.
 */
export class Environment {
  readonly name: string
  /** Resolves when the process is gone. */
  readonly ended: Promise<void>
  readonly #deployment: Deployment
  readonly #api: RuntimeApi
  readonly #waiting: Running[] = []
  readonly #running = new Map<string, Running>()
  readonly #end = Promise.withResolvers<void>()
  #process: ChildProcess | undefined
  #connection: Connection | undefined
  #log = ''
  #asking = 0
  #wasUp = false
  #dead = false

  constructor(name: string, deployment: Deployment) {
    this.name = name
    this.ended = this.#end.promise
    this.#deployment = deployment
    this.#api = new RuntimeApi({
      onNext: () => this.#next(),
      onAnswer: (requestId, answer) => this.#finish(requestId, answer),
      onInitError: (error) => this.#write(error),
    })
    this.#start().catch((error: unknown) => this.#bury(String(error)))
  }

  /** It is gone, or about to be. */
  get dead(): boolean {
    return this.#dead
  }
  /** Whether it has ever asked for work. */
  get wasUp(): boolean {
    return this.#wasUp
  }
  /** How many invocations it has. */
  get load(): number {
    return this.#waiting.length + this.#running.size
  }
  /** The end of what it has printed, for those who look into a failure. */
  get log(): string {
    return this.#log
  }

  /** @returns `undefined` when the environment has ended before the invocation was handed out. */
  run(invocation: Invocation): Promise<Outcome | undefined> {
    const { promise, resolve } = Promise.withResolvers<Outcome | undefined>()
    this.#waiting.push({ invocation, resolve, deadlineMs: 0, timer: undefined })
    this.#hand()
    return promise
  }

  /** As when the machine dies, or the function takes too much memory. */
  kill(): void {
    this.#dead = true
    this.#process?.kill('SIGKILL')
  }

  /** In the middle of an invocation: its clock stops for the platform as well, which kills nobody meanwhile. */
  freeze(): void {
    for (const running of this.#running.values()) clearTimeout(running.timer)
    this.#process?.kill('SIGSTOP')
  }

  /** Who has overslept its deadline is killed as late as ever: a zombie has that long. */
  thaw(): void {
    for (const running of this.#running.values()) this.#watch(running)
    this.#process?.kill('SIGCONT')
  }

  async #start(): Promise<void> {
    const { taskRoot, preload = [] } = this.#deployment
    const [address, connection] = await Promise.all([this.#api.open(), this.#deployment.connect?.(this)])
    this.#connection = connection
    const args = [STAND_IN, ...preload].flatMap((module) => ['--import', module])
    const env = variablesOf(this.#deployment, { ...connection?.variables, AWS_LAMBDA_RUNTIME_API: address })
    const child = spawn(process.execPath, [...args, runtimeClient(), 'index.handler'], {
      cwd: taskRoot,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#process = child
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => this.#write(String(data)))
    child.once('exit', (code, signal) => {
      this.#bury(signal ?? `exit ${code}`)
    })
  }

  #next(): void {
    this.#wasUp = true
    this.#asking++
    this.#hand()
    // An environment for several invocations at once is a machine that never sleeps.
    if (this.load === 0 && (this.#deployment.concurrency ?? 1) === 1) this.#process?.kill('SIGSTOP')
  }

  #hand(): void {
    while (this.#asking > 0 && !this.#dead) {
      const running = this.#waiting.shift()
      if (!running) return
      this.#asking--
      this.#running.set(running.invocation.requestId, running)
      this.#deployment.onStart?.(this, running.invocation)
      running.deadlineMs = Date.now() + this.#deployment.timeoutMs
      this.#watch(running)
      this.#process?.kill('SIGCONT')
      this.#api.hand(running.invocation, running.deadlineMs)
    }
  }

  #watch(running: Running): void {
    const { killDelayMs = KILL_DELAY_MS } = this.#deployment
    const leftMs = Math.max(0, running.deadlineMs - Date.now())
    clearTimeout(running.timer)
    running.timer = setTimeout(() => {
      this.#finish(running.invocation.requestId, { kind: 'timed-out' })
      this.kill()
    }, leftMs + killDelayMs)
  }

  #finish(requestId: string, outcome: Outcome): void {
    const running = this.#running.get(requestId)
    if (!running) return
    this.#running.delete(requestId)
    clearTimeout(running.timer)
    running.resolve(outcome)
  }

  #bury(how: string): void {
    this.#dead = true
    for (const requestId of this.#running.keys()) this.#finish(requestId, { kind: 'crashed', how })
    for (const { resolve } of this.#waiting.splice(0)) resolve(undefined)
    void Promise.all([this.#api.close(), this.#connection?.close()]).then(() => this.#end.resolve())
  }

  #write(text: string): void {
    this.#log = (this.#log + text).slice(-MAX_LOG_CHARS)
    this.#deployment.onOutput?.(this, text)
  }
}

function variablesOf({ name, taskRoot, concurrency, variables }: Deployment, own: Variables): Variables {
  return {
    PATH: process.env['PATH'] ?? '',
    TZ: ':UTC',
    // Environments that start by the dozen compile the same bundle.
    NODE_COMPILE_CACHE: join(taskRoot, 'compiled'),
    LAMBDA_TASK_ROOT: taskRoot,
    _HANDLER: 'index.handler',
    AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
    AWS_LAMBDA_FUNCTION_NAME: name,
    AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '512',
    AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${name}`,
    AWS_LAMBDA_LOG_STREAM_NAME: 'stream',
    AWS_REGION: 'eu-central-1',
    AWS_ACCESS_KEY_ID: 'fake',
    AWS_SECRET_ACCESS_KEY: 'fake',
    ...(concurrency === undefined
      ? {}
      : { AWS_LAMBDA_MAX_CONCURRENCY: String(concurrency), AWS_LAMBDA_NODEJS_WORKER_COUNT: '1' }),
    ...variables,
    ...own,
  }
}
