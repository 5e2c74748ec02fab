import { createHash } from 'node:crypto'
import { PutItemCommand, QueryCommand } from '@aws-sdk/client-dynamodb'
import type { OnceComplete } from '../../store/command.ts'
import { AlonceError } from '../../store/errors.ts'
import type { RecordKey, ResultPointer, StoredResult } from '../../store/record.ts'
import { address, text } from './item.ts'
import type { Call, Item, Requests } from './send.ts'

/** What `once.complete` may carry: Lambda's own limit for a response. */
export const MAX_RESULT_BYTES: number = 6 * 1024 * 1024

/** A head of this size or less costs one write unit. */
const HEAD_BYTES = 1024
/** What the head needs besides its key and its result: owner, fingerprint, label, tombstone, numbers. */
const HEAD_ALLOWANCE = 420
/** An item has at most 400 KB, its address included. */
const PART_BYTES = 380 * 1024
const PARALLEL = 4

interface Table {
  readonly name: string
  readonly namespace: string
}

/** Results that are too large for the head, as immutable items `result#<owner>#<nnnn>` beside it. */
export class Results {
  readonly #table: Table
  readonly #requests: Requests

  constructor(table: Table, requests: Requests) {
    this.#table = table
    this.#requests = requests
  }

  /**
   * The same command, with a pointer for a large result. The parts are written before the completion, under the owner's
   * name: a zombie's parts touch nobody's, and without a completion nobody finds them before their TTL does.
   */
  putAside<C extends OnceComplete>(command: C, ttl: number, call: Call): C | Promise<C> {
    const { body } = command.result
    return body instanceof Uint8Array && !this.#fitsHead(command) ? this.#putParts(command, body, { ttl, call }) : command
  }

  async #putParts<C extends OnceComplete>(
    command: C,
    body: Uint8Array,
    { ttl, call }: { readonly ttl: number; readonly call: Call },
  ): Promise<C> {
    const { key, owner, result } = command
    if (body.byteLength > MAX_RESULT_BYTES) throw tooLarge(key, body.byteLength)
    const parts = Array.from({ length: Math.ceil(body.byteLength / PART_BYTES) }, (_, index) => ({
      ...address(this.#table.namespace, key, partName(owner, index)),
      d: { B: body.subarray(index * PART_BYTES, (index + 1) * PART_BYTES) },
      ttl: { N: String(ttl) },
    }))
    for (let from = 0; from < parts.length; from += PARALLEL) {
      await Promise.all(parts.slice(from, from + PARALLEL).map((part) => this.#put(part, call)))
    }
    const pointer = { owner, count: parts.length, bytes: body.byteLength, sha256: sha256([body]) }
    return { ...command, result: { ...result, body: pointer } }
  }

  /** @throws AlonceError `RECORD_UNREADABLE` when a part is missing or damaged. */
  async load(key: RecordKey, result: StoredResult, call: Call): Promise<StoredResult> {
    const pointer = result.body
    if (pointer instanceof Uint8Array) return result
    const items = await this.#query(key, pointer, call)
    const parts = items.map((item) => item['d']?.B ?? new Uint8Array())
    const bytes = parts.reduce((sum, part) => sum + part.byteLength, 0)
    if (parts.length !== pointer.count || bytes !== pointer.bytes || sha256(parts) !== pointer.sha256) {
      throw damaged(key, `${parts.length} of ${pointer.count} parts, ${bytes} of ${pointer.bytes} bytes`)
    }
    return { ...result, body: Buffer.concat(parts) }
  }

  async #query(key: RecordKey, pointer: ResultPointer, call: Call): Promise<Item[]> {
    const { pk } = address(this.#table.namespace, key)
    const items: Item[] = []
    let from: Item | undefined
    do {
      const build = (start: Item | undefined) => () =>
        new QueryCommand({
          TableName: this.#table.name,
          ConsistentRead: true,
          KeyConditionExpression: 'pk = :pk AND begins_with(sk, :prefix)',
          ExpressionAttributeValues: { ':pk': pk as Item[string], ':prefix': text(`result#${pointer.owner}#`) as Item[string] },
          ExclusiveStartKey: start,
        })
      const answer = await this.#requests.deliver<{ Items?: Item[]; LastEvaluatedKey?: Item }>(
        { writes: false, build: build(from) },
        call,
      )
      if (answer.refused) break
      items.push(...(answer.output.Items ?? []))
      from = answer.output.LastEvaluatedKey
    } while (from && items.length <= pointer.count)
    return items
  }

  #put(item: Item, call: Call): Promise<unknown> {
    // Sent twice it writes the same bytes, so it says nothing of the completion: no write in the sense of `resent`.
    return this.#requests.deliver(
      { writes: false, build: () => new PutItemCommand({ TableName: this.#table.name, Item: item }) },
      call,
    )
  }

  #fitsHead({ key, result, token = '' }: OnceComplete): boolean {
    const { codec, body, traceparent = '' } = result
    const texts = `${this.#table.namespace}/${key}${codec}${token}${traceparent}`
    return body instanceof Uint8Array && Buffer.byteLength(texts) + HEAD_ALLOWANCE + body.byteLength <= HEAD_BYTES
  }
}

/** Four digits sort as their numbers do; six megabytes need seventeen parts. */
const partName = (owner: string, index: number): string => `result#${owner}#${String(index).padStart(4, '0')}`

function sha256(parts: readonly Uint8Array[]): string {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest('base64url')
}

const tooLarge = (key: RecordKey, bytes: number): AlonceError =>
  new AlonceError(
    'RESULT_TOO_LARGE',
    `The result has ${bytes} bytes, and at most ${MAX_RESULT_BYTES} can be kept. Return a reference (an S3 key, say) instead of the data.`,
    { key },
  )

const damaged = (key: RecordKey, found: string): AlonceError =>
  new AlonceError(
    'RECORD_UNREADABLE',
    `The stored result of "${key}" is incomplete or damaged (${found}). The operation has completed and is not run again; to run it again on purpose, forget the record.`,
    { key },
  )
