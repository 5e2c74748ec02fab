import { type ChildProcess, fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { DeleteItemCommand, DynamoDBClient, ScanCommand } from '@aws-sdk/client-dynamodb'
import { childEnvironment } from '../parts/child.ts'
import type { Product } from '../products/product.ts'
import type { ProductId } from '../products/products.ts'
import { FaultProxy } from '../table/fault-proxy.ts'
import { createTableFor, localClientConfig } from '../table/local-client.ts'
import type { Answer, Ask, CallAsk, Order, Result } from './protocol.ts'

/** A fault's scene: a table of its own, actors in processes of their own, each behind a proxy of its own. */
export class Stage {
  readonly product: ProductId
  readonly #made: Product
  readonly #endpoint: string
  readonly #tableName = `fault-${randomUUID()}`
  readonly #actors: Actor[] = []

  constructor(endpoint: string, product: ProductId, made: Product) {
    this.#endpoint = endpoint
    this.product = product
    this.#made = made
  }

  async open(): Promise<void> {
    await createTableFor(this.#made, { endpoint: this.#endpoint, tableName: this.#tableName })
  }

  async actor(skewMs = 0): Promise<Actor> {
    const proxy = new FaultProxy(
      this.#endpoint,
      this.#made.keys.filter((name) => name !== undefined),
    )
    const setting = { endpoint: await proxy.listen(), tableName: this.#tableName, product: this.product, skewMs }
    const actor = new Actor(proxy, JSON.stringify(setting))
    this.#actors.push(actor)
    await actor.ready
    return actor
  }

  /** How many side effects have run, whoever ran them. */
  get effects(): number {
    return this.#actors.reduce((sum, actor) => sum + actor.effects, 0)
  }

  /** As a clean-up, an operator or DynamoDB's TTL would. */
  async deleteItems(): Promise<void> {
    const client = new DynamoDBClient(localClientConfig({ endpoint: this.#endpoint, tableName: this.#tableName }))
    const { Items = [] } = await client.send(new ScanCommand({ TableName: this.#tableName }))
    for (const item of Items) {
      const Key = Object.fromEntries(this.#made.keys.flatMap((name) => (name && item[name] ? [[name, item[name]]] : [])))
      await client.send(new DeleteItemCommand({ TableName: this.#tableName, Key }))
    }
    client.destroy()
  }

  close(): void {
    for (const actor of this.#actors) actor.close()
  }
}

/** What calls of a cell have in common unless they say otherwise. */
const USUAL_CALL = { do: 'call', event: { id: 'payment-1' }, remainingMs: 3000, result: 'ok' } as const

export class Actor {
  readonly proxy: FaultProxy
  readonly ready: Promise<void>
  effects = 0
  crashed = false
  readonly #child: ChildProcess
  readonly #answers = new Map<number, (result: Result) => void>()
  #started = Promise.withResolvers<void>()
  #asked = 0

  constructor(proxy: FaultProxy, setting: string) {
    this.proxy = proxy
    const stdio: ('ignore' | 'ipc')[] = ['ignore', 'ignore', 'ignore', 'ipc']
    this.#child = fork(join(import.meta.dirname, 'actor.process.ts'), [setting], { stdio, env: childEnvironment(process.env) })
    const ready = Promise.withResolvers<void>()
    this.ready = ready.promise
    this.#child.on('message', (message: Answer | { readonly ready: true } | { readonly effect: number }) => {
      if ('ready' in message) ready.resolve()
      else if ('effect' in message) this.#effect()
      else this.#answers.get(message.id)?.(message.result)
    })
    this.#child.once('exit', () => this.#die())
  }

  ask(ask: Ask): Promise<Result> {
    if (this.crashed) return Promise.resolve({ outcome: 'crashed' })
    const id = ++this.#asked
    const { promise, resolve } = Promise.withResolvers<Result>()
    this.#answers.set(id, resolve)
    this.#order({ id, ask })
    return promise
  }

  call(wish: Partial<Omit<CallAsk, 'do'>> = {}): Promise<Result> {
    return this.ask({ ...USUAL_CALL, ...wish })
  }

  /** A call whose handler stops after its effect; resolves when the effect has run, or the call has ended without one. */
  async callAndStop(wish: Partial<Omit<CallAsk, 'do'>> = {}): Promise<{ readonly end: Promise<Result>; goOn(): void }> {
    this.#started = Promise.withResolvers<void>()
    const end = this.call({ ...wish, waits: true })
    const id = this.#asked
    await Promise.race([this.#started.promise, end])
    return { end, goOn: () => this.#order({ goOn: id }) }
  }

  freeze(): void {
    this.#child.kill('SIGSTOP')
  }
  thaw(): void {
    this.#child.kill('SIGCONT')
  }
  kill(): void {
    this.#child.kill('SIGKILL')
  }

  close(): void {
    this.#child.kill('SIGKILL')
    this.proxy.close()
  }

  #order(order: Order): void {
    if (this.#child.connected) this.#child.send(order)
  }

  #effect(): void {
    this.effects++
    this.#started.resolve()
  }

  #die(): void {
    this.crashed = true
    for (const resolve of this.#answers.values()) resolve({ outcome: 'crashed' })
  }
}

/** Asks again until the answer is of the wanted kind, or the time is over. The last answer counts. */
export async function until(ask: () => Promise<Result>, wanted: (result: Result) => boolean, withinMs: number): Promise<Result> {
  const end = performance.now() + withinMs
  for (;;) {
    const result = await ask()
    if (wanted(result) || performance.now() > end) return result
    await delay(100)
  }
}
