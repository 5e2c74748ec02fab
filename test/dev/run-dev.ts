import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs'
import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { lineReader } from '../../dev/lambda/lines.ts'

const ROOT = join(import.meta.dirname, '../..')

export interface Told {
  readonly source: string
  readonly event: string
  readonly text: string
  readonly url?: string
  readonly tables?: string
  readonly [particular: string]: unknown
}

/** `npm run dev -- --json`, as its user starts it: in a process group of its own, as a terminal would. */
export class Dev {
  readonly lines: Told[] = []
  readonly ready: Promise<Told>
  readonly #child: ChildProcess
  #output = ''

  constructor(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    const all = ['run', '--silent', 'dev', '--', '--json', '--port', '0', ...args]
    this.#child = spawn('npm', all, {
      cwd: ROOT,
      detached: true,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const { promise, resolve, reject } = Promise.withResolvers<Told>()
    this.ready = promise
    const read = (line: string): void => {
      if (!line.startsWith('{')) return
      const told = JSON.parse(line) as Told
      this.lines.push(told)
      if (told.event === 'ready') resolve(told)
    }
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      const reader = lineReader(read)
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output += text
        reader(text)
      })
    }
    this.#child.once('exit', (code) => reject(new Error(`It ended with ${code}:\n${this.#output}`)))
  }

  /** Whether anything that it has started is there. */
  get alive(): boolean {
    try {
      return process.kill(-this.#group, 0)
    } catch {
      return false
    }
  }

  /** Ctrl-C on a terminal: the signal goes to the whole group. @returns whether it ended as it should, and what is left */
  async interrupt(): Promise<{ stopped: boolean; left: boolean }> {
    process.kill(-this.#group, 'SIGINT')
    for (let polls = 0; this.alive && polls < 200; polls++) await delay(50)
    return { stopped: this.lines.some(({ event }) => event === 'stopped'), left: this.alive }
  }

  /** For a test that has failed. */
  kill(): void {
    if (this.alive) process.kill(-this.#group, 'SIGKILL')
  }

  async ask(route: string, body?: string, contentType = 'application/json'): Promise<Answered> {
    const [method = '', path = ''] = route.split(' ')
    const { url } = await this.ready
    const outgoing = request(`${url}${path}`, { method, headers: body === undefined ? {} : { 'content-type': contentType } })
    outgoing.end(body)
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
    const chunks: Buffer[] = []
    for await (const chunk of response) chunks.push(chunk as Buffer)
    const text = Buffer.concat(chunks).toString()
    return { status: response.statusCode ?? 0, headers: response.headers, text, shown: shown(response, text) }
  }

  get #group(): number {
    return this.#child.pid ?? 0
  }
}

export interface Answered {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  /** As `curl -i` shows it. */
  readonly shown: string
}

function shown({ httpVersion, statusCode, statusMessage, rawHeaders }: IncomingMessage, text: string): string {
  const headers = rawHeaders.flatMap((name, at) => (at % 2 === 0 ? [`${name}: ${rawHeaders[at + 1]}`] : []))
  return [`HTTP/${httpVersion} ${statusCode} ${statusMessage}`, ...headers, '', text].join('\n')
}

export interface Path {
  readonly folder: string
  remove(): void
}

/** A PATH with npm, Node and a shell, and nothing else: no Java. */
export function pathWithoutJava(): Path {
  const folder = mkdtempSync(join(tmpdir(), 'alonce-path-'))
  for (const program of ['npm', 'sh']) symlinkSync(realpathSync(found(program)), join(folder, program))
  symlinkSync(process.execPath, join(folder, 'node'))
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) }
}

function found(program: string): string {
  const folder = (process.env['PATH'] ?? '').split(':').find((candidate) => existsSync(join(candidate, program)))
  if (folder === undefined) throw new Error(`There is no ${program} on the PATH`)
  return join(folder, program)
}
