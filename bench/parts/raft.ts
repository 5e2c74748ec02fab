import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { type Spread, spreadOf } from '../statistics.ts'
import { askChild, childEnvironment } from './child.ts'
import type { CoreReport, CoreWish } from './raft-core.process.ts'
import type { Stall, StallWish } from './raft-stall.process.ts'

export interface RaftFigures {
  /** Messages that the protocol takes in a second, on one core, in a group of five. */
  readonly coreSteps: Spread
  readonly coreStepsOfCpu: Spread
  /** Of the whole simulated cluster, on all cores. */
  readonly simulatedEvents: Spread
  readonly stall: {
    readonly records: number
    /** Milliseconds: the longest turn of the loop while a snapshot is written beside new writes, and at other times. */
    readonly during: Spread
    readonly without: Spread
    readonly longestCollection: Spread
    readonly snapshotSeconds: Spread
  }
}

export interface RaftPlan {
  readonly rounds: number
  readonly steps: number
  readonly seeds: number
  readonly records: number
  readonly snapshots: number
  readonly onStep: (what: string) => void
}

/** The three in turns, so that what else the machine does hits all of them. */
export async function measureRaft({ rounds, steps, seeds, records, snapshots, onStep }: RaftPlan): Promise<RaftFigures> {
  const cores: CoreReport[] = []
  const events: number[] = []
  const stalls: Stall[] = []
  for (let round = 0; round < rounds; round++) {
    onStep(`the protocol alone, round ${round + 1}`)
    cores.push(await askChild<CoreWish, CoreReport>('raft-core.process.ts', { steps }))
    onStep(`the simulation, round ${round + 1}`)
    events.push(await simulate(1 + round * seeds, seeds))
    onStep(`snapshots of ${records} records, round ${round + 1}`)
    stalls.push(await askChild<StallWish, Stall>('raft-stall.process.ts', { records, snapshots }))
  }
  const ofStalls = (figure: (stall: Stall) => readonly number[]): Spread => spreadOf(stalls.flatMap(figure))
  return {
    coreSteps: spreadOf(cores.map(({ perSecond }) => perSecond)),
    coreStepsOfCpu: spreadOf(cores.map(({ perCpuSecond }) => perCpuSecond)),
    simulatedEvents: spreadOf(events),
    stall: {
      records,
      during: ofStalls(({ during }) => during),
      without: ofStalls(({ without }) => without),
      longestCollection: ofStalls(({ collections }) => collections),
      snapshotSeconds: ofStalls(({ snapshotMs }) => snapshotMs.map((ms) => ms / 1000)),
    },
  }
}

/** Events a second of the command that everybody runs, on all cores. */
async function simulate(seed: number, seeds: number): Promise<number> {
  const script = join(import.meta.dirname, '../../scripts/simulate.ts')
  const child = spawn(process.execPath, [script, '--seed', String(seed), '--seeds', String(seeds)], {
    env: childEnvironment(process.env),
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  await once(child, 'close')
  const perSecond = /events \((\d+) a second\)/.exec(output)?.[1]
  if (perSecond === undefined) throw new Error(`The simulation did not come to its end:\n${output.slice(-1000)}`)
  return Number(perSecond)
}
