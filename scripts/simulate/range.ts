import { work } from './crew.ts'
import { Progress } from './progress.ts'
import type { Chunk, SeedDone } from './worker.ts'

export interface RangeOptions {
  readonly first: number
  readonly count: number
  readonly workers: number
  readonly json: boolean
  readonly planted: string | undefined
}

/** Small enough that no core is left alone with the last one. */
const CHUNK = 10
/** After so many it is known that something is wrong. */
const MOST_VIOLATIONS = 10

/** Each seed of the range once. Returns the exit code. */
export async function runRange({ first, count, workers, json, planted }: RangeOptions): Promise<number> {
  const progress = new Progress(count)
  const violations: SeedDone[] = []
  const totals: Record<string, number> = {}
  let [at, events] = [first, 0]
  const isOver = (): boolean => at >= first + count || violations.length >= (planted === undefined ? MOST_VIOLATIONS : 1)
  const next = (): Chunk | undefined => {
    if (isOver()) return undefined
    const chunk = { first: at, count: Math.min(CHUNK, first + count - at) }
    at += chunk.count
    return chunk
  }
  const done = (seed: SeedDone): void => {
    events += seed.events
    for (const [what, times] of Object.entries(seed.counts)) totals[what] = (totals[what] ?? 0) + times
    progress.advance(seed.events)
    if (seed.problem === undefined) return
    violations.push(seed)
    if (!json) console.log(`\nSeed ${seed.seed}: ${seed.problem}\n${seed.shrunk}\n${seed.replay}`)
  }
  await work({ size: Math.min(workers, Math.ceil(count / CHUNK)), task: { planted, shrinks: true }, next, done })
  const { seconds } = progress
  if (json) console.log(JSON.stringify({ first, seeds: progress.done, events, seconds, violations, totals }, undefined, 2))
  else console.log(summary({ first, seeds: progress.done, events, seconds, violations: violations.length, totals }))
  return violations.length === 0 ? 0 : 1
}

interface Summary {
  readonly first: number
  readonly seeds: number
  readonly events: number
  readonly seconds: number
  readonly violations: number
  readonly totals: Readonly<Record<string, number>>
}

function summary({ first, seeds, events, seconds, violations, totals }: Summary): string {
  const happened = Object.entries(totals)
    .toSorted(([, a], [, b]) => b - a)
    .map(([what, times]) => `${times} ${what}`)
  const verdict = violations === 0 ? 'no violation' : `${violations} VIOLATIONS`
  const speed = `${Math.round(events / seconds)} a second`
  return `\n${happened.join(', ')}.\n${seeds} seeds from ${first} on, ${events} events (${speed}): ${verdict}.`
}
