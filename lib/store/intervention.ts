import type { LockBreak, OnceForget } from './command.ts'
import type { AlonceRecord, Intervention } from './record.ts'
import type { Moment } from './time.ts'

type Step = LockBreak | OnceForget

/** What a step of an operator's leaves in the record. */
export const interventionOf = (
  { fence, reason, by }: Step,
  { latest }: Moment,
  fallback: 'broken' | 'forgotten',
): Intervention => ({ fence, reason: reason ?? fallback, by, atMs: latest })

/** Its answer was lost, and here is what it did (V3). Operators that say the same of the same grant did the same. */
export function isOwnStep(record: AlonceRecord, { fence, reason, by }: Step, { resent }: Moment): boolean {
  const last = record.intervention
  if (!resent || last?.fence !== fence || last.by !== by) return false
  return reason === undefined || last.reason === reason
}
