import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { vi } from 'vitest'

/** A request as IAM judges it: an action on one item, or on none in particular. */
export interface Access {
  readonly action: string
  readonly table: string
  readonly leadingKey?: string
}

type Value = string | { readonly S?: string }
interface Input {
  readonly TableName?: string
  readonly Key?: { readonly pk?: Value }
  readonly Item?: { readonly pk?: Value }
  readonly ExpressionAttributeValues?: { readonly [name: string]: Value }
  readonly TransactItems?: readonly { readonly [action: string]: Input }[]
}
interface Sent {
  readonly client: unknown
  readonly operation: string
  readonly input: Input
}

/** Notes what is sent through any client of the SDK, below the library and above the network. */
export class Recording {
  readonly #sent: Sent[] = []
  readonly #ignored = new Set<unknown>()

  constructor() {
    for (const prototype of [DynamoDBClient.prototype, DynamoDBDocumentClient.prototype] as { send: unknown }[]) {
      const send = prototype.send as (command: object, ...rest: unknown[]) => unknown
      const sent = this.#sent
      vi.spyOn(prototype as { send: typeof send }, 'send').mockImplementation(function (this: unknown, command, ...rest) {
        const { input } = command as { input: Input }
        sent.push({ client: this, operation: command.constructor.name.replace(/Command$/, ''), input })
        return send.call(this, command, ...rest)
      })
    }
  }

  /** The test's own client is not the library. */
  ignore(client: unknown): void {
    this.#ignored.add(client)
  }

  /** @returns each access once, in alphabetical order, and forgets them */
  take(): Access[] {
    const accesses = this.#sent.splice(0).filter(({ client }) => !this.#ignored.has(client))
    const distinct = new Map(accesses.flatMap(accessesOf).map((access) => [JSON.stringify(access), access]))
    return [...distinct.entries()].sort(([a], [b]) => a.localeCompare(b)).map(([, access]) => access)
  }
}

/** lib-dynamodb's commands have shorter names. */
const ACTIONS: { readonly [operation: string]: string } = {
  Get: 'GetItem',
  Put: 'PutItem',
  Update: 'UpdateItem',
  Delete: 'DeleteItem',
}

/** A transaction is no action: IAM asks for that of each of its items. */
function accessesOf({ operation, input }: Pick<Sent, 'operation' | 'input'>): Access[] {
  if (operation === 'TransactWriteItems') {
    return (input.TransactItems ?? []).flatMap((item) =>
      Object.entries(item).flatMap(([action, part]) =>
        accessesOf({ operation: action === 'ConditionCheck' ? 'ConditionCheckItem' : action, input: part }),
      ),
    )
  }
  const value = (input.Key ?? input.Item)?.pk ?? input.ExpressionAttributeValues?.[':pk']
  const leadingKey = typeof value === 'string' ? value : value?.S
  const action = `dynamodb:${ACTIONS[operation] ?? operation}`
  return [{ action, table: input.TableName ?? '', ...(leadingKey !== undefined && { leadingKey }) }]
}
