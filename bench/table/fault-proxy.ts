import { once } from 'node:events'
import { Agent, createServer, type IncomingMessage, type Server, type ServerResponse, request as send } from 'node:http'
import { type Item, itemBytes, transactionUnits, writeUnits } from './item-size.ts'

/** One request as it went by. Units as DynamoDB Local reports them; of a refused write, by the documented rule. */
export interface Exchange {
  readonly operation: string
  readonly writes: boolean
  readonly refused: boolean
  readonly readUnits: number
  readonly writeUnits: number
}

/** A write that is kept on its way to the table. */
export interface KeptWrite {
  readonly arrived: Promise<void>
  letGo(): void
}

interface Body {
  readonly TableName?: string
  readonly Key?: Item
  readonly Item?: Item
  readonly TransactItems?: readonly { readonly [action: string]: Body }[]
}
interface Reply {
  readonly status: number
  readonly headers: readonly string[]
  readonly body: Buffer
}
interface Consumed {
  readonly CapacityUnits?: number
}

const WRITES = /^(Put|Update|Delete|TransactWrite)/

/**
 * Stands between one client and DynamoDB Local: counts, and is where all faults happen. Every product talks to it over the
 * same plain HTTP, whichever version of the AWS SDK it uses, so a fault is the same for all.
 */
export class FaultProxy {
  readonly exchanges: Exchange[] = []
  readonly #target: string
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 256 })
  readonly #keys: readonly string[]
  readonly #server: Server
  #answersToDrop = 0
  #away = false
  #kept: { readonly arrive: () => void; readonly release: Promise<void> } | undefined

  /** `keys`: the table's key attributes, to look at an item that has refused a write. */
  constructor(target: string, keys: readonly string[]) {
    this.#target = target
    this.#keys = keys
    this.#server = createServer((request, response) => {
      this.#pass(request, response).catch(() => request.socket.destroy())
    })
  }

  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('The proxy has no port')
    return `http://127.0.0.1:${address.port}`
  }

  close(): void {
    this.#server.closeAllConnections()
    this.#server.close()
    this.#agent.destroy()
  }

  /** The next write is applied, and its answer lost: the connection breaks. */
  dropNextAnswer(): void {
    this.#answersToDrop++
  }

  /** From now on every connection breaks before anything is applied. */
  goAway(away: boolean): void {
    this.#away = away
  }

  /** The next write waits before the table until it is let go. */
  keepNextWrite(): KeptWrite {
    const arrival = Promise.withResolvers<void>()
    const release = Promise.withResolvers<void>()
    this.#kept = { arrive: arrival.resolve, release: release.promise }
    return { arrived: arrival.promise, letGo: release.resolve }
  }

  async #pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const text = (await readBody(request)).toString('utf8')
    const operation = String(request.headers['x-amz-target'] ?? '').split('.')[1] ?? ''
    const writes = WRITES.test(operation)
    if (this.#away) throw new Error('The table is away')
    if (writes) await this.#keep()
    const reply = await this.#forward(request, JSON.stringify({ ...JSON.parse(text), ReturnConsumedCapacity: 'TOTAL' }))
    this.exchanges.push(await this.#exchangeOf({ operation, writes, text }, reply))
    if (writes && this.#answersToDrop > 0) {
      this.#answersToDrop--
      throw new Error('The answer is lost')
    }
    response.sendDate = false
    response.writeHead(reply.status, [...reply.headers]).end(reply.body)
  }

  async #keep(): Promise<void> {
    const kept = this.#kept
    if (!kept) return
    this.#kept = undefined
    kept.arrive()
    await kept.release
  }

  async #exchangeOf(request: { operation: string; writes: boolean; text: string }, reply: Reply): Promise<Exchange> {
    const { operation, writes, text } = request
    const answer = JSON.parse(reply.body.toString('utf8') || '{}') as {
      ConsumedCapacity?: Consumed
      __type?: string
      Item?: Item
    }
    const refused = answer.__type?.endsWith('ConditionalCheckFailedException') ?? false
    const body = JSON.parse(text) as Body
    const units = refused ? await this.#refusalUnits(body, answer.Item) : await this.#units(body, answer.ConsumedCapacity)
    return { operation, writes, refused, readUnits: writes ? 0 : units, writeUnits: writes ? units : 0 }
  }

  /**
   * As DynamoDB Local reports them; but for a transaction it reports 4 units for each table, however many small items it writes
   * there, where DynamoDB charges 2 for each KiB of each item: those are counted by the items as they are afterwards.
   */
  async #units({ TransactItems }: Body, consumed: Consumed = {}): Promise<number> {
    if (!TransactItems) return consumed.CapacityUnits ?? 0
    const actions = TransactItems.flatMap((action) => Object.values(action))
    return transactionUnits(await Promise.all(actions.map((action) => this.#bytesOf(action))))
  }

  /** DynamoDB Local reports nothing with a refusal. */
  async #refusalUnits(body: Body, shown: Item | undefined): Promise<number> {
    return writeUnits(shown ? itemBytes(shown) : await this.#bytesOf(body))
  }

  /** Of the item that a write is about, as it is now. */
  async #bytesOf({ TableName, Key, Item: item }: Body): Promise<number> {
    const key = Key ?? Object.fromEntries(this.#keys.map((name) => [name, item?.[name]]))
    const found = await this.#forward(undefined, JSON.stringify({ TableName, Key: key, ConsistentRead: true }))
    const { Item: there } = JSON.parse(found.body.toString('utf8')) as { Item?: Item }
    return there ? itemBytes(there) : 0
  }

  #forward(request: IncomingMessage | undefined, body: string): Promise<Reply> {
    const { promise, resolve, reject } = Promise.withResolvers<Reply>()
    const headers = request ? { ...request.headers, 'content-length': Buffer.byteLength(body) } : LOOK
    const outgoing = send(
      new URL(request?.url ?? '/', this.#target),
      { agent: this.#agent, method: 'POST', headers },
      (answer) => {
        readBody(answer).then(
          (bytes) => resolve({ status: answer.statusCode ?? 502, headers: answer.rawHeaders, body: bytes }),
          reject,
        )
      },
    )
    outgoing.on('error', reject)
    outgoing.end(body)
    return promise
  }
}

/** DynamoDB Local wants a signature, and does not check it. */
const LOOK = {
  'content-type': 'application/x-amz-json-1.0',
  'x-amz-target': 'DynamoDB_20120810.GetItem',
  authorization: 'AWS4-HMAC-SHA256 Credential=fake/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0',
}

async function readBody(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of message) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}
