import { FIRST_OF_KEY, KNOWN_KEY, TOGETHER, TRANSACTED } from '../parts/effect-cases.ts'
import { figure } from '../statistics.ts'
import type { Goal } from './goal.ts'

export interface Asked {
  readonly case: string
  readonly requests: number
}
export interface Queue {
  readonly contenders: number
  readonly holdMs: number
  readonly served: number
  readonly drainMs: number
  readonly idealMs: number
  readonly writesPerGrant: number
}

/** Of permits, shared locks, several locks, transactions and the queue. */
export function effectGoals(effects: readonly Asked[], fair: Queue): Goal[] {
  const rate = fair.idealMs / fair.drainMs
  const all = fair.served === fair.contenders
  const queue = `${fair.contenders} contenders, ${fair.holdMs} ms holds, \`fair: true\``
  return [
    requestsGoal(effects, 'Requests for the first permit or shared lock of a key', { of: FIRST_OF_KEY, most: 2 }),
    requestsGoal(effects, 'Requests for one whose key the process knows', { of: KNOWN_KEY, most: 1 }),
    requestsGoal(effects, 'Requests for two free locks together', { of: TOGETHER, most: 1 }),
    requestsGoal(effects, 'Requests for an operation that transacts one write', { of: TRANSACTED, most: 2 }),
    {
      what: `${queue}: writes a grant`,
      goal: '≤ 3',
      measured: figure(fair.writesPerGrant),
      met: all && fair.writesPerGrant <= 3,
    },
    { what: `${queue}: ideal time ÷ time to drain`, goal: '≥ 0.9', measured: figure(rate), met: all && rate >= 0.9 },
  ]
}

/** By the worst of its cases. */
function requestsGoal(
  costs: readonly Asked[],
  what: string,
  { of, most }: { readonly of: readonly string[]; readonly most: number },
): Goal {
  const requests = Math.max(...costs.filter((cost) => of.includes(cost.case)).map((cost) => cost.requests))
  return { what, goal: `≤ ${most}`, measured: figure(requests), met: requests <= most }
}
