import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { withoutAws } from '../../scripts/dynamodb-local.ts'
import type { Entry } from '../support/history.ts'
import type { Line, Orders } from './journal.ts'

const PROGRAM = join(import.meta.dirname, 'client.process.ts')

type Stuck = Extract<Line, { stuck: unknown }>['stuck']

/** A child process with its own store, clock and memory. */
export class Client {
  readonly entries: Entry[] = []
  /** Names of events that were worth a warning. */
  readonly told: string[] = []
  readonly unexpected: string[] = []
  readonly #child: ChildProcess
  readonly #ready = Promise.withResolvers<void>()
  readonly #stuck = Promise.withResolvers<Stuck>()
  readonly #ended: Promise<unknown>

  constructor(orders: Orders) {
    this.#child = spawn(process.execPath, ['--conditions=@alonce/source', PROGRAM, JSON.stringify(orders)], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: withoutAws(process.env),
    })
    this.#ended = once(this.#child, 'close')
    if (this.#child.stdout) createInterface({ input: this.#child.stdout }).on('line', (line) => this.#hear(line))
    this.#child.stderr?.on('data', (data: Buffer) => this.unexpected.push(`${orders.name}: ${data}`))
  }

  get ready(): Promise<void> {
    return this.#ready.promise
  }

  /** Resolves when it says that it runs and will not end by itself. */
  get stuck(): Promise<Stuck> {
    return this.#stuck.promise
  }

  go(): void {
    this.#child.stdin?.end('go\n')
  }

  /** SIGKILL: nothing of it ever runs again. SIGSTOP: frozen until SIGCONT. */
  signal(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void {
    this.#child.kill(signal)
  }

  /** Resolves when it is gone, and with it all that it had to say. */
  async ended(): Promise<this> {
    await this.#ended
    return this
  }

  #hear(text: string): void {
    if (!text.startsWith('{')) {
      this.unexpected.push(text)
      return
    }
    const line = JSON.parse(text) as Line
    if ('ready' in line) this.#ready.resolve()
    else if ('stuck' in line) this.#stuck.resolve(line.stuck)
    else if ('entry' in line) this.entries.push(line.entry)
    else if ('told' in line) this.told.push(line.told)
    else if ('unexpected' in line) this.unexpected.push(line.unexpected)
    else this.unexpected.push(text)
  }
}
