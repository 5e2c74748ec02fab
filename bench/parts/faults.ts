import type { Cell } from '../faults/cell.ts'
import { LOCK_FAULTS } from '../faults/lock-faults.ts'
import { type Fault, ONCE_FAULTS } from '../faults/once-faults.ts'
import { Stage } from '../faults/stage.ts'
import { LOCK_PRODUCTS, loadProduct, ONCE_PRODUCTS, type ProductId } from '../products/products.ts'

export interface FaultCell extends Cell {
  readonly kind: 'idempotency' | 'locks'
  readonly fault: string
  readonly expected: string
  readonly product: ProductId
}

interface Planned {
  readonly kind: FaultCell['kind']
  readonly fault: Fault
  readonly product: ProductId
}

export interface FaultPlan {
  readonly endpoint: string
  readonly quick: boolean
  /** Cells spend their time waiting for leases to end, so several run side by side. */
  readonly atOnce: number
  readonly onStep: (done: number, of: number, what: string) => void
}

export async function runFaults({ endpoint, quick, atOnce, onStep }: FaultPlan): Promise<FaultCell[]> {
  const wanted = (faults: readonly Fault[]): readonly Fault[] => faults.filter((fault) => !quick || !fault.slow)
  const planned: Planned[] = [
    ...wanted(ONCE_FAULTS).flatMap((fault) => ONCE_PRODUCTS.map((product) => ({ kind: 'idempotency' as const, fault, product }))),
    ...wanted(LOCK_FAULTS).flatMap((fault) => LOCK_PRODUCTS.map((product) => ({ kind: 'locks' as const, fault, product }))),
  ]
  const cells: (FaultCell | undefined)[] = planned.map(() => undefined)
  let next = 0
  let done = 0
  const work = async (): Promise<void> => {
    for (let at = next++; at < planned.length; at = next++) {
      const plan = planned[at]
      if (!plan) return
      cells[at] = await play(endpoint, plan)
      onStep(++done, planned.length, `${plan.product}: ${plan.fault.name}`)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  return cells.filter((played) => played !== undefined)
}

/** So long no fault takes: one that hangs is a bug of the bench, and must not hang the rest. */
const CELL_LIMIT_MS = 90_000

async function play(endpoint: string, { kind, fault, product }: Planned): Promise<FaultCell> {
  const stage = new Stage(endpoint, product, await loadProduct(product))
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error(`${product}: "${fault.name}" did not end`)), CELL_LIMIT_MS)
  try {
    await stage.open()
    const played = await Promise.race([fault.play(stage), late.promise])
    return { kind, fault: fault.name, expected: fault.expected, product, ...played }
  } finally {
    clearTimeout(timer)
    stage.close()
  }
}
