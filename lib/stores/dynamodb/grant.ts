import type { Command, LockAcquire, OnceBegin, Reply } from '../../store/command.ts'
import { invariant } from '../../store/errors.ts'
import type { AlonceRecord, Fence } from '../../store/record.ts'
import { DAY_MS } from '../../store/time.ts'
import type { Sending } from './expression.ts'
import { type Head, ownerOf } from './item.ts'

export type Grantor = LockAcquire | OnceBegin

export const isGrantor = (command: Command): command is Grantor =>
  command.type === 'lock.acquire' || command.type === 'once.begin'

export const isGrant = (reply: Reply): boolean => reply.outcome === 'acquired' || reply.outcome === 'started'

/** The end of the lease that runs on the record. */
export const leaseEnd = (record: AlonceRecord): number | undefined =>
  record.kind === 'lock' ? record.holder?.expiresAtMs : record.expiresAtMs

/** A lease, or a waiter's sign of life: something whose end others wait for. */
export interface Lease {
  readonly owner: string
  readonly expiresAtMs: number
  readonly leaseMs: number | undefined
}

/** All leases that run on the record, or have ended and not been cleared away. */
export function leasesOf({ record, leaseMs }: Head): readonly Lease[] {
  const owner = ownerOf(record)
  const expiresAtMs = leaseEnd(record)
  const alone = owner === undefined || expiresAtMs === undefined ? [] : [{ owner, expiresAtMs, leaseMs }]
  if (record.kind === 'once') return alone
  const members = Object.entries(record.pool?.members ?? {}).map(([name, member]) => ({ owner: name, ...member }))
  const waiters = (record.queue ?? []).map((waiter) => ({ ...waiter, expiresAtMs: waiter.aliveUntilMs }))
  return [...alone, ...members, ...waiters]
}

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
