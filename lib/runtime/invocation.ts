/** What we need of Lambda's context; it is recognised among a wrapped function's arguments by its one method. */
export interface LambdaContext {
  getRemainingTimeInMillis(): number
  readonly awsRequestId?: string | undefined
}

export function findContext(args: readonly unknown[]): LambdaContext | undefined {
  return args.find(isContext)
}

function isContext(value: unknown): value is LambdaContext {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as Partial<LambdaContext>).getRemainingTimeInMillis === 'function'
  )
}

/** Milliseconds left to this invocation; `undefined` where there is no context or it has nothing sensible to say. */
export function remainingMs(context: LambdaContext | undefined): number | undefined {
  const ms = context?.getRemainingTimeInMillis()
  return typeof ms === 'number' && Number.isFinite(ms) && ms > 0 ? ms : undefined
}

export interface Lease {
  readonly leaseMs: number
  /** Whether it is to be renewed at a third of its length while the code runs. */
  readonly renewed: boolean
}

/** Lambda kills up to 0.7 s after the deadline: until then the code may still be at work. */
const KILL_GRACE_MS = 1000
const DEFAULT_LEASE_MS = 30_000
/** Lambda's longest invocation: a context that says more is not Lambda's. */
const LONGEST_INVOCATION_MS = 900_000

/** The lease for `leaseMs` as the user gave it (or not), in an invocation with `remaining` milliseconds left (or in none). */
export function leaseFor(leaseMs: number | undefined, remaining: number | undefined, minLeaseMs: number): Lease {
  if (leaseMs !== undefined) return { leaseMs, renewed: true }
  if (remaining === undefined || remaining > LONGEST_INVOCATION_MS)
    return { leaseMs: Math.max(DEFAULT_LEASE_MS, minLeaseMs), renewed: true }
  return { leaseMs: Math.max(remaining + KILL_GRACE_MS, minLeaseMs), renewed: false }
}

/** How long to wait at most: never so long that nothing is left to answer with. */
export function boundedWait(waitMs: number, remaining: number | undefined): number {
  if (remaining === undefined) return waitMs
  return Math.max(0, Math.min(waitMs, remaining - Math.max(250, remaining * 0.2)))
}
