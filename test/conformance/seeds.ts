import { execFileSync } from 'node:child_process'

/** A seed of fast-check, and how to have it again. */
export interface Seed {
  readonly title: string
  readonly seed: number
}

/**
 * One seed that never changes, so that a commit is judged by the same runs twice, and one that changes with the commit, so
 * that the project keeps looking. `ALONCE_SEED=<number>` replaces the second one.
 */
export function seeds(fixed: number): readonly Seed[] {
  const own = process.env['ALONCE_SEED']
  const drawn = own === undefined ? seedOfCommit() : Number(own)
  return [
    { title: `fixed seed ${fixed}`, seed: fixed },
    { title: `replay with ALONCE_SEED=${drawn}`, seed: drawn },
  ]
}

/** How much more to try when there is time: `ALONCE_LONG=1`. */
export const effort = (usual: number): number => (process.env['ALONCE_LONG'] === '1' ? usual * 20 : usual)

function seedOfCommit(): number {
  try {
    const head = execFileSync('git', ['rev-parse', '--short=7', 'HEAD'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    return Number.parseInt(head.trim(), 16)
  } catch {
    return 20_261_124 // an archive without history
  }
}
