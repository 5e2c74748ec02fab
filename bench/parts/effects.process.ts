import { currentOperation, type Lock, makeIdempotent, tryAcquireLock } from 'alonce'
import { dynamodbStore } from 'alonce/dynamodb'
import { alonce } from '../products/alonce.ts'
import { type Exchange, FaultProxy } from '../table/fault-proxy.ts'
import { createTableFor, localClientConfig } from '../table/local-client.ts'
import { reportToParent } from './child.ts'
import { tallyOf } from './costs.ts'
import type { EffectCase } from './effect-cases.ts'
import type { EffectCost } from './effects.ts'

export interface EffectsWish {
  readonly endpoint: string
  readonly rounds: number
}

type Store = ReturnType<typeof dynamodbStore>
type Step = readonly [name: EffectCase, act: () => Promise<unknown>, before?: () => Promise<void>]

const TABLE = 'effects'
const ORDERS = 'effects-orders'
const LEASE_MS = 30_000
const MODES = { permit: { limit: 10 }, 'shared lock': { mode: 'shared' } } as const
const silent = (): void => undefined

/** Deterministic, as the costs beside the peers are: a few rounds show it. */
await reportToParent(async ({ endpoint, rounds }: EffectsWish): Promise<EffectCost[]> => {
  const proxy = new FaultProxy(endpoint, ['pk', 'sk'])
  const setting = { endpoint: await proxy.listen(), tableName: TABLE }
  for (const tableName of [TABLE, ORDERS]) await createTableFor(alonce, { endpoint, tableName })
  const connect = (): Store => dynamodbStore({ tableName: TABLE, clientConfig: localClientConfig(setting) })
  // Two stores know as little of each other as two processes do.
  const [ours, others] = [connect(), connect()]
  const seen = new Map<EffectCase, Exchange[][]>()
  for (let round = -1; round < rounds; round++) {
    const key = `round-${round}`
    const steps = [...lockSteps('permit', key, { ours, others }), ...lockSteps('shared lock', key, { ours, others })]
    for (const [name, act, prepare] of [...steps, ...togetherSteps(ours, key), ...transactSteps(ours, key)]) {
      await prepare?.()
      const before = proxy.exchanges.length
      await act()
      // The round before the first is not counted: in it the stores learn of the table and its clock.
      if (round >= 0) seen.set(name, [...(seen.get(name) ?? []), proxy.exchanges.slice(before)])
    }
  }
  proxy.close()
  return [...seen].map(([name, samples]) => ({ case: name, ...tallyOf(samples) }))
})

function lockSteps(what: keyof typeof MODES, round: string, { ours, others }: { ours: Store; others: Store }): Step[] {
  const key = `${what} ${round}`
  const held: Lock[] = []
  const acquire = async (store: Store): Promise<void> => {
    const lock = await tryAcquireLock({ store, key, leaseMs: LEASE_MS, onEvent: silent, ...MODES[what] })
    if (!lock) throw new Error(`Nobody contends for "${key}", and it is held`)
    held.push(lock)
  }
  const release = async (): Promise<void> => held.pop()?.release()
  const releaseAll = async (): Promise<void> => {
    while (held.length > 0) await release()
  }
  return [
    [`${what}, the first ever of its key`, () => acquire(ours)],
    [`${what}, beside one that this process holds`, () => acquire(ours)],
    [`${what}, of a key that only others have used`, () => acquire(others)],
    [`${what}, release`, release],
    [`${what}, of a key that this process has used`, () => acquire(ours), releaseAll],
  ]
}

function togetherSteps(store: Store, round: string): Step[] {
  let held: Lock | undefined
  const acquire = async (): Promise<void> => {
    held = await tryAcquireLock({ store, keys: [`x ${round}`, `y ${round}`], leaseMs: LEASE_MS, onEvent: silent })
    if (!held) throw new Error('Nobody contends for two locks, and one is held')
  }
  return [
    ['two locks together, the first ever of their keys', acquire],
    ['two locks together, release', async () => held?.release()],
    ['two locks together, of keys that this process has used', acquire],
  ]
}

function transactSteps(store: Store, round: string): Step[] {
  const pay = makeIdempotent(
    (order: string) => currentOperation().transact([{ Put: { TableName: ORDERS, Item: { pk: order, sk: 'order' } } }], { order }),
    { store, operation: 'pay', key: (order: string) => order, onEvent: silent },
  )
  return [
    ['operation with one write in transact(), begin to end', () => pay(round)],
    ['replay of it', () => pay(round)],
  ]
}
