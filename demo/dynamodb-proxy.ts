import { Agent, createServer, type IncomingMessage, type ServerResponse, request as send } from 'node:http'
import { closeServer, headerOf, listenOnLoopback, readBody } from './loopback.ts'
import { answerOrBreak, DELIVERY_HEADER, LostInTransit, STEP_HEADER, type Transit } from './transit.ts'

export interface DynamodbProxy {
  readonly endpoint: string
  close(): Promise<void>
}

/** Stands between the worker processes and DynamoDB Local, so that the storm can strike at any request. */
export async function startDynamodbProxy(target: string, transit: Transit): Promise<DynamodbProxy> {
  const agent = new Agent({ keepAlive: true })
  const server = createServer((request, response) =>
    answerOrBreak(request.socket, forward(request, response, { target, agent, transit })),
  )
  const port = await listenOnLoopback(server)
  const close = async (): Promise<void> => {
    await closeServer(server)
    agent.destroy()
  }
  return { endpoint: `http://127.0.0.1:${port}`, close }
}

interface Route {
  readonly target: string
  readonly agent: Agent
  readonly transit: Transit
}

interface Reply {
  readonly status: number
  readonly headers: string[]
  readonly body: Buffer
}

async function forward(request: IncomingMessage, response: ServerResponse, { target, agent, transit }: Route): Promise<void> {
  const body = await readBody(request)
  const parcel = { delivery: headerOf(request, DELIVERY_HEADER), step: headerOf(request, STEP_HEADER) ?? 'other' }
  const reply = await transit(parcel, () => exchange(request, body, { target, agent }))
  // The Date header is the store's clock: it passes as DynamoDB wrote it.
  response.sendDate = false
  response.writeHead(reply.status, reply.headers).end(reply.body)
}

function exchange({ method, url, headers }: IncomingMessage, body: Buffer, route: Omit<Route, 'transit'>): Promise<Reply> {
  const { promise, resolve, reject } = Promise.withResolvers<Reply>()
  const options = { agent: route.agent, headers, ...(method === undefined ? {} : { method }) }
  const lost = (cause: unknown): void => reject(new LostInTransit('DynamoDB Local did not answer', { cause }))
  const outgoing = send(new URL(url ?? '/', route.target), options, (answer) => {
    readBody(answer).then((bytes) => resolve({ status: answer.statusCode ?? 502, headers: answer.rawHeaders, body: bytes }), lost)
  })
  outgoing.on('error', lost)
  outgoing.end(body)
  return promise
}
