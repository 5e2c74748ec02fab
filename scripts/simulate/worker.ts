import { parentPort, workerData } from 'node:worker_threads'
import { plant } from '../../test/simulation/plant.ts'

/** What a worker is started with. */
export interface WorkerTask {
  /** A bug to plant; what is loaded once can't be planted again, so each has a worker of its own. */
  readonly planted: string | undefined
  /** Whether a run that fails is shrunk, to be replayed. */
  readonly shrinks: boolean
}

/** The seeds to run, one after the other. */
export interface Chunk {
  readonly first: number
  readonly count: number
}

/** One seed is done. */
export interface SeedDone {
  readonly seed: number
  readonly events: number
  readonly counts: Readonly<Record<string, number>>
  readonly theme: string
  readonly problem: string | undefined
  /** The command that shows it again. */
  readonly replay: string | undefined
  readonly shrunk: string | undefined
}

const { planted, shrinks } = workerData as WorkerTask
if (planted !== undefined) plant(planted)
// Not before a bug is planted, or it would be too late.
const { runWorld } = await import('../../test/simulation/world.ts')
const { profileOf } = await import('../../test/simulation/profile.ts')
const { replayCommand, shrink } = await import('../../test/simulation/shrink.ts')

parentPort?.on('message', async ({ first, count }: Chunk) => {
  for (let seed = first; seed < first + count; seed++) {
    const done = await runSeed(seed)
    parentPort?.postMessage(done)
    if (done.problem !== undefined && planted !== undefined) break
  }
  parentPort?.postMessage('idle')
})
parentPort?.postMessage('idle')

async function runSeed(seed: number): Promise<SeedDone> {
  const report = await runWorld({ seed })
  const { events, counts, problem } = report
  const { theme } = profileOf(seed)
  const done = { seed, events, counts, theme, problem, replay: undefined, shrunk: undefined }
  if (problem === undefined || !shrinks) return done
  const { runs, keep, report: shortest } = await shrink(report)
  const command = replayCommand(seed, keep, shortest.horizonMs)
  const bug = planted === undefined ? '' : ` --planted '${planted}'`
  return {
    ...done,
    replay: `${command}${bug}`,
    shrunk: `Shrunk in ${runs} runs to ${keep.length} faults: ${shortest.problem}`,
  }
}
