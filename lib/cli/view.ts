import { hash } from 'node:crypto'
import type { AlonceRecord, Intervention, LockRecord, OnceRecord, RecordKey } from '../store/record.ts'
import type { Interval } from '../store/time.ts'
import { iso } from './duration.ts'

/**
 * - `held`, `running`: nobody else may have it yet;
 * - `expired`: its lease has ended; the next who comes takes it over;
 * - `stuck`: an attempt begun with `hold`, whose lease has ended: somebody has to decide;
 * - `completed`: its result is replayed; `free`: nobody has it.
 */
export type State = 'held' | 'running' | 'expired' | 'stuck' | 'completed' | 'free'
export const STATES: readonly State[] = ['held', 'running', 'expired', 'stuck', 'completed', 'free']

/** A record as `--json` shows it: documented, stable, and nothing secret in it. Times are ISO 8601, by the store's clock. */
export type RecordView = LockView | OnceView

interface Common {
  readonly key: string
  readonly state: State
  readonly fence: number
  readonly version: number
  readonly lastRelease?:
    | { readonly owner: string; readonly at?: string | undefined; readonly reason?: string | undefined }
    | undefined
  readonly intervention?: InterventionView | undefined
}

export interface InterventionView {
  readonly fence: number
  readonly reason: string
  readonly by?: string | undefined
  readonly at?: string | undefined
}

export interface LockView extends Common {
  readonly kind: 'lock'
  readonly name: string
  readonly limit?: number | undefined
  readonly holders: readonly HolderView[]
  readonly waiting: readonly { readonly owner: string; readonly label?: string | undefined }[]
}

export interface HolderView {
  readonly owner: string
  readonly label?: string | undefined
  readonly mode: 'exclusive' | 'shared' | 'permit'
  readonly fence: number
  readonly weight: number
  readonly expiresAt?: string | undefined
  readonly expiresAtMs: number
}

export interface OnceView extends Common {
  readonly kind: 'once'
  readonly operation: string
  readonly owner?: string | undefined
  readonly label?: string | undefined
  readonly attempt: number
  readonly expiresAt?: string | undefined
  readonly expiresAtMs?: number | undefined
  readonly hold: boolean
  /** Names only. */
  readonly checkpoints: readonly string[]
  /** Never its body. */
  readonly result?: { readonly form: string; readonly codec: string; readonly bytes: number } | undefined
  readonly replayedUntil?: string | undefined
  readonly replayedUntilMs?: number | undefined
  readonly epoch: number
}

export const viewOf = (key: RecordKey, record: AlonceRecord, now: Interval): RecordView =>
  record.kind === 'lock' ? lockView(key, record, now) : onceView(key, record, now)

function lockView(key: RecordKey, record: LockRecord, now: Interval): LockView {
  const holders = holdersOf(record)
  const live = holders.some((holder) => !isOver(holder.expiresAtMs, now))
  return {
    kind: 'lock',
    key,
    name: key.slice('lock/'.length),
    state: holders.length === 0 ? 'free' : live ? 'held' : 'expired',
    ...head(record),
    limit: record.pool?.limit,
    holders,
    waiting: (record.queue ?? []).map(({ owner, label }) => ({ owner: digestOf(owner), label })),
  }
}

function holdersOf({ holder, pool, fence }: LockRecord): readonly HolderView[] {
  const alone = holder ? [{ ...holder, fence, weight: 1, mode: 'exclusive' as const }] : []
  const mode = pool?.limit === undefined ? ('shared' as const) : ('permit' as const)
  const members = Object.entries(pool?.members ?? {}).map(([owner, member]) => ({ owner, ...member, mode }))
  return [...alone, ...members].map(({ owner, label, mode: kind, fence: own, weight, expiresAtMs }) => ({
    owner: digestOf(owner),
    label,
    mode: kind,
    fence: own,
    weight,
    expiresAt: iso(expiresAtMs),
    expiresAtMs,
  }))
}

function onceView(key: RecordKey, record: OnceRecord, now: Interval): OnceView {
  const { result, expiresAtMs, retainUntilMs, owner } = record
  return {
    kind: 'once',
    key,
    operation: key.split('/')[1] ?? '',
    state: onceState(record, now),
    ...head(record),
    owner: owner === undefined ? undefined : digestOf(owner),
    label: record.label,
    attempt: record.attempt,
    expiresAt: iso(expiresAtMs),
    expiresAtMs,
    hold: record.hold === true,
    checkpoints: Object.keys(record.checkpoints),
    result: result && {
      form: result.form,
      codec: result.codec,
      bytes: result.body instanceof Uint8Array ? result.body.length : result.body.bytes,
    },
    replayedUntil: iso(retainUntilMs),
    replayedUntilMs: retainUntilMs,
    epoch: record.epoch,
  }
}

function onceState({ status, expiresAtMs = 0, retainUntilMs = 0, hold }: OnceRecord, now: Interval): State {
  if (status === undefined) return 'free'
  if (status === 'completed') return isOver(retainUntilMs, now) ? 'free' : 'completed'
  if (!isOver(expiresAtMs, now)) return 'running'
  return hold ? 'stuck' : 'expired'
}

/** As the transitions see it (V5): by the time that has passed for certain. */
const isOver = (ms: number, now: Interval): boolean => now.earliest > ms

const head = ({
  fence,
  version,
  tombstone,
  intervention,
}: AlonceRecord): Pick<Common, 'fence' | 'version' | 'lastRelease' | 'intervention'> => ({
  fence,
  version,
  lastRelease: tombstone && { owner: digestOf(tombstone.owner), at: iso(tombstone.atMs), reason: tombstone.reason },
  intervention: intervention && interventionView(intervention),
})

const interventionView = ({ fence, reason, by, atMs }: Intervention): InterventionView => ({ fence, reason, by, at: iso(atMs) })

/** Whoever knows an owner can release its lock: people are shown enough of a hash to tell two apart. */
const digestOf = (owner: string): string => hash('sha256', owner, 'hex').slice(0, 8)
