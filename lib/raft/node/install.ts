import { encodeConfiguration } from '../core/configuration.ts'
import type { Snapshot } from '../core/entry.ts'
import { invariant } from '../core/invariant.ts'
import type { RaftLog } from '../log/log.ts'
import type { Applier } from './applier.ts'
import type { Durable } from './log-writer.ts'

export interface Installation {
  readonly log: RaftLog
  readonly applier: Applier
  readonly pieces: readonly Uint8Array[] | undefined
}

/** First the log, then the state: what a crash leaves of the two is the state that the log begins with. */
export async function installSnapshot(
  { log, applier, pieces }: Installation,
  snapshot: Snapshot,
  follows: Durable,
): Promise<void> {
  invariant(pieces !== undefined, () => `the pieces of the snapshot at ${snapshot.index} are gone`)
  const { index, term, configuration } = snapshot
  await log.installSnapshot({ index, term, configuration: encodeConfiguration(configuration) }, pieces, follows)
  await applier.restore({ index, configuration }, pieces)
}
