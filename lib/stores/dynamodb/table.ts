import { GetItemCommand, type Put, PutItemCommand, type Update, UpdateItemCommand } from '@aws-sdk/client-dynamodb'
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

interface Delivery {
  readonly call: Call
  readonly absenceWillDo?: boolean | undefined
}

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
    return { head: this.decode(answer.refused ? answer.item : answer.output.Item, key), look }
  }

  update(key: RecordKey, write: HotWrite, call: Call): Promise<Written> {
    const input = this.updateOf(key, write)
    const build = (): object => new UpdateItemCommand({ ...input, ReturnValues: write.reply ? 'NONE' : 'ALL_OLD' })
    return this.#write(key, build, { call, absenceWillDo: write.absenceWillDo })
  }

  /** A hot write, for a request or a transaction. */
  updateOf(key: RecordKey, { update, condition, values, names }: HotWrite): Update {
    return {
      TableName: this.#names.name,
      Key: address(this.#names.namespace, key),
      UpdateExpression: update,
      ConditionExpression: condition,
      ExpressionAttributeValues: values,
      ...(Object.keys(names).length > 0 && { ExpressionAttributeNames: names }),
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
    }
  }

  /** Replaces the head if it is still the one that `before` was read from: same fence, same version. */
  replace(
    key: RecordKey,
    head: Head,
    change: { readonly before: AlonceRecord | undefined; readonly call: Call },
  ): Promise<Written> {
    const input = this.replacementOf(key, head, change.before)
    return this.#write(key, () => new PutItemCommand(input), { call: change.call })
  }

  replacementOf(key: RecordKey, head: Head, before: AlonceRecord | undefined): Put {
    return {
      TableName: this.#names.name,
      Item: { ...address(this.#names.namespace, key), ...encodeHead(head) },
      ConditionExpression: before ? 'f = :f AND v = :v' : 'attribute_not_exists(pk)',
      ...(before && { ExpressionAttributeValues: present({ ':f': number(before.fence), ':v': number(before.version) }) }),
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
    }
  }

  async #write(key: RecordKey, build: () => object, { call, absenceWillDo }: Delivery): Promise<Written> {
    const sent = this.#clock.reading()
    const answer: Answer<{ Attributes?: Item }> = await this.#requests.deliver({ writes: true, build }, call)
    if (!answer.refused) return { applied: true, before: this.decode(answer.output.Attributes, key) }
    // No item: there is none, or the client has left it out.
    if (!answer.item && absenceWillDo) return { applied: false, head: undefined, look: { sent, received: this.#clock.reading() } }
    if (!answer.item) return { applied: false, ...(await this.get(key, call)) }
    return { applied: false, head: this.decode(answer.item, key), look: { sent, received: this.#clock.reading() } }
  }

  decode(item: Item | undefined, key: RecordKey): Head | undefined {
    return item && decodeHead(item, key)
  }
}
