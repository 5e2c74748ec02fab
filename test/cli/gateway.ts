import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { localConfig } from '../support/dynamodb-table.ts'

export interface Refusals {
  /** Actions that whoever comes through here may not use. */
  readonly denied?: readonly string[]
  readonly stripDate?: boolean
}

export interface Gateway {
  readonly endpoint: string
  /** What was asked for. */
  readonly actions: ReadonlySet<string>
  close(): void
}

/** DynamoDB Local behind a gateway that refuses, as IAM would. DynamoDB Local itself lets everybody do everything. */
export async function gateway({ denied = [], stripDate = false }: Refusals): Promise<Gateway> {
  const actions = new Set<string>()
  const server = createServer(async (request, response) => {
    response.sendDate = !stripDate
    const target = String(request.headers['x-amz-target'])
    actions.add(target.split('.')[1] ?? '')
    const body = Buffer.concat(await request.toArray())
    if (denied.includes(target.split('.')[1] ?? '')) {
      response.writeHead(400, { 'content-type': 'application/x-amz-json-1.0' })
      response.end(JSON.stringify({ __type: 'com.amazon.coral.service#AccessDeniedException', Message: 'not authorized' }))
      return
    }
    const headers = {
      'x-amz-target': target,
      'content-type': 'application/x-amz-json-1.0',
      authorization: String(request.headers.authorization),
    }
    const answer = await fetch(String(localConfig().endpoint), { method: 'POST', headers, body })
    response.writeHead(answer.status, { 'content-type': 'application/x-amz-json-1.0' })
    response.end(Buffer.from(await answer.arrayBuffer()))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    endpoint: `http://127.0.0.1:${port}`,
    actions,
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}
