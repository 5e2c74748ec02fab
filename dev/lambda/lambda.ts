import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { type Deployment, Environment, type Outcome } from './environment.ts'
import type { Invocation } from './runtime-api.ts'

/** Environments that never get as far as to ask for work: then something is wrong with the function. */
const MAX_STILLBORN = 3
const RETRIES = 2

interface Queued {
  readonly invocation: Invocation
  readonly resolve: (outcome: Outcome) => void
  readonly reject: (error: Error) => void
}

/**
 * A function on Lambda: finds an idle environment for each invocation, or starts one, and never has more than there may be.
 * Beyond those, invocations wait: what Lambda refuses as throttled is sent again by whoever sent it.
 */
export class LambdaFunction {
  readonly #deployment: Deployment
  readonly #environments = new Set<Environment>()
  readonly #queue: Queued[] = []
  #started = 0
  #stillborn = 0
  #stopped = false

  constructor(deployment: Deployment) {
    this.#deployment = deployment
    process.once('exit', this.#killAll)
  }

  /** How many environments were ever started. */
  get started(): number {
    return this.#started
  }
  get environments(): readonly Environment[] {
    return [...this.#environments]
  }

  /** As API Gateway invokes: whoever asks gets the outcome, whatever it is. */
  invoke(event: unknown, requestId: string = randomUUID()): Promise<Outcome> {
    const { promise, resolve, reject } = Promise.withResolvers<Outcome>()
    this.#queue.push({ invocation: { requestId, event }, resolve, reject })
    this.#dispatch()
    return promise
  }

  /**
   * As EventBridge and other asynchronous callers invoke: an invocation that fails, times out or crashes is run again, twice
   * at most, under the same request id. Lambda waits one minute and then two; `delaysMs` says how long here.
   *
   * @returns the outcome of each run
   */
  async invokeAsync(event: unknown, delaysMs: readonly number[]): Promise<readonly Outcome[]> {
    const requestId = randomUUID()
    const outcomes: Outcome[] = []
    for (let run = 0; run <= RETRIES; run++) {
      if (run > 0) await delay(delaysMs[run - 1] ?? 0)
      const outcome = await this.invoke(event, requestId)
      outcomes.push(outcome)
      if (outcome.kind === 'returned') break
    }
    return outcomes
  }

  /** Kills every environment, and waits until they are gone. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#killAll()
    await Promise.all(this.environments.map((environment) => environment.ended))
    process.removeListener('exit', this.#killAll)
  }

  /** However we end, nothing of it outlives us. */
  readonly #killAll = (): void => {
    for (const environment of this.#environments) environment.kill()
  }

  #dispatch(): void {
    while (this.#queue.length > 0 && !this.#stopped) {
      const environment = this.#find()
      if (!environment) return
      const queued = this.#queue.shift() as Queued
      void environment.run(queued.invocation).then((outcome) => {
        if (outcome) queued.resolve(outcome)
        else this.#queue.unshift(queued)
        this.#dispatch()
      })
    }
  }

  #find(): Environment | undefined {
    const { concurrency = 1, environments } = this.#deployment
    const room = this.environments.filter((environment) => !environment.dead && environment.load < concurrency)
    // The busiest that has room, as Lambda fills its environments before it starts another.
    const [busiest] = room.sort((a, b) => b.load - a.load)
    return busiest ?? (this.#environments.size < environments ? this.#start() : undefined)
  }

  #start(): Environment {
    const environment = new Environment(`${this.#deployment.name}-${++this.#started}`, this.#deployment)
    this.#environments.add(environment)
    void environment.ended.then(() => {
      this.#environments.delete(environment)
      this.#stillborn = environment.wasUp ? 0 : this.#stillborn + 1
      if (this.#stillborn >= MAX_STILLBORN) this.#giveUp(environment.log)
      else this.#dispatch()
    })
    return environment
  }

  #giveUp(log: string): void {
    this.#stopped = true
    const error = new Error(`The function ${this.#deployment.name} does not start:\n${log}`)
    for (const queued of this.#queue.splice(0)) queued.reject(error)
  }
}
