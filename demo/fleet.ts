import { type ChildProcess, fork } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Answer } from '../functions/payments/handler.ts'
import type { AlonceEvent } from '../lib/events/events.ts'
import type { FromWorker, FunctionAnswer, FunctionEvent, ToWorker, WorkerSetup } from './messages.ts'

/** What becomes of one delivery, as its client sees it; a client that has waited long enough stops looking. */
export type Outcome<A extends FunctionAnswer = Answer> =
  | { readonly kind: 'answered'; readonly answer: A }
  | { readonly kind: 'threw'; readonly message: string }
  | { readonly kind: 'crashed' }

export interface FleetOptions {
  readonly size: number
  readonly setup: WorkerSetup
  readonly onEvent: (delivery: string, event: AlonceEvent) => void
}

const WORKER = fileURLToPath(new URL('worker.ts', import.meta.url))
/** A fleet whose processes end by themselves stops, instead of starting new ones for ever. */
const MAX_FAILURES = 3

/** One child process that runs the handler. */
export class Worker {
  readonly name: string
  readonly ready: Promise<void>
  /** Resolves when the process is gone, for whatever reason. */
  readonly ended: Promise<void>
  readonly #process: ChildProcess
  readonly #open = new Map<string, (outcome: Outcome<FunctionAnswer>) => void>()
  #state: 'starting' | 'up' | 'frozen' | 'dead' = 'starting'

  constructor(name: string, { setup, onEvent }: Omit<FleetOptions, 'size'>) {
    this.name = name
    this.#process = fork(WORKER, [JSON.stringify(setup)], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    promise.catch(() => undefined)
    this.ready = promise
    this.#process.on('message', (message: FromWorker) => {
      if (message.type === 'ready') resolve(this.#up())
      else if (message.type === 'event') onEvent(message.delivery, message.event)
      else this.#settle(message.delivery, outcomeOf(message))
    })
    this.ended = new Promise((gone) => {
      this.#process.on('exit', () => {
        reject(new Error(`${name} ended before it was ready`))
        this.#die()
        gone()
      })
    })
    this.#process.on('error', () => this.kill())
  }

  get pid(): number {
    return this.#process.pid ?? 0
  }

  get up(): boolean {
    return this.#state === 'up'
  }

  get dead(): boolean {
    return this.#state === 'dead'
  }

  get idle(): boolean {
    return this.#open.size === 0
  }

  /** `A` is what the function of this process answers. */
  deliver<A extends FunctionAnswer = Answer>(delivery: string, event: FunctionEvent): Promise<Outcome<A>> {
    const message: ToWorker = { delivery, event }
    return new Promise((resolve) => {
      if (this.dead) return resolve({ kind: 'crashed' })
      this.#open.set(delivery, resolve as (outcome: Outcome<FunctionAnswer>) => void)
      // What can't be delivered any more is settled when the process's end is seen.
      this.#process.send(message, () => undefined)
    })
  }

  /** SIGKILL: nothing of it ever runs again. */
  kill(): void {
    this.#process.kill('SIGKILL')
    this.#die()
  }

  /** SIGSTOP, and SIGCONT after `ms`: then everything it was about to do happens, late. */
  async freeze(ms: number): Promise<void> {
    this.#state = 'frozen'
    this.#process.kill('SIGSTOP')
    await delay(ms)
    if (this.dead) return
    this.#state = 'up'
    this.#process.kill('SIGCONT')
  }

  #up(): void {
    if (this.#state === 'starting') this.#state = 'up'
  }

  #die(): void {
    this.#state = 'dead'
    for (const delivery of [...this.#open.keys()]) this.#settle(delivery, { kind: 'crashed' })
  }

  #settle(delivery: string, outcome: Outcome<FunctionAnswer>): void {
    this.#open.get(delivery)?.(outcome)
    this.#open.delete(delivery)
  }
}

const outcomeOf = (message: Extract<FromWorker, { type: 'answer' | 'threw' }>): Outcome<FunctionAnswer> =>
  message.type === 'answer' ? { kind: 'answered', answer: message.answer } : { kind: 'threw', message: message.message }

/** So many processes at a time; one that dies is replaced. */
export class Fleet {
  readonly #options: FleetOptions
  #workers: Worker[] = []
  #started = 0
  #failures = 0
  #next = 0
  #closed = false

  constructor(options: FleetOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    while (this.#workers.length < this.#options.size) this.#add()
    await Promise.all(this.#workers.map((worker) => worker.ready))
  }

  get started(): number {
    return this.#started
  }

  /** The next process in turn that is up. Lambda does not deliver to a frozen one either. */
  async pick(): Promise<Worker> {
    for (;;) {
      for (let tried = 0; tried < this.#workers.length; tried++) {
        const worker = this.#workers[this.#next++ % this.#workers.length]
        if (worker?.up) return worker
      }
      if (this.#closed || this.#failures >= MAX_FAILURES) throw new Error('No worker process can be kept running')
      await delay(10)
    }
  }

  /** Resolves when nothing is under way in any process, frozen ones thawed included. */
  async settled(limitMs: number): Promise<boolean> {
    for (let waited = 0; waited < limitMs; waited += 20) {
      if (this.#workers.every((worker) => worker.dead || (worker.up && worker.idle))) return true
      await delay(20)
    }
    return false
  }

  kill(worker: Worker): void {
    worker.kill()
    this.#replace(worker)
  }

  /** Ends every process of this fleet, by its id. */
  close(): void {
    this.#closed = true
    for (const worker of this.#workers) worker.kill()
  }

  #add(): void {
    const worker = new Worker(`w${++this.#started}`, this.#options)
    this.#workers.push(worker)
    void worker.ended.then(() => {
      if (this.#closed || !this.#workers.includes(worker)) return
      this.#failures++
      this.#replace(worker)
    })
  }

  #replace(worker: Worker): void {
    this.#workers = this.#workers.filter((other) => other !== worker)
    if (!this.#closed && this.#failures < MAX_FAILURES) this.#add()
  }
}
