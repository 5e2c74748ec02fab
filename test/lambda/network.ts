import { type DynamodbProxy, startDynamodbProxy } from '../../demo/dynamodb-proxy.ts'
import type { Transit } from '../../demo/transit.ts'
import type { Connection, Environment } from '../../dev/lambda/environment.ts'
import type { Invocation } from '../../dev/lambda/runtime-api.ts'

/** A request of an environment on its way: not yet `sent` on to its server, or `applied` there and not yet answered. */
export interface Passage {
  readonly environment: Environment
  /** The last one that the environment was given. */
  readonly invocation: Invocation
  /** The variable that has the server's address: `PAYMENT_PROVIDER_URL`. */
  readonly to: string
  /** DynamoDB's name of the request: `UpdateItem`. */
  readonly operation: string
  /** Counts the requests of the invocation, from 1. */
  readonly number: number
  readonly at: 'sending' | 'applied'
}

/**
 * What happens to an environment at this point of its code: every `await` of a function is a request.
 *
 * @throws LostInTransit when the request, or its answer, does not go on from here
 */
export type Hazard = (passage: Passage) => void | Promise<void>

export const DYNAMODB = 'AWS_ENDPOINT_URL_DYNAMODB'
export const PROVIDER = 'PAYMENT_PROVIDER_URL'

interface Traffic {
  invocation: Invocation
  requests: number
}

/** Gives each environment its own ways to the servers, so that it is known whose request passes. */
export class Network {
  readonly #servers: { readonly [variable: string]: string }
  readonly #hazard: Hazard
  readonly #traffic = new Map<Environment, Traffic>()

  constructor(servers: { readonly [variable: string]: string }, hazard: Hazard = () => undefined) {
    this.#servers = servers
    this.#hazard = hazard
  }

  readonly onStart = (environment: Environment, invocation: Invocation): void => {
    this.#traffic.set(environment, { invocation, requests: 0 })
  }

  readonly connect = async (environment: Environment): Promise<Connection> => {
    const ways = await Promise.all(Object.entries(this.#servers).map((server) => this.#way(environment, server)))
    return {
      variables: Object.fromEntries(ways.map(([variable, { endpoint }]) => [variable, endpoint])),
      close: async () => {
        this.#traffic.delete(environment)
        await Promise.all(ways.map(([, proxy]) => proxy.close()))
      },
    }
  }

  async #way(environment: Environment, [to, url]: [string, string]): Promise<[string, DynamodbProxy]> {
    const transit: Transit = async ({ step }, apply) => {
      const traffic = this.#traffic.get(environment)
      if (!traffic) return apply()
      const { invocation } = traffic
      const passage = { environment, invocation, to, operation: step, number: ++traffic.requests }
      await this.#hazard({ ...passage, at: 'sending' })
      const answer = await apply()
      await this.#hazard({ ...passage, at: 'applied' })
      return answer
    }
    return [to, await startDynamodbProxy(url, transit)]
  }
}
