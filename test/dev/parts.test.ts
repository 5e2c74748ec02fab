import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import type { SQSEvent } from 'aws-lambda'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseArguments, WrongArguments } from '../../dev/arguments.ts'
import { DevFunction } from '../../dev/dev-function.ts'
import { httpAnswer, httpEvent } from '../../dev/http-event.ts'
import { httpServer, listen, PortTaken } from '../../dev/http-server.ts'
import type { Outcome } from '../../dev/lambda/environment.ts'
import { lineReader } from '../../dev/lambda/lines.ts'
import { type Batch, Queue } from '../../dev/lambda/queue.ts'
import { runtimeClient } from '../../dev/lambda/runtime-client.ts'
import { type Line, textLog } from '../../dev/log.ts'
import { watchSources } from '../../dev/watch.ts'

const folder = mkdtempSync(join(tmpdir(), 'alonce-dev-test-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('arguments', () => {
  test('the settlement runs every minute, unless it is told otherwise', () => {
    expect(parseArguments([])).toEqual({ port: undefined, everyMs: 60_000, json: false })
    expect(parseArguments(['--every', '5', '--port', '0', '--json'])).toEqual({ port: 0, everyMs: 5000, json: true })
    expect(parseArguments(['--no-schedule'])).toMatchObject({ everyMs: undefined })
    expect(parseArguments(['--help'])).toBeUndefined()
  })

  test.each([['--port', '70000'], ['--every', '0'], ['--every', '1.5'], ['--unknown']])('%s %s is refused', (...argv) => {
    expect(() => parseArguments(argv)).toThrow(WrongArguments)
  })
})

describe('a request, as API Gateway hands it over', () => {
  const request = (parts: object): IncomingMessage =>
    ({ method: 'POST', url: '/payments', headersDistinct: {}, ...parts }) as unknown as IncomingMessage

  test('headers, cookies and query are joined by commas', () => {
    const headersDistinct = { 'content-type': ['application/json'], 'x-many': ['a', 'b'], cookie: ['c=1; d=2'] }
    const event = httpEvent(request({ url: '/payments?x=1&y=2&x=3', headersDistinct }), Buffer.from('{}'), 'POST /payments')
    expect(event).toMatchObject({
      version: '2.0',
      routeKey: 'POST /payments',
      rawPath: '/payments',
      rawQueryString: 'x=1&y=2&x=3',
      queryStringParameters: { x: '1,3', y: '2' },
      headers: { 'content-type': 'application/json', 'x-many': 'a,b' },
      cookies: ['c=1', 'd=2'],
      body: '{}',
      isBase64Encoded: false,
    })
    expect(event.headers).not.toHaveProperty('cookie')
    expect(event.requestContext.http).toMatchObject({ method: 'POST', path: '/payments' })
    expect(event.requestContext.time).toMatch(/^\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d \+0000$/)
  })

  test('what is not text goes in base64, and no body is no body', () => {
    const headersDistinct = { 'content-type': ['application/octet-stream'] }
    expect(httpEvent(request({ headersDistinct }), Buffer.from([0, 255]), 'r')).toMatchObject({
      body: 'AP8=',
      isBase64Encoded: true,
    })
    expect(httpEvent(request({}), Buffer.alloc(0), 'r')).not.toHaveProperty('body')
  })

  test.each<[string, Outcome, object]>([
    [
      'an answer in full',
      {
        kind: 'returned',
        value: { statusCode: 201, headers: { 'x-a': 1 }, cookies: ['c=1'], body: 'aGk=', isBase64Encoded: true },
      },
      { status: 201, headers: { 'x-a': '1', 'set-cookie': ['c=1'] }, body: Buffer.from('hi') },
    ],
    ['a body alone', { kind: 'returned', value: { ok: true } }, { status: 200, body: Buffer.from('{"ok":true}') }],
    ['an error', { kind: 'threw', errorType: 'TypeError', errorMessage: 'a secret' }, { status: 500, body: INTERNAL() }],
    ['a time-out', { kind: 'timed-out' }, { status: 500, body: INTERNAL() }],
  ])('of %s it makes a response', (_what, outcome, response) => {
    expect(httpAnswer(outcome)).toMatchObject(response)
  })

  function INTERNAL(): Buffer {
    return Buffer.from('{"message":"Internal Server Error"}')
  }
})

describe('ports', () => {
  test('3000 or the next free one; one that is asked for and taken is refused', async () => {
    const [a, b, c] = [createServer(), createServer(), createServer()] as const
    const first = await listen(a, undefined)
    const second = await listen(b, undefined)
    expect(first).toBeGreaterThanOrEqual(3000)
    expect(second).toBeGreaterThan(first)
    await expect(listen(c, first)).rejects.toThrow(PortTaken)
    for (const server of [a, b]) server.close()
  })

  test('a body of more than 10 MB is refused as API Gateway does', async () => {
    const server = httpServer({ routes: { 'POST /': async () => httpAnswer({ kind: 'timed-out' }) }, onRequest: () => undefined })
    const port = await listen(server, 0)
    const answer = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body: Buffer.alloc(10_485_761) })
    expect(answer.status).toBe(413)
    server.close()
  })
})

describe('the queue', () => {
  async function drained(
    answer: (event: SQSEvent) => unknown,
  ): Promise<{ batches: Batch[]; dead: readonly string[]; received: number[] }> {
    const batches: Batch[] = []
    const received: number[] = []
    const consumer = {
      invoke: async (event: SQSEvent): Promise<Outcome> => {
        received.push(event.Records.length)
        return { kind: 'returned', value: answer(event) }
      },
    }
    const onBatch = (batch: Batch): void => void batches.push(batch)
    const queue = new Queue(consumer, { batchSize: 2, visibilityMs: 1, maxReceiveCount: 2, pollers: 1, onBatch })
    for (const body of ['a', 'b']) queue.send(body)
    await queue.drain()
    return { batches, dead: queue.dead, received }
  }

  test.each([
    ['nothing', undefined],
    ['null', null],
    ['no list', {}],
    ['an empty list', { batchItemFailures: [] }],
  ])('%s for an answer deletes the whole batch', async (_what, answer) => {
    expect(await drained(() => answer)).toMatchObject({ received: [2], dead: [] })
  })

  test('a message that is named as failed comes again, and then goes to the dead-letter queue', async () => {
    const idOf = ({ Records }: SQSEvent): string | undefined => Records.find(({ body }) => body === 'b')?.messageId
    const { received, dead } = await drained((event) => ({ batchItemFailures: [{ itemIdentifier: idOf(event) }] }))
    expect({ received, dead }).toEqual({ received: [2, 1], dead: ['b'] })
  })

  test('a name that the batch does not have fails the whole batch', async () => {
    const { dead } = await drained(() => ({ batchItemFailures: [{ itemIdentifier: 'who' }] }))
    expect(dead).toEqual(['a', 'b'])
  })
})

describe('a function that is developed', { timeout: 30_000 }, () => {
  const lines: Line[] = []
  beforeAll(() => void runtimeClient(), 120_000)

  test('runs its new code after a change, its old code when the new one does not compile, and its next when one did not start', async () => {
    const entry = join(folder, 'index.ts')
    const write = (body: string): void => writeFileSync(entry, `export const handler = async () => { ${body} }`)
    write(`console.log('hello'); return 1`)
    const settings = { name: 'stage', entry, timeoutMs: 5000, environments: 1, variables: {} }
    const fn = await DevFunction.start({ ...settings, log: (line) => void lines.push(line) })
    expect(await fn.invoke({})).toEqual({ kind: 'returned', value: 1 })
    expect(lines.map(({ text }) => text)).toContainEqual(expect.stringMatching(/^\| .*\tINFO\thello$/))

    write('return 2')
    await fn.reload()
    expect(await fn.invoke({})).toEqual({ kind: 'returned', value: 2 })

    write('return 3 +')
    await expect(fn.reload()).rejects.toThrow(/index\.ts:1:\d+: ERROR/)
    expect(await fn.invoke({})).toEqual({ kind: 'returned', value: 2 })

    writeFileSync(entry, `throw new Error('not today')`)
    await fn.reload()
    expect(await fn.invoke({})).toMatchObject({ kind: 'crashed', how: expect.stringContaining('not today') })
    write('return 5')
    await fn.reload()
    expect(await fn.invoke({})).toEqual({ kind: 'returned', value: 5 })
    await fn.stop()
  })
})

test('sources: a change is told once it is over, with the files that changed, and of TypeScript only', async () => {
  const sources = join(folder, 'sources/deep')
  mkdirSync(sources, { recursive: true })
  const told = Promise.withResolvers<readonly string[]>()
  const stop = watchSources([join(folder, 'sources')], async (files) => told.resolve(files))
  await delay(50)
  for (const name of ['a.ts', 'b.ts', 'notes.txt']) writeFileSync(join(sources, name), '')
  expect([...(await told.promise)].sort()).toEqual([join(sources, 'a.ts'), join(sources, 'b.ts')])
  stop()
})

test('lines: what comes in pieces is put together, and told with the name of its function', () => {
  const out = new PassThrough()
  const log = textLog(out as unknown as NodeJS.WriteStream)
  const read = lineReader((text) => log({ source: 'orders', event: 'output', text }))
  read('one\ntw')
  read('o\n\nthree')
  expect(String(out.read()).replace(/^[\d:]{8}/gm, '<time>')).toBe('<time> orders     one\n<time> orders     two\n')
})
