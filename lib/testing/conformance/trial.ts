import assert from 'node:assert/strict'
import type { Command, LockAcquire, OnceBegin, Reply, ReplyTo } from '../../store/command.ts'
import { lockKey } from '../../store/key.ts'
import type { AlonceRecord, Fence, OnceRecord, RecordKey, StoredResult } from '../../store/record.ts'
import type { SendOptions, Store } from '../../store/store.ts'
import { faultyStore } from '../faulty-store.ts'
import type { Wire } from '../wire.ts'
import type { Need, StoreUnderTest } from './subject.ts'

/** One entry of the suite. */
export interface Case {
  readonly title: string
  readonly needs?: readonly Need[]
  run(trial: Trial): Promise<void>
}

/** A client of the store under test, and the network in front of it. */
export interface Client {
  readonly store: Store
  readonly wire: Wire
}

/** Longer than any store's guard and any interval's width: after it, "before" and "after" are beyond doubt. */
export const LONG_MS = 10_000
export const RETAIN_MS = 120_000

/** What a case has in hand: two clients of one store, a lock's key and an operation's, and the words to use them. */
export class Trial {
  readonly subject: StoreUnderTest
  readonly a: Client
  readonly b: Client
  readonly lock: RecordKey
  readonly once: RecordKey
  readonly leaseMs: number

  constructor(subject: StoreUnderTest) {
    this.subject = subject
    this.a = connect(subject)
    this.b = connect(subject)
    const id = this.a.store.runtime.random.id()
    this.lock = lockKey(['conformance', id])
    this.once = `once/conformance/${id}` as RecordKey
    this.leaseMs = Math.max(20_000, this.a.store.capabilities.minLeaseMs)
  }

  /** Sends a command as A's client (or the one named) and waits for its reply. */
  send<C extends Command>(command: C, options?: SendOptions, client: Client = this.a): Promise<ReplyTo<C>> {
    return this.wait(client.store.execute(command, options))
  }

  async wait<T>(promise: Promise<T>): Promise<T> {
    return this.subject.run ? this.subject.run(promise) : promise
  }

  async advance(ms: number): Promise<void> {
    await this.subject.advance?.(ms)
  }

  async remove(key: RecordKey): Promise<void> {
    await this.subject.remove?.(key)
  }

  read(key: RecordKey): Promise<AlonceRecord | undefined> {
    return this.wait(this.b.store.read(key))
  }

  async readOnce(): Promise<OnceRecord> {
    const record = await this.read(this.once)
    assert(record?.kind === 'once', `expected an operation's record, found ${record?.kind ?? 'nothing'}`)
    return record
  }

  acquire(owner: string, more: Partial<LockAcquire> = {}): LockAcquire {
    return { type: 'lock.acquire', key: this.lock, owner, leaseMs: this.leaseMs, ...more }
  }

  begin(owner: string, more: Partial<OnceBegin> = {}): OnceBegin {
    return { type: 'once.begin', key: this.once, owner, leaseMs: this.leaseMs, retainMs: RETAIN_MS, ...more }
  }

  /** Acquires for `owner` and gives the fence. */
  async held(owner: string, client: Client = this.a): Promise<{ fence: Fence; expiresAtMs: number }> {
    const reply = await this.send(this.acquire(owner), {}, client)
    assert(reply.outcome === 'acquired', `${owner} expected to acquire, and was told ${reply.outcome}`)
    return reply
  }

  /** Begins for `owner` and gives the reply. */
  async started(owner: string, more: Partial<OnceBegin> = {}): Promise<ReplyTo<OnceBegin> & { outcome: 'started' }> {
    const reply = await this.send(this.begin(owner, more))
    assert(reply.outcome === 'started', `${owner} expected to start, and was told ${reply.outcome}`)
    return reply
  }

  /** Sends each command and compares the outcome; then checks that none of them changed the record. */
  async refused(key: RecordKey, sendings: readonly (readonly [Command, Reply['outcome'], SendOptions?])[]): Promise<void> {
    const before = await this.read(key)
    for (const [command, expected, options] of sendings) {
      const { outcome } = await this.send<Command>(command, options)
      assert.equal(outcome, expected, `${command.type}${options?.resent ? ' (sent again)' : ''} of ${command.owner}`)
      assert.deepEqual(await this.read(key), before, `${command.type} of ${command.owner} changed the record`)
    }
  }
}

function connect(subject: StoreUnderTest): Client {
  const { store, wire } = subject.connect()
  return wire ? { store, wire } : faultyClient(store)
}

function faultyClient(store: Store): Client {
  const faulty = faultyStore(store)
  return { store: faulty, wire: faulty.wire }
}

export const AGAIN: SendOptions = { resent: true }

export const resultOf = (text: string): StoredResult => ({
  form: 'value',
  codec: 'json',
  body: new TextEncoder().encode(JSON.stringify(text)),
})

/** The bytes of a result, for comparison: stores may give any view on them. */
export function bytesOf(result: StoredResult | undefined): Uint8Array {
  assert(result?.body instanceof Uint8Array, 'a replay carries the bytes of the result, not a pointer to them')
  return new Uint8Array(result.body)
}
