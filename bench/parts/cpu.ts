import { ALL_PRODUCTS, type ProductId } from '../products/products.ts'
import { median, type Spread, spreadOf } from '../statistics.ts'
import { askChild } from './child.ts'
import type { CpuRound, CpuWish } from './cpu.process.ts'

export interface CpuFigure {
  readonly product: ProductId
  /** Of two bare calls of the same SDK, in the same process, in turns. */
  readonly ratio: Spread
  readonly micros: number
  readonly bareMicros: number
}

/** On the AWS SDK version 2 there is nothing to compare with: bare calls of version 3 are another program's. */
const ON_SDK_3 = ALL_PRODUCTS.filter((product) => product !== 'dynamodb-lock-client')

/** Processes in turns (A B C D, A B C D, …), and in each of them product and bare calls in turns. */
export async function measureCpu(
  wish: Omit<CpuWish, 'product'> & { readonly turns: number; readonly onStep: (what: string) => void },
): Promise<CpuFigure[]> {
  const { turns, onStep, ...rest } = wish
  const rounds = new Map<ProductId, CpuRound[]>(ON_SDK_3.map((product) => [product, []]))
  for (let turn = 0; turn < turns; turn++) {
    for (const product of ON_SDK_3) {
      onStep(`${product}, process ${turn + 1} of ${turns}`)
      rounds.get(product)?.push(...(await askChild<CpuWish, CpuRound[]>('cpu.process.ts', { ...rest, product })))
    }
  }
  return [...rounds].map(([product, measured]) => ({
    product,
    ratio: spreadOf(measured.map(({ productMicros, bareMicros }) => productMicros / bareMicros)),
    micros: median(measured.map((round) => round.productMicros)),
    bareMicros: median(measured.map((round) => round.bareMicros)),
  }))
}
