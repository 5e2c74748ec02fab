import type { ProductId } from '../products/products.ts'
import { reportToParent } from './child.ts'
import { type Cost, measureCosts } from './costs.ts'

export interface CostsWish {
  readonly endpoint: string
  readonly product: ProductId
  readonly rounds: number
}

await reportToParent(
  ({ endpoint, product, rounds }: CostsWish): Promise<Cost[]> =>
    measureCosts(endpoint, { products: [product], rounds, onStep: () => undefined }),
)
