import type { Command, LockAcquire, OnceBegin, Reply } from '../../store/command.ts'
import { invariant } from '../../store/errors.ts'
import type { AlonceRecord, Fence } from '../../store/record.ts'
import { DAY_MS } from '../../store/time.ts'
import type { Sending } from './expression.ts'

export type Grantor = LockAcquire | OnceBegin

export const isGrantor = (command: Command): command is Grantor =>
  command.type === 'lock.acquire' || command.type === 'once.begin'

export const isGrant = (reply: Reply): boolean => reply.outcome === 'acquired' || reply.outcome === 'started'

/** The end of the lease that runs on the record. */
export const leaseEnd = (record: AlonceRecord): number | undefined =>
  record.kind === 'lock' ? record.holder?.expiresAtMs : record.expiresAtMs

/**
 * The record that a guess has granted, as the server's clock would have had it: the expiry, the TTL, and the fence and the
 * version if they were seeded by the guess. Nobody has been told of the first ones.
 */
export function regranted(
  record: AlonceRecord,
  command: Grantor,
  { guess, sending }: { guess: Sending; sending: Sending },
): AlonceRecord {
  const seeded = sending.basis === 'server' && record.version === guess.seed + 1
  const rise = seeded
    ? { fence: (sending.seed + 1) as Fence, version: sending.seed + 1 }
    : { fence: record.fence, version: record.version + 1 }
  const expiresAtMs = sending.latest + command.leaseMs
  if (record.kind === 'once') {
    const keepMs = Math.max(command.leaseMs, command.type === 'once.begin' ? command.retainMs : 0)
    return { ...record, ...rise, expiresAtMs, purgeAtMs: record.hold ? undefined : sending.latest + keepMs + DAY_MS }
  }
  const { holder } = record
  invariant(holder !== undefined, () => `a granted lock has no holder, fence ${record.fence}`)
  return { ...record, ...rise, holder: { ...holder, expiresAtMs }, purgeAtMs: expiresAtMs + DAY_MS }
}
