import type { Part } from './arguments.ts'
import type { Machine } from './machine.ts'
import type { BundlePart } from './parts/bundle-parts.ts'
import type { ContentionReport } from './parts/contention.process.ts'
import type { Cost } from './parts/costs.ts'
import type { CpuFigure } from './parts/cpu.ts'
import type { EffectCost } from './parts/effects.ts'
import type { FaultCell } from './parts/faults.ts'
import type { Latency } from './parts/latency.ts'
import type { RaftFigures } from './parts/raft.ts'
import type { BundleSize, ImportTime } from './parts/size.ts'

/** All that a run has found out: what `--json` prints, and what the documents are made of. */
export interface Results {
  readonly measuredOn: string
  readonly quick: boolean
  readonly parts: readonly Part[]
  readonly machine: Machine
  readonly versions: { readonly [packageName: string]: string }
  readonly costs?: readonly Cost[]
  readonly latency?: readonly Latency[]
  readonly cpu?: readonly CpuFigure[]
  readonly bundles?: readonly BundleSize[]
  readonly bundleParts?: readonly BundlePart[]
  readonly imports?: readonly ImportTime[]
  readonly contention?: readonly ContentionReport[]
  readonly effects?: readonly EffectCost[]
  /** The contention for a lock with a queue: Alonce's alone. */
  readonly fair?: ContentionReport
  readonly faults?: readonly FaultCell[]
  readonly raft?: RaftFigures
}
