import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { PutItemCommand } from '@aws-sdk/client-dynamodb'
import { afterAll } from 'vitest'
import type { AlonceRecord, Fence, LockRecord, OnceRecord, RecordKey } from '../../lib/store/record.ts'
import type { Store } from '../../lib/store/store.ts'
import { dynamodbStore } from '../../lib/stores/dynamodb/dynamodb-store.ts'
import { address, encodeHead } from '../../lib/stores/dynamodb/item.ts'
import { bundleCommandLine } from '../../scripts/bundle-command-line.ts'
import { withoutAws } from '../../scripts/dynamodb-local.ts'
import { localConfig, testTable } from '../support/dynamodb-table.ts'

/** `alonce` as it is published: bundled, and run in processes of its own. */
const BUILT = mkdtempSync(join(import.meta.dirname, '.built-'))
let bundled: Promise<string> | undefined

const started: Running[] = []
afterAll(() => {
  // Whatever a test that failed has left behind.
  for (const running of started) running.signal('SIGKILL')
  rmSync(BUILT, { recursive: true, force: true })
})

export function program(): Promise<string> {
  bundled ??= bundleCommandLine(BUILT)
  return bundled
}

export interface Ended {
  readonly status: number | null
  readonly out: string
  readonly err: string
}

/** One `alonce` at work. */
export class Running {
  readonly child: ChildProcess
  out = ''
  err = ''
  readonly #ended: Promise<unknown>
  #heard: (() => void)[] = []

  constructor(file: string, args: readonly string[], env: NodeJS.ProcessEnv) {
    this.child = spawn(process.execPath, [file, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env })
    this.#ended = once(this.child, 'close')
    this.child.stdout?.on('data', (data: Buffer) => this.#hear('out', data))
    this.child.stderr?.on('data', (data: Buffer) => this.#hear('err', data))
  }

  /** Resolves when it has said this. */
  async says(words: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const found = words.exec(this.out) ?? words.exec(this.err)
      if (found) return found
      if (this.child.exitCode !== null)
        throw new Error(`It ended with ${this.child.exitCode} and never said ${words}: ${this.out}${this.err}`)
      await new Promise<void>((resolve) => {
        this.#heard.push(resolve)
        void once(this.child, 'close').then(() => resolve())
      })
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal)
  }

  async ended(): Promise<Ended> {
    await this.#ended
    return { status: this.child.exitCode, out: this.out, err: this.err }
  }

  #hear(stream: 'out' | 'err', data: Buffer): void {
    this[stream] += String(data)
    for (const resolve of this.#heard.splice(0)) resolve()
  }
}

/** A namespace of its own, the store on it, and the command line for it. */
export class Desk {
  readonly store: Store
  readonly namespace: string
  readonly env: NodeJS.ProcessEnv
  readonly #tableName: string
  readonly #file: string

  constructor(file: string, tableName: string, namespace: string) {
    this.#file = file
    this.#tableName = tableName
    this.namespace = namespace
    // The machine may be busy with other tests: what is tested here is not how fast it is.
    const bounds = { requestTimeoutMs: 10_000, totalTimeoutMs: 20_000 }
    this.store = dynamodbStore({ tableName, namespace, clientConfig: localConfig(), ...bounds })
    this.env = {
      ...withoutAws(process.env),
      PATH: `${dirname(process.execPath)}:${process.env['PATH']}`,
      NODE_OPTIONS: '',
      NO_COLOR: '',
      ALONCE_TABLE: tableName,
      AWS_ENDPOINT_URL_DYNAMODB: String(localConfig().endpoint),
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: 'fake',
      AWS_SECRET_ACCESS_KEY: 'fake',
    }
  }

  start(...args: readonly string[]): Running {
    const before = args.indexOf('--')
    const own = before < 0 ? args : args.slice(0, before)
    const running = new Running(
      this.#file,
      [...own, '--namespace', this.namespace, ...(before < 0 ? [] : args.slice(before))],
      this.env,
    )
    started.push(running)
    return running
  }

  run(...args: readonly string[]): Promise<Ended> {
    return this.start(...args).ended()
  }

  async json<T>(...args: readonly string[]): Promise<T> {
    const { out, err } = await this.run(...args, '--json')
    if (out === '') throw new Error(err)
    return JSON.parse(out) as T
  }

  /** Writes a record as it would have become. */
  async plant(key: string, record: AlonceRecord): Promise<void> {
    const { client } = await testTable()
    const Item = { ...address(this.namespace, key as RecordKey), ...encodeHead({ record, leaseMs: 3000, unclocked: false }) }
    await client.send(new PutItemCommand({ TableName: this.#tableName, Item }))
  }
}

/** Looks again and again: what is waited for is another process's doing. */
export async function until(holds: () => Promise<boolean>): Promise<void> {
  const giveUpAt = Date.now() + 30_000
  while (!(await holds())) {
    if (Date.now() > giveUpAt) throw new Error(`It never came to this: ${holds}`)
    await delay(100)
  }
}

export async function desk(namespace: string = randomUUID()): Promise<Desk> {
  const { tableName } = await testTable()
  return new Desk(await program(), tableName, namespace)
}

export const FENCE = 1_700_000_000_001 as Fence
const head = { fence: FENCE, version: FENCE + 5 } as const

export const lockRecord = (parts: Partial<LockRecord> = {}): LockRecord => ({ kind: 'lock', ...head, ...parts })

/** Held alone, for so long from now; a negative time has passed. */
export const heldFor = (ms: number, label?: string, owner: string = randomUUID()): LockRecord =>
  lockRecord({ holder: { owner, expiresAtMs: Date.now() + ms, label } })

export const onceRecord = (parts: Partial<OnceRecord> = {}): OnceRecord => ({
  kind: 'once',
  ...head,
  attempt: 1,
  checkpoints: {},
  epoch: 0,
  retired: {},
  ...parts,
})

export const runningFor = (ms: number, parts: Partial<OnceRecord> = {}): OnceRecord =>
  onceRecord({ status: 'in-progress', owner: randomUUID(), expiresAtMs: Date.now() + ms, ...parts })

export const completedFor = (ms: number, text = '{"secret":1}'): OnceRecord =>
  onceRecord({
    status: 'completed',
    owner: randomUUID(),
    retainUntilMs: Date.now() + ms,
    result: { form: 'value', codec: 'json', body: new TextEncoder().encode(text) },
  })
