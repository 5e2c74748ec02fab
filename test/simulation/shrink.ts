import { runWorld, type WorldReport } from './world.ts'

export interface Shrunk {
  readonly report: WorldReport
  readonly keep: readonly number[]
  readonly runs: number
}

/** Fewer faults and a shorter run that still end in a violation (of any kind): after Zeller's ddmin (2002). */
export async function shrink(failed: WorldReport, maxRuns = 200): Promise<Shrunk> {
  const { seed } = failed
  let best = failed
  let keep: readonly number[] = failed.faults.map((_, place) => place)
  let runs = 0

  async function fails(candidate: readonly number[], horizonMs: number): Promise<boolean> {
    if (runs >= maxRuns) return false
    runs++
    const report = await runWorld({ seed, keep: candidate, horizonMs })
    if (report.problem === undefined) return false
    best = report
    keep = candidate
    return true
  }

  for (let parts = 2; keep.length > 0 && parts <= Math.max(2, keep.length); ) {
    const size = Math.ceil(keep.length / parts)
    let shorter = false
    for (let at = 0; at < keep.length && !shorter; at += size) {
      const without = [...keep.slice(0, at), ...keep.slice(at + size)]
      shorter = await fails(without, best.horizonMs)
    }
    if (!shorter && parts >= keep.length) break
    parts = shorter ? Math.max(2, parts - 1) : Math.min(keep.length, parts * 2)
  }
  for (const share of [0.25, 0.5, 0.75, 0.9]) if (await fails(keep, Math.ceil(failed.horizonMs * share))) break
  return { report: best, keep, runs }
}

export const replayCommand = (seed: number, keep: readonly number[], horizonMs: number): string =>
  `npm run simulate -- --seed ${seed} --keep ${keep.length > 0 ? keep.join(',') : 'none'} --until ${horizonMs} --trace`
