/** What the process ends with. Documented in docs/cli.md; a number never changes its meaning. */
export const STATUS = {
  done: 0,
  failed: 1,
  usage: 2,
  /** `run`: another holds the lock. */
  held: 3,
  /** There is no such record, or nothing to break or forget. */
  nothing: 4,
  /** `run`: the lock was lost before the command had ended. */
  lost: 5,
  /** `doctor`: warnings, and no error. */
  warnings: 6,
  /** `run`: as shells have it. */
  notExecutable: 126,
  notFound: 127,
  /** Plus the signal's number, as shells have it. */
  signalled: 128,
} as const

/** The command line itself is wrong. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}
