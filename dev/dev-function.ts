import { join } from 'node:path'
import { eventOf, sentenceOf } from './lambda/alonce-event.ts'
import { bundleEntry, type TaskRoot } from './lambda/bundle.ts'
import type { Deployment, Environment, Outcome, Variables } from './lambda/environment.ts'
import { LambdaFunction } from './lambda/lambda.ts'
import { lineReader } from './lambda/lines.ts'
import type { Log } from './log.ts'

export interface DevFunctionOptions {
  readonly name: string
  /** The module with `handler`. */
  readonly entry: string
  readonly timeoutMs: number
  readonly environments: number
  readonly variables: Variables
  readonly log: Log
}

type Failure = Exclude<Outcome, { readonly kind: 'returned' }>

const EVENTS = join(import.meta.dirname, 'lambda/events.process.ts')

/** A function that is developed: its code may be replaced while it runs, and what it says is told. */
export class DevFunction {
  readonly #options: DevFunctionOptions
  readonly #underway = new Set<Promise<unknown>>()
  #task: TaskRoot
  #lambda: LambdaFunction

  /** @throws what esbuild has against the code */
  static async start(options: DevFunctionOptions): Promise<DevFunction> {
    return new DevFunction(options, await bundleEntry(options.entry, options.name, 'silent'))
  }

  private constructor(options: DevFunctionOptions, task: TaskRoot) {
    this.#options = options
    this.#task = task
    this.#lambda = this.#deploy()
  }

  get name(): string {
    return this.#options.name
  }

  /** Never rejects: a function that does not start is an outcome, and may start after the next change. */
  async invoke(event: unknown): Promise<Outcome> {
    const lambda = this.#lambda
    const running = lambda.invoke(event).catch((error: unknown): Outcome => {
      if (lambda === this.#lambda) this.#lambda = this.#deploy()
      return { kind: 'crashed', how: error instanceof Error ? error.message : String(error) }
    })
    this.#underway.add(running)
    const outcome = await running
    this.#underway.delete(running)
    if (outcome.kind !== 'returned') this.#tellFailure(outcome)
    return outcome
  }

  /**
   * Its code anew for the invocations that come; those under way end with the code that they began with.
   *
   * @throws what esbuild has against the code; the function stays as it was
   */
  async reload(): Promise<void> {
    const { entry, name } = this.#options
    const task = await bundleEntry(entry, name, 'silent')
    const [old, oldTask, underway] = [this.#lambda, this.#task, [...this.#underway]]
    this.#task = task
    this.#lambda = this.#deploy()
    await Promise.all(underway)
    await old.stop()
    oldTask.remove()
  }

  async stop(): Promise<void> {
    await this.#lambda.stop()
    this.#task.remove()
  }

  #deploy(): LambdaFunction {
    const { name, timeoutMs, environments, variables } = this.#options
    const readers = new WeakMap<Environment, (text: string) => void>()
    const deployment: Deployment = {
      name,
      taskRoot: this.#task.folder,
      timeoutMs,
      environments,
      variables,
      preload: [EVENTS],
      onOutput: (environment, text) => {
        const reader = readers.get(environment) ?? lineReader((line) => this.#tellOutput(environment.name, line))
        readers.set(environment, reader)
        reader(text)
      },
    }
    return new LambdaFunction(deployment)
  }

  #tellOutput(environment: string, line: string): void {
    const alonce = eventOf(line)
    const { name: source, log } = this.#options
    if (alonce) log({ source, event: 'alonce', text: `· ${sentenceOf(alonce)}`, environment, alonce })
    else log({ source, event: 'output', text: `| ${line}`, environment })
  }

  #tellFailure(outcome: Failure): void {
    this.#options.log({ source: this.name, event: 'failed', text: failureOf(outcome, this.#options.timeoutMs), outcome })
  }
}

function failureOf(outcome: Failure, timeoutMs: number): string {
  if (outcome.kind === 'threw') return `threw ${outcome.errorType}: ${outcome.errorMessage}`
  return outcome.kind === 'crashed' ? `crashed: ${outcome.how}` : `timed out after ${timeoutMs / 1000} s`
}
