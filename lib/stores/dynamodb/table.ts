import { GetItemCommand, PutItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb'
import type { AlonceRecord, RecordKey } from '../../store/record.ts'
import type { HotWrite } from './expression.ts'
import { address, decodeHead, encodeHead, type Head, number, present } from './item.ts'
import type { Answer, Call, Item, Requests } from './send.ts'
import type { Look } from './sightings.ts'
import type { TableClock } from './table-clock.ts'

export interface TableNames {
  readonly name: string
  readonly namespace: string
}

/** The head as it is, and when it was looked at. */
export interface Seen {
  readonly head: Head | undefined
  readonly look: Look
}

/** `before`: the head that the write replaced, where the request asked for it. */
export type Written = { readonly applied: true; readonly before: Head | undefined } | ({ readonly applied: false } & Seen)

/** Head items: read, written if a condition holds. */
export class Table {
  readonly #names: TableNames
  readonly #requests: Requests
  readonly #clock: TableClock

  constructor(names: TableNames, requests: Requests, clock: TableClock) {
    this.#names = names
    this.#requests = requests
    this.#clock = clock
  }

  async get(key: RecordKey, call: Call): Promise<Seen> {
    const sent = this.#clock.reading()
    const build = (): object =>
      new GetItemCommand({ TableName: this.#names.name, Key: address(this.#names.namespace, key), ConsistentRead: true })
    const answer = await this.#requests.deliver<{ Item?: Item }>({ writes: false, build }, call)
    const look = { sent, received: this.#clock.reading() }
    return { head: this.#decode(answer.refused ? answer.item : answer.output.Item, key), look }
  }

  async update(key: RecordKey, write: HotWrite, call: Call): Promise<Written> {
    const { update, condition, values, names, reply } = write
    const build = (): object =>
      new UpdateItemCommand({
        TableName: this.#names.name,
        Key: address(this.#names.namespace, key),
        UpdateExpression: update,
        ConditionExpression: condition,
        ExpressionAttributeValues: values,
        ...(Object.keys(names).length > 0 && { ExpressionAttributeNames: names }),
        ReturnValues: reply ? 'NONE' : 'ALL_OLD',
        ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
      })
    return this.#write(key, build, call)
  }

  /** Replaces the head if it is still the one that `before` was read from: same fence, same version. */
  async replace(
    key: RecordKey,
    head: Head,
    change: { readonly before: AlonceRecord | undefined; readonly call: Call },
  ): Promise<Written> {
    const { before, call } = change
    const unchanged = {
      ConditionExpression: before ? 'f = :f AND v = :v' : 'attribute_not_exists(pk)',
      ...(before && { ExpressionAttributeValues: present({ ':f': number(before.fence), ':v': number(before.version) }) }),
    }
    const build = (): object =>
      new PutItemCommand({
        TableName: this.#names.name,
        Item: { ...address(this.#names.namespace, key), ...encodeHead(head) },
        ...unchanged,
        ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
      })
    return this.#write(key, build, call)
  }

  async #write(key: RecordKey, build: () => object, call: Call): Promise<Written> {
    const sent = this.#clock.reading()
    const answer: Answer<{ Attributes?: Item }> = await this.#requests.deliver({ writes: true, build }, call)
    if (!answer.refused) return { applied: true, before: this.#decode(answer.output.Attributes, key) }
    // No item: there is none, or the client has left it out.
    if (!answer.item) return { applied: false, ...(await this.get(key, call)) }
    return { applied: false, head: this.#decode(answer.item, key), look: { sent, received: this.#clock.reading() } }
  }

  #decode(item: Item | undefined, key: RecordKey): Head | undefined {
    return item && decodeHead(item, key)
  }
}
