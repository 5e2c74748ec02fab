import { createHash } from 'node:crypto'
import { type TransactWriteItem, TransactWriteItemsCommand } from '@aws-sdk/client-dynamodb'
import type { Reply } from '../../store/command.ts'
import { AlonceError } from '../../store/errors.ts'
import type { Fence, RecordKey } from '../../store/record.ts'
import type { GuardItem, TokenCompletion, Transacted } from '../../store/transaction.ts'
import { transition } from '../transition.ts'
import type { Sending } from './expression.ts'
import { address, memberName } from './item.ts'
import { complete } from './once-expressions.ts'
import type { Answer, Call, Request, Requests } from './send.ts'
import type { Seen, Table, TableNames } from './table.ts'

export interface TransactionTask {
  readonly command: TokenCompletion
  readonly items: readonly TransactWriteItem[]
  readonly call: Call
  readonly sending: Sending
}

/** So many others may change the record between our look and our write. */
const MOST_ROUNDS = 5

/**
 * A completion and the caller's items as one `TransactWriteItems`, the head first.
 *
 * As with every hot command, the head's condition may refuse more than the transition does; then the transition decides on
 * the item that came back, and what it writes goes into another transaction. The first one was cancelled, or has it to come
 * yet: only one of the two can find the attempt still running.
 */
export class TransactionExecution {
  readonly #table: Table
  readonly #requests: Requests
  readonly #task: TransactionTask

  constructor(table: Table, requests: Requests, task: TransactionTask) {
    this.#table = table
    this.#requests = requests
    this.#task = task
  }

  async run(): Promise<Transacted> {
    const { command, call, sending } = this.#task
    const { key } = command
    let answer = await this.#send({ Update: this.#table.updateOf(key, complete(command, sending)) })
    for (let round = 0; round < MOST_ROUNDS; round++) {
      if (!answer.refused) return { outcome: 'completed' }
      // Of one that was sent before nobody can say that it was refused: its first sending may be on its way.
      if (answer.by) return call.resent ? { outcome: 'uncertain' } : { outcome: 'refused', ...answer.by }
      const { head }: Pick<Seen, 'head'> = answer.item
        ? { head: this.#table.decode(answer.item, key) }
        : await this.#table.get(key, call)
      const { record, reply } = transition(head?.record, command, { ...sending, resent: call.resent })
      if (record === undefined || record === head?.record) return verdictOf(reply)
      const now = { record, leaseMs: head?.leaseMs, unclocked: head?.unclocked ?? false }
      answer = await this.#send({ Put: this.#table.replacementOf(key, now, head?.record) })
    }
    const message = `The record "${key}" was changed by others ${MOST_ROUNDS} times in a row. Try again later.`
    throw new AlonceError('STORE_UNAVAILABLE', message, { key, maybeApplied: call.resent })
  }

  #send(head: TransactWriteItem): Promise<Answer<unknown>> {
    return this.#requests.deliver(transaction([head, ...this.#task.items]), this.#task.call)
  }
}

/**
 * By its token DynamoDB recognises a transaction when it is sent again within ten minutes. The token is the same for the same
 * items only (DynamoDB refuses one token with two contents), and the same `occasion`.
 */
export function transaction(TransactItems: TransactWriteItem[], occasion = ''): Request {
  const content = JSON.stringify(TransactItems, bytesAsText) + occasion
  const ClientRequestToken = createHash('sha256').update(content).digest('base64url').slice(0, 36)
  return { writes: true, build: () => new TransactWriteItemsCommand({ TransactItems, ClientRequestToken }) }
}

function verdictOf(reply: Reply): Transacted {
  if (reply.outcome === 'completed' || reply.outcome === 'lost' || reply.outcome === 'uncertain')
    return { outcome: reply.outcome }
  throw new AlonceError('RECORD_UNREADABLE', `A completion was answered with "${reply.outcome}". Please report it.`)
}

const bytesAsText = (_name: string, value: unknown): unknown =>
  value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value

/**
 * A condition on a lock's head, in lib-dynamodb's values: its holder alone, or one of those who hold it together, under this
 * very fence. That suffices: whoever takes over puts his own there.
 */
export function guardItem(
  table: TableNames,
  key: RecordKey,
  grant: { readonly owner: string; readonly fence: Fence },
): GuardItem {
  const { pk, sk } = address(table.namespace, key)
  return {
    ConditionCheck: {
      TableName: table.name,
      Key: { pk: pk?.S, sk: sk?.S },
      ConditionExpression: '(#o = :owner AND #f = :fence) OR #hf.#member = :fence',
      ExpressionAttributeNames: { '#o': 'o', '#f': 'f', '#hf': 'hf', '#member': memberName(grant.owner) },
      ExpressionAttributeValues: { ':owner': grant.owner, ':fence': grant.fence },
    },
  }
}
