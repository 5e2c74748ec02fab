import { LOCK_PRODUCTS } from '../products/products.ts'
import { askChild } from './child.ts'
import type { ContentionReport, ContentionWish } from './contention.process.ts'

export interface ContentionPlan {
  readonly endpoint: string
  readonly contenders: number
  readonly holdsMs: readonly number[]
  readonly onStep: (what: string) => void
}

/** One product at a time: each has the machine to itself, as far as the machine is ours. */
export async function measureContention({ endpoint, contenders, holdsMs, onStep }: ContentionPlan): Promise<ContentionReport[]> {
  const reports: ContentionReport[] = []
  for (const holdMs of holdsMs) {
    for (const product of LOCK_PRODUCTS) {
      onStep(`${product}, ${contenders} contenders, ${holdMs} ms each`)
      const wish: ContentionWish = { endpoint, product, contenders, holdMs, limitMs: limitMs(contenders, holdMs) }
      reports.push(await askChild<ContentionWish, ContentionReport>('contention.process.ts', wish))
    }
  }
  return reports
}

/** Twice what it would take without any contention, and ten seconds: who has not drained by then is stopped. */
export const limitMs = (contenders: number, holdMs: number): number => 2 * contenders * (holdMs + 20) + 10_000

/** The time that it would take if each hand-over took no longer than one without contention. */
export const idealMs = ({ contenders, holdMs, handOverMs }: ContentionReport): number => contenders * (holdMs + handOverMs)
