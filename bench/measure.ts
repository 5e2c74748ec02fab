import { startDynamoDBLocal, untilUp } from '../scripts/dynamodb-local.ts'
import type { Arguments, Part } from './arguments.ts'
import { versionOf } from './installation.ts'
import { describeMachine } from './machine.ts'
import { measureParts } from './parts/bundle-parts.ts'
import { askChild } from './parts/child.ts'
import { measureContention } from './parts/contention.ts'
import type { CostsWish } from './parts/costs.process.ts'
import type { Cost } from './parts/costs.ts'
import { measureCpu } from './parts/cpu.ts'
import { measureEffects } from './parts/effects.ts'
import { runFaults } from './parts/faults.ts'
import type { LatencyWish } from './parts/latency.process.ts'
import type { Latency } from './parts/latency.ts'
import { measureRaft } from './parts/raft.ts'
import { IMPORT_COUNT, measureBundles, measureImports } from './parts/size.ts'
import { ALL_PRODUCTS, LOCK_PRODUCTS } from './products/products.ts'
import type { Progress } from './progress.ts'
import type { Results } from './results.ts'

const PACKAGES = [
  'alonce',
  '@aws-lambda-powertools/idempotency',
  'dynamodb-lock-client',
  '@deliveryhero/dynamodb-lock',
  '@verrou/core',
  '@aws-sdk/client-dynamodb',
  'aws-sdk',
]

interface Run {
  readonly endpoint: string
  readonly quick: boolean
  readonly progress: Progress
}

/** One part after the other, on one DynamoDB Local, so that none disturbs another. */
export async function measure({ quick, parts }: Arguments, progress: Progress): Promise<Results> {
  const local = await startDynamoDBLocal()
  try {
    await untilUp(local.endpoint)
    let results: Results = {
      measuredOn: new Date().toISOString().slice(0, 10),
      quick,
      parts,
      machine: describeMachine(),
      versions: Object.fromEntries(PACKAGES.map((name) => [name, versionOf(name)])),
    }
    for (const part of parts) {
      progress.begin(part)
      results = { ...results, ...(await MEASURES[part]({ endpoint: local.endpoint, quick, progress })) }
      progress.end()
    }
    return results
  } finally {
    await local.stop()
  }
}

const MEASURES: { readonly [part in Part]: (run: Run) => Promise<Partial<Results>> } = {
  costs: async ({ endpoint, quick, progress }) => {
    const costs: Cost[][] = []
    for (const [at, product] of ALL_PRODUCTS.entries()) {
      progress.step(at, ALL_PRODUCTS.length, product)
      costs.push(await askChild<CostsWish, Cost[]>('costs.process.ts', { endpoint, product, rounds: quick ? 1 : 3 }))
    }
    return { costs: costs.flat() }
  },
  latency: async ({ endpoint, quick, progress }) => {
    progress.step(0, 1, 'rounds of all products in turn')
    return { latency: await askChild<LatencyWish, Latency[]>('latency.process.ts', { endpoint, rounds: quick ? 20 : 100 }) }
  },
  cpu: async ({ quick, progress }) => {
    const plan = quick ? { turns: 1, rounds: 6, calls: 150, warmUp: 800 } : { turns: 4, rounds: 12, calls: 200, warmUp: 2000 }
    let done = 0
    return { cpu: await measureCpu({ ...plan, onStep: (what) => progress.step(done++, plan.turns * 4, what) }) }
  },
  size: async ({ quick, progress }) => {
    const rounds = quick ? 3 : 15
    let done = 0
    const imports = measureImports(rounds, (what) => progress.step(done++, (rounds + 1) * IMPORT_COUNT, what))
    return { imports, bundles: await measureBundles(), bundleParts: await measureParts() }
  },
  contention: async ({ endpoint, quick, progress }) => {
    const plan = quick ? { contenders: 10, holdsMs: [20] } : { contenders: 100, holdsMs: [20, 500] }
    let done = 0
    const steps = plan.holdsMs.length * LOCK_PRODUCTS.length
    return { contention: await measureContention({ endpoint, ...plan, onStep: (what) => progress.step(done++, steps, what) }) }
  },
  effects: async ({ endpoint, quick, progress }) => {
    const plan = quick ? { rounds: 1, contenders: 10, holdMs: 20 } : { rounds: 3, contenders: 100, holdMs: 500 }
    let done = 0
    return measureEffects({ endpoint, ...plan, onStep: (what) => progress.step(done++, 2, what) })
  },
  faults: async ({ endpoint, quick, progress }) => ({
    faults: await runFaults({ endpoint, quick, atOnce: 4, onStep: (done, of, what) => progress.step(done, of, what) }),
  }),
  raft: async ({ quick, progress }) => {
    const plan = quick
      ? { rounds: 1, steps: 500_000, seeds: 50, records: 100_000, snapshots: 1 }
      : { rounds: 5, steps: 3_000_000, seeds: 300, records: 1_000_000, snapshots: 3 }
    let done = 0
    return { raft: await measureRaft({ ...plan, onStep: (what) => progress.step(done++, plan.rounds * 3, what) }) }
  },
}
