import { askChild } from './child.ts'
import type { ContentionReport, ContentionWish } from './contention.process.ts'
import { limitMs } from './contention.ts'
import type { Tally } from './costs.ts'
import type { EffectCase } from './effect-cases.ts'
import type { EffectsWish } from './effects.process.ts'

export interface EffectCost extends Tally {
  readonly case: EffectCase
}

export interface EffectsPlan {
  readonly endpoint: string
  readonly rounds: number
  readonly contenders: number
  readonly holdMs: number
  readonly onStep: (what: string) => void
}

/** What Alonce has and no peer does: permits, shared locks, transactions with the record, a queue. */
export async function measureEffects(
  plan: EffectsPlan,
): Promise<{ readonly effects: readonly EffectCost[]; readonly fair: ContentionReport }> {
  const { endpoint, rounds, contenders, holdMs, onStep } = plan
  onStep('permits, shared locks, transactions')
  const effects = await askChild<EffectsWish, EffectCost[]>('effects.process.ts', { endpoint, rounds })
  onStep(`a queue of ${contenders}, ${holdMs} ms each`)
  const queue = { product: 'alonce', fair: true, limitMs: limitMs(contenders, holdMs) } as const
  const wish: ContentionWish = { endpoint, contenders, holdMs, ...queue }
  return { effects, fair: await askChild<ContentionWish, ContentionReport>('contention.process.ts', wish) }
}
