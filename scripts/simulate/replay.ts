import { plant } from '../../test/simulation/plant.ts'
import type { WorldOptions } from '../../test/simulation/world.ts'

/** One seed, in this process, as it is asked for. Returns the exit code. */
export async function replay(options: WorldOptions, planted: string | undefined): Promise<number> {
  if (planted !== undefined) plant(planted)
  // Not before a bug is planted, or it would be too late.
  const { runWorld } = await import('../../test/simulation/world.ts')
  const { problem, lines, events } = await runWorld(options)
  if (lines.length > 0) console.log(lines.join('\n'))
  console.log(`\nSeed ${options.seed}: ${problem ?? `${events} events, no violation`}`)
  return problem === undefined ? 0 : 1
}
