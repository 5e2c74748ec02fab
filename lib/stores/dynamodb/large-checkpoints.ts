import { createHash } from 'node:crypto'
import { GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb'
import type { OnceCheckpoint, Replies } from '../../store/command.ts'
import { AlonceError } from '../../store/errors.ts'
import type { RecordKey } from '../../store/record.ts'
import { DAY_MS } from '../../store/time.ts'
import { address, ttlSeconds } from './item.ts'
import type { Call, Item, Requests } from './send.ts'
import type { TableNames } from './table.ts'

/** What is larger gets an item of its own: a refused duplicate costs by the head's size. */
const INLINE_BYTES = 256
/** In a head it stands for a value that lies aside: no JSON and no codec's id begins like this. */
const MARK = '\u0000checkpoint#'
/** The longest retention of a result. The record may be begun again and again for as long. */
const KEPT_MS = 400 * DAY_MS

type Answered = Replies['once.begin'] | Replies['once.checkpoint']

/**
 * Checkpoints that are too large for the head, as immutable items `checkpoint#<owner>#<hash>` beside it, named after their own
 * content: written before the head says that they are there, and never changed.
 */
export class LargeCheckpoints {
  readonly #table: TableNames
  readonly #requests: Requests

  constructor(table: TableNames, requests: Requests) {
    this.#table = table
    this.#requests = requests
  }

  async putAside(command: OnceCheckpoint, latestMs: number, call: Call): Promise<OnceCheckpoint> {
    const { key, owner, value } = command
    if (Buffer.byteLength(value) <= INLINE_BYTES && !value.startsWith(MARK)) return command
    const name = `${owner}#${digest(value)}`
    const item = { ...this.#address(key, name), d: { S: value }, ttl: { N: String(ttlSeconds(latestMs + KEPT_MS)) } }
    // Sent twice it writes the same bytes: no write in the sense of `resent`.
    const build = (): object => new PutItemCommand({ TableName: this.#table.name, Item: item })
    await this.#requests.deliver({ writes: false, build }, call)
    return { ...command, value: MARK + name }
  }

  /** @throws AlonceError `RECORD_UNREADABLE` when one is missing or damaged: what it stands for would be done again. */
  async load<R extends Answered>(key: RecordKey, reply: R, call: Call): Promise<R> {
    if (reply.outcome === 'exists') return { ...reply, value: await this.#resolve(key, reply.value, call) }
    if (reply.outcome !== 'started' || !Object.values(reply.checkpoints).some(isMark)) return reply
    const entries = Object.entries(reply.checkpoints).map(
      async ([name, value]) => [name, await this.#resolve(key, value, call)] as const,
    )
    return { ...reply, checkpoints: Object.fromEntries(await Promise.all(entries)) }
  }

  async #resolve(key: RecordKey, value: string, call: Call): Promise<string> {
    if (!isMark(value)) return value
    const name = value.slice(MARK.length)
    const build = (): object =>
      new GetItemCommand({ TableName: this.#table.name, Key: this.#address(key, name), ConsistentRead: true })
    const answer = await this.#requests.deliver<{ Item?: Item }>({ writes: false, build }, call)
    const found = answer.refused ? undefined : answer.output.Item?.['d']?.S
    if (found !== undefined && name.endsWith(`#${digest(found)}`)) return found
    const message = `A checkpoint of "${key}" is missing or damaged. Nothing was run: what it stands for would be done again. Find out what was done, then forget the record.`
    throw new AlonceError('RECORD_UNREADABLE', message, { key })
  }

  #address(key: RecordKey, name: string): Item {
    return address(this.#table.namespace, key, `checkpoint#${name}`)
  }
}

const isMark = (value: string): boolean => value.startsWith(MARK)

const digest = (value: string): string => createHash('sha256').update(value).digest('base64url')
