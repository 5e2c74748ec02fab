import { askChild } from './child.ts'
import type { ContentionReport, ContentionWish } from './contention.process.ts'
import { limitMs } from './contention.ts'
import type { Tally } from './costs.ts'
import type { EffectsWish } from './effects.process.ts'

export const FIRST_OF_KEY = ['permit, the first ever of its key', 'shared lock, the first ever of its key'] as const
export const KNOWN_KEY = [
  'permit, beside one that this process holds',
  'permit, of a key that this process has used',
  'shared lock, beside one that this process holds',
  'shared lock, of a key that this process has used',
] as const
export const TRANSACTED = ['operation with one write in transact(), begin to end'] as const

export const TOGETHER = ['two locks together, of keys that this process has used'] as const

export type EffectCase =
  | (typeof FIRST_OF_KEY)[number]
  | (typeof KNOWN_KEY)[number]
  | (typeof TRANSACTED)[number]
  | (typeof TOGETHER)[number]
  | 'two locks together, the first ever of their keys'
  | 'two locks together, release'
  | `${'permit' | 'shared lock'}, of a key that only others have used`
  | `${'permit' | 'shared lock'}, release`
  | 'replay of it'

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
