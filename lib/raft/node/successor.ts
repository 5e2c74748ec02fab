import { isVoter } from '../core/configuration.ts'
import type { MemberId } from '../core/entry.ts'
import type { RaftStatus } from '../core/status.ts'

/** Whom a leader hands over to: the voter that it heard of lately and that has most of the log. */
export function successor({ id, progress, configuration }: RaftStatus): MemberId | undefined {
  const fit = progress.filter((other) => other.id !== id && other.recentActive && isVoter(configuration, other.id))
  return fit.toSorted((a, b) => b.match - a.match)[0]?.id
}
