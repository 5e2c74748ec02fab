import { Readable } from 'node:stream'

interface CannedRequest {
  readonly headers: { readonly [name: string]: string }
}

/** What a canned table answers to an operation (`PutItem`): a status and a body. */
export type Answers = (operation: string) => { readonly status: number; readonly body: string }

/**
 * Takes the place of the HTTP handler of the AWS SDK version 3: no socket, no table, so that the processor time which is left is
 * that of the SDK and of the product. The response is what DynamoDB's looks like, as a stream with a `Date`.
 */
export const cannedHandler = (answers: Answers): object => ({
  handle: async ({ headers }: CannedRequest) => {
    const { status, body } = answers(headers['x-amz-target']?.split('.')[1] ?? '')
    return {
      response: {
        statusCode: status,
        headers: {
          'content-type': 'application/x-amz-json-1.0',
          'content-length': String(body.length),
          date: new Date().toUTCString(),
        },
        body: Readable.from([Buffer.from(body)]),
      },
    }
  },
  updateHttpClientConfig: () => undefined,
  httpHandlerConfigs: () => ({}),
})

/** Every write succeeds on an item that was not there. */
export const freshTable: Answers = () => ({ status: 200, body: '{}' })
