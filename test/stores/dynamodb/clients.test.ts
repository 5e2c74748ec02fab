import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { describe, expect, test } from 'vitest'
import { lockKey } from '../../../lib/store/key.ts'
import type { CommandSender } from '../../../lib/stores/dynamodb/dynamodb-store.ts'
import { openDynamoDB } from '../../support/dynamodb-backend.ts'
import { dynamodbMissing, localConfig } from '../../support/dynamodb-table.ts'
import { World } from '../../support/world.ts'

const LEASE = 10_000
const key = lockKey('a')
const acquire = (owner: string) => ({ type: 'lock.acquire', key, owner, leaseMs: LEASE }) as const
const release = (owner: string) => ({ type: 'lock.release', key, owner }) as const

/** A store on a client of the test's own, in virtual time. */
async function withClient(client: CommandSender) {
  const world = new World()
  const shared = await openDynamoDB(world)
  const process = world.client()
  return { world, shared, store: shared.connect(process, { client }).store, other: shared.connect(world.client()) }
}

describe.skipIf(dynamodbMissing)('a request that hangs', () => {
  test('is given up after a second, three times, and then the store is unavailable', async () => {
    let sent = 0
    const { world, store } = await withClient({
      send: () => {
        sent++
        return new Promise(() => undefined)
      },
    })
    const start = world.now
    await expect(world.run(store.execute(acquire('A')))).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      maybeApplied: true,
      cause: { name: 'TimeoutError' },
    })
    expect(world.now - start).toBeLessThanOrEqual(3000)
    expect(sent).toBe(3)
  })

  test('the caller’s own time bounds the whole call', async () => {
    const { world, store } = await withClient({ send: () => new Promise(() => undefined) })
    const start = world.now
    await expect(world.run(store.read(key, { timeoutMs: 400 }))).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      maybeApplied: false,
    })
    expect(world.now - start).toBe(400)
  })

  test('L6 on the wire, though it was delivered: the next sending recognises it', async () => {
    const world = new World()
    const shared = await openDynamoDB(world)
    const { store, wire } = shared.connect(world.client())
    const held = wire.hold('lock.acquire')
    const reply = store.execute(acquire('A'))
    await world.run(held.arrived)
    await world.advance(999)
    expect(wire.sent).toHaveLength(1)
    held.letGo()
    await world.settle()
    expect(await world.run(reply)).toMatchObject({ outcome: 'acquired' })
  })

  test('no timer is left running after a command', async () => {
    const world = new World()
    const shared = await openDynamoDB(world)
    const process = world.client()
    await shared.connect(process).store.execute(acquire('A'))
    expect(process.pendingTimers).toBe(0)
  })
})

describe.skipIf(dynamodbMissing)('a client that retries by itself', () => {
  /** The SDK with its own retries, over a socket that breaks as the test says. */
  function retrying(faults: ('drop-answer' | 'throttle' | 'internal')[]): CommandSender {
    const client = new DynamoDBClient(localConfig({ maxAttempts: 3 }))
    const { requestHandler } = client.config
    const handle = requestHandler.handle.bind(requestHandler)
    requestHandler.handle = (async (...args: Parameters<typeof handle>) => {
      const fault = faults.shift()
      if (fault === 'throttle' || fault === 'internal') {
        const [statusCode, name] = fault === 'throttle' ? [400, 'ThrottlingException'] : [500, 'InternalServerError']
        const body = JSON.stringify({ __type: `com.amazonaws.dynamodb.v20120810#${name}`, message: 'not now' })
        return { response: { statusCode, headers: {}, body: new TextEncoder().encode(body) } }
      }
      const answer = await handle(...args)
      if (fault === 'drop-answer') throw Object.assign(new Error('socket hang up'), { name: 'TimeoutError', code: 'ECONNRESET' })
      return answer
    }) as typeof requestHandler.handle
    return client
  }

  test('V3 L6 an acquire that it sent twice is recognised, and each attempt is counted', async () => {
    const { world, store } = await withClient(retrying(['drop-answer']))
    let requests = 0
    const reply = world.track(store.execute(acquire('A'), { onRequest: () => requests++ }))
    expect(await reply).toMatchObject({ outcome: 'acquired' })
    expect(requests).toBeGreaterThanOrEqual(2)
  })

  test('V6 it lost an answer and was then refused: gone, not lost', async () => {
    const { world, store } = await withClient(retrying(['drop-answer']))
    expect(await world.track(store.execute(release('A')))).toEqual({ outcome: 'gone' })
  })

  test('V6 it met an internal error and was then refused: gone, not lost', async () => {
    const { world, store } = await withClient(retrying(['internal']))
    expect(await world.track(store.execute(release('A')))).toEqual({ outcome: 'gone' })
  })

  test('V6 it was throttled and then refused: lost', async () => {
    const { world, store } = await withClient(retrying(['throttle']))
    expect(await world.track(store.execute(release('A')))).toEqual({ outcome: 'lost' })
  })
})

describe.skipIf(dynamodbMissing)('a double', () => {
  /** Takes the input, runs no middleware: no Date, and nobody knows how often it sent. */
  function bare(change: (error: { Item?: unknown }) => void = () => undefined): CommandSender & { readonly sent: string[] } {
    const client = new DynamoDBClient(localConfig())
    const sent: string[] = []
    return {
      sent,
      send: async (command) => {
        sent.push(command.constructor.name)
        const copy = new (command.constructor as new (input: unknown) => object)((command as { input: unknown }).input)
        try {
          return await (client as CommandSender).send(copy)
        } catch (error) {
          change(error as { Item?: unknown })
          throw error
        }
      },
    }
  }

  test('V6 what it refuses may have been its own second sending: gone, uncertain, never lost', async () => {
    const { world, store, other } = await withClient(bare())
    const held = await other.store.execute(acquire('B'))
    const fence = 'fence' in held ? held.fence : (0 as never)
    expect(await world.track(store.execute(release('A')))).toEqual({ outcome: 'gone' })
    expect(await world.track(store.execute({ type: 'lock.renew', key, owner: 'A', leaseMs: LEASE, fence }))).toEqual({
      outcome: 'uncertain',
    })
  })

  test('takeover needs the record seen unchanged for its lease', async () => {
    const { world, store, other } = await withClient(bare())
    await other.store.execute(acquire('B'))
    const held = { outcome: 'held', holder: { owner: 'B' } }
    expect(await world.track(store.execute(acquire('A')))).toMatchObject(held)
    await world.advance(LEASE)
    expect(await world.track(store.execute(acquire('A')))).toMatchObject(held)
    await world.advance(20)
    expect(await world.track(store.execute(acquire('A')))).toMatchObject({ outcome: 'acquired', tookOver: true })
  })

  test('it leaves out the item of a refusal: one consistent read', async () => {
    const client = bare((error) => delete error.Item)
    const { world, store, other } = await withClient(client)
    await other.store.execute(acquire('B'))
    expect(await world.track(store.execute(acquire('A')))).toMatchObject({ outcome: 'held', holder: { owner: 'B' } })
    expect(client.sent).toEqual(['UpdateItemCommand', 'GetItemCommand'])
  })

  test('I15 the record vanishes between the refusal and the read: begun anew, not run unclaimed', async () => {
    const world = new World()
    const shared = await openDynamoDB(world)
    const inner = bare((error) => delete error.Item)
    const client: CommandSender = {
      send: async (command) => {
        if (command.constructor.name === 'GetItemCommand') await shared.remove(key)
        return inner.send(command)
      },
    }
    const { store } = shared.connect(world.client(), { client })
    const other = shared.connect(world.client())
    await other.store.execute(acquire('B'))
    expect(await world.track(store.execute(acquire('A')))).toMatchObject({ outcome: 'acquired' })
    expect((await shared.items(key)).get('head')).toMatchObject({ o: { S: 'A' } })
  })

  test('each of its sends is counted once', async () => {
    const { world, store } = await withClient(bare())
    let requests = 0
    await world.track(store.execute(acquire('A'), { onRequest: () => requests++ }))
    // The grant, and the mark that no server's clock wrote it.
    expect(requests).toBe(2)
  })
})
