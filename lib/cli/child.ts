import { type ChildProcess, spawn } from 'node:child_process'
import { constants } from 'node:os'
import { type Runtime, sleep } from '../runtime/runtime.ts'
import { STATUS } from './status.ts'

export interface ChildOptions {
  readonly command: string
  readonly args: readonly string[]
  readonly env: { readonly [name: string]: string | undefined }
  /** From the request to stop to SIGKILL. Milliseconds. */
  readonly graceMs: number
  readonly runtime: Runtime
}

const WINDOWS = process.platform === 'win32'
const POLL_MS = 50

/**
 * A command in a process group of its own, so that what it starts is stopped with it. (So it has no terminal to itself: it is
 * for jobs, not for editors.)
 */
export class Child {
  readonly #options: ChildOptions
  readonly #process: ChildProcess
  readonly #guard: ChildProcess | undefined
  readonly #ended: Promise<number>
  #stopping: Promise<void> | undefined

  constructor(options: ChildOptions) {
    this.#options = options
    const { command, args, env } = options
    // The guard first: it can't be too late then.
    this.#guard = WINDOWS ? undefined : startGuard(options.graceMs)
    this.#process = spawn(command, args, { stdio: 'inherit', env, detached: !WINDOWS, windowsHide: true })
    if (this.#process.pid === undefined) this.#guard?.stdin?.end()
    else this.#guard?.stdin?.write(`${this.#process.pid}\n`)
    this.#ended = new Promise((resolve) => {
      this.#process.once('error', (error: NodeJS.ErrnoException) => {
        if (this.#process.pid === undefined) resolve(error.code === 'ENOENT' ? STATUS.notFound : STATUS.notExecutable)
      })
      this.#process.once('exit', (code, signal) => resolve(code ?? STATUS.signalled + (signal ? constants.signals[signal] : 0)))
    })
  }

  /** The command's exit status, when it has ended and, if it was to be stopped, all that it had started. */
  async ended(): Promise<number> {
    const status = await this.#ended
    await this.#stopping
    this.#guard?.stdin?.end('done\n')
    return status
  }

  /** Asks it to stop, and kills what is left after the grace. Asked again, it does not wait. */
  stop(signal: NodeJS.Signals): void {
    if (this.#stopping !== undefined) this.#send('SIGKILL')
    else this.#stopping = this.#stop(signal)
  }

  async #stop(signal: NodeJS.Signals): Promise<void> {
    const { runtime, graceMs } = this.#options
    const until = runtime.clock.monotonic() + graceMs
    this.#send(signal)
    while (this.#send(0)) {
      if (runtime.clock.monotonic() >= until) {
        this.#send('SIGKILL')
        break
      }
      await sleep(runtime.timer, POLL_MS)
    }
  }

  /** To the whole group; `false`: nobody is left of it. */
  #send(signal: NodeJS.Signals | 0): boolean {
    const { pid } = this.#process
    if (pid === undefined) return false
    try {
      return process.kill(WINDOWS ? pid : -pid, signal)
    } catch {
      return false
    }
  }
}

/** Is told whom to watch over, then waits. When its input ends without another line, we were killed, and nobody renews the lock. */
const GUARD = 'read group || exit; read line || { kill -s TERM -- -"$group"; sleep "$1"; kill -s KILL -- -"$group"; }'

/** A shell that outlives us: we can't catch SIGKILL, and the command must not go on without its lock. */
function startGuard(graceMs: number): ChildProcess {
  const args = ['-c', GUARD, 'alonce-guard', String(Math.ceil(graceMs / 1000))]
  const guard = spawn('/bin/sh', args, { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
  // Without a shell there is no guard. The fence still is.
  guard.once('error', () => undefined)
  guard.stdin?.once('error', () => undefined)
  guard.unref()
  return guard
}
