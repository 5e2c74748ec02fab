import { ALL_PRODUCTS } from '../products/products.ts'
import { reportToParent } from './child.ts'
import { type Latency, measureLatency } from './latency.ts'

export interface LatencyWish {
  readonly endpoint: string
  readonly rounds: number
}

await reportToParent(
  ({ endpoint, rounds }: LatencyWish): Promise<Latency[]> =>
    measureLatency(endpoint, { products: ALL_PRODUCTS, rounds, onStep: () => undefined }),
)
