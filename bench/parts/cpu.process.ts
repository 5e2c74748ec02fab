import { DynamoDBClient, PutItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb'
import type { BenchContext, Session } from '../products/product.ts'
import { loadProduct, type ProductId } from '../products/products.ts'
import { cannedHandler, freshTable } from '../table/canned-handler.ts'
import { localClientConfig } from '../table/local-client.ts'
import { reportToParent } from './child.ts'

/** Processor time of one product and of two bare calls of the SDK, in turns, in one process. */
export interface CpuWish {
  readonly product: ProductId
  readonly rounds: number
  readonly calls: number
  readonly warmUp: number
}
export interface CpuRound {
  readonly bareMicros: number
  readonly productMicros: number
}

const context: BenchContext = { getRemainingTimeInMillis: () => 60_000, awsRequestId: 'c6af9ac6-7b61-11e6-9a41-93e8deadbeef' }
const RESULT = { chargeId: 'ch_3OqLz2eZvKYlo2C1', status: 'succeeded' }
const setting = { endpoint: 'http://127.0.0.1:1', tableName: 'bench', requestHandler: cannedHandler(freshTable) }

await reportToParent(async ({ product, rounds, calls, warmUp }: CpuWish): Promise<CpuRound[]> => {
  const bare = bareCalls()
  const ours = productCalls(await (await loadProduct(product)).connect(setting))
  let serial = 0
  const time = async (act: (key: string) => Promise<unknown>, count: number): Promise<number> => {
    const before = process.cpuUsage()
    for (let call = 0; call < count; call++) await act(`payment-${serial++}`)
    const { user, system } = process.cpuUsage(before)
    return (user + system) / count
  }
  // In turns from the start, so that the compiler sees both.
  for (let turn = 0; turn < 4; turn++) {
    await time(bare, warmUp / 4)
    await time(ours, warmUp / 4)
  }
  const measured: CpuRound[] = []
  for (let round = 0; round < rounds; round++) {
    measured.push({ bareMicros: await time(bare, calls), productMicros: await time(ours, calls) })
  }
  return measured
})

/** What somebody would write by hand, without any library: the begin on a condition, then the result. */
function bareCalls(): (key: string) => Promise<unknown> {
  const client = new DynamoDBClient(localClientConfig(setting))
  return async (key) => {
    await client.send(
      new PutItemCommand({
        TableName: 'bench',
        Item: {
          id: { S: key },
          status: { S: 'INPROGRESS' },
          expires: { N: String(Date.now() + 60_000) },
          ttl: { N: '1800000000' },
        },
        ConditionExpression: 'attribute_not_exists(id) OR (#s = :running AND expires < :now)',
        ExpressionAttributeNames: { '#s': 'status' },
        ExpressionAttributeValues: { ':running': { S: 'INPROGRESS' }, ':now': { N: String(Date.now()) } },
        ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
      }),
    )
    await client.send(
      new UpdateItemCommand({
        TableName: 'bench',
        Key: { id: { S: key } },
        UpdateExpression: 'SET #s = :completed, #r = :result, #t = :ttl',
        ExpressionAttributeNames: { '#s': 'status', '#r': 'result', '#t': 'ttl' },
        ExpressionAttributeValues: {
          ':completed': { S: 'COMPLETED' },
          ':result': { S: JSON.stringify(RESULT) },
          ':ttl': { N: '1800000000' },
        },
      }),
    )
  }
}

/** A first call of an idempotent function; of a product that only locks, an acquisition and a release. */
function productCalls({ once, lock }: Session): (key: string) => Promise<unknown> {
  if (once) {
    const handler = once.wrap(async () => RESULT)
    return (key) => handler({ id: key }, context)
  }
  return async (key) => (await lock?.acquire(key, { leaseMs: 30_000, waitMs: 0 }))?.release()
}
