import { setTimeout as delay } from 'node:timers/promises'
import type { LockSession } from '../products/product.ts'
import { loadProduct, type ProductId } from '../products/products.ts'
import { median } from '../statistics.ts'
import { FaultProxy } from '../table/fault-proxy.ts'
import { createTableFor } from '../table/local-client.ts'
import { reportToParent } from './child.ts'

export interface ContentionWish {
  readonly endpoint: string
  readonly product: ProductId
  readonly contenders: number
  readonly holdMs: number
  /** When it is time to stop waiting for them. */
  readonly limitMs: number
  readonly fair?: boolean
}
export interface ContentionReport {
  readonly product: ProductId
  readonly contenders: number
  readonly holdMs: number
  readonly served: number
  /** What was thrown at those who asked, by name: nobody's error is lost. */
  readonly errors?: { readonly [name: string]: number }
  /** From the start until the last one that was served had released. */
  readonly drainMs: number
  /** An uncontended release and the acquisition after it. */
  readonly handOverMs: number
  readonly writesPerGrant: number
  readonly readsPerGrant: number
  /** How often somebody entered while another was in. */
  readonly overlaps: number
}

const LEASE_MS = 3000

/** One client for each contender, all in this process, behind one proxy that counts. */
await reportToParent(async (wish: ContentionWish): Promise<ContentionReport> => {
  const product = await loadProduct(wish.product)
  const proxy = new FaultProxy(
    wish.endpoint,
    product.keys.filter((name) => name !== undefined),
  )
  const setting = { endpoint: await proxy.listen(), tableName: tableOf(wish) }
  await createTableFor(product, { ...setting, endpoint: wish.endpoint })
  const sessions = await Promise.all(Array.from({ length: wish.contenders }, () => product.connect(setting)))
  const locks = sessions.flatMap(({ lock }) => (lock ? [lock] : []))
  // So that connections are up and clocks known, as in a process that has been at work.
  for (const [index, lock] of locks.entries()) await useOnce(lock, `warm-up-${index}`)
  const handOverMs = await handOver(locks)

  proxy.exchanges.length = 0
  const storm = await drain(locks, wish)
  const served = Math.max(1, storm.served)
  return {
    product: wish.product,
    contenders: wish.contenders,
    holdMs: wish.holdMs,
    ...storm,
    handOverMs,
    writesPerGrant: proxy.exchanges.filter(({ writes }) => writes).length / served,
    readsPerGrant: proxy.exchanges.filter(({ writes }) => !writes).length / served,
  }
})

function tableOf({ product, holdMs, contenders, fair }: ContentionWish): string {
  return `contention-${product}-${holdMs}-${contenders}${fair ? '-fair' : ''}`
}

async function useOnce(lock: LockSession, name: string): Promise<void> {
  await (await lock.acquire(name, { leaseMs: LEASE_MS, waitMs: 0 }))?.release()
}

async function handOver(locks: readonly LockSession[]): Promise<number> {
  const times: number[] = []
  let held = await locks[0]?.acquire('hand-over', { leaseMs: LEASE_MS, waitMs: 0 })
  for (const lock of locks.slice(1, 31)) {
    const before = performance.now()
    await held?.release()
    held = await lock.acquire('hand-over', { leaseMs: LEASE_MS, waitMs: 0 })
    times.push(performance.now() - before)
  }
  await held?.release()
  return times.length > 0 ? median(times) : 0
}

async function drain(locks: readonly LockSession[], { holdMs, limitMs, fair = false }: ContentionWish) {
  const startedAt = performance.now()
  let inside = 0
  let overlaps = 0
  let served = 0
  const errors: { [name: string]: number } = {}
  const note = (error: unknown): undefined => {
    const { code, name = 'unknown' } = error as { readonly code?: string; readonly name?: string }
    errors[code ?? name] = (errors[code ?? name] ?? 0) + 1
  }
  let lastAt = startedAt
  const contend = async (lock: LockSession): Promise<void> => {
    const held = await lock.acquire('contended', { leaseMs: LEASE_MS, waitMs: limitMs, fair }).catch(note)
    if (!held) return
    inside++
    if (inside > 1) overlaps++
    await delay(holdMs)
    inside--
    await held.release().catch(note)
    served++
    lastAt = performance.now()
  }
  const all = Promise.all(locks.map(contend))
  await Promise.race([all, delay(limitMs, undefined, { ref: false })])
  return { served, errors, overlaps, drainMs: lastAt - startedAt }
}
