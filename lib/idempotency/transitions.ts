import type {
  OnceAbandon,
  OnceBegin,
  OnceCheckpoint,
  OnceCommand,
  OnceComplete,
  OnceExtend,
  OnceForget,
  OnceRetire,
  Replies,
} from '../store/command.ts'
import { interventionOf, isOwnStep } from '../store/intervention.ts'
import type { Fence, OnceRecord } from '../store/record.ts'
import type { Transitioned } from '../store/store.ts'
import { DAY_MS, type Moment } from '../store/time.ts'

/**
 * The specification of idempotency. A record goes from absent to in progress to completed; it is given back by its owner,
 * taken over when its owner's lease has ended, and begun anew when its retention has.
 */
export function onceTransition(record: OnceRecord | undefined, command: OnceCommand, moment: Moment): Transitioned<OnceRecord> {
  switch (command.type) {
    case 'once.begin':
      return begin(record, command, moment)
    case 'once.extend':
      return extend(record, command, moment)
    case 'once.checkpoint':
      return checkpoint(record, command, moment)
    case 'once.retire':
      return retire(record, command, moment)
    case 'once.complete':
      return complete(record, command, moment)
    case 'once.abandon':
      return abandon(record, command, moment)
    case 'once.forget':
      return forget(record, command, moment)
  }
}

function begin(record: OnceRecord | undefined, command: OnceBegin, moment: Moment): Transitioned<OnceRecord> {
  if (record && isRunBy(record, command.owner)) return same(record, started(record, false))
  if (record && isCurrent(record, command, moment)) return same(record, refusal(record, command))
  if (isGhost(record, command.owner, moment)) return same(record, { outcome: 'stale' })

  const expiresAtMs = moment.latest + command.leaseMs
  const samePayload = record !== undefined && record.status !== 'completed' && !differs(record, command)
  const hold = command.hold || command.reconcile || undefined
  const mustReconcile = command.reconcile && samePayload && record.status === 'in-progress'
  const begun: OnceRecord = {
    kind: 'once',
    fence: ((record?.fence ?? moment.seed) + 1) as Fence,
    version: (record?.version ?? moment.seed) + 1,
    status: 'in-progress',
    owner: command.owner,
    label: command.label,
    attempt: samePayload ? record.attempt + 1 : 1,
    expiresAtMs,
    fingerprint: command.fingerprint ?? (samePayload ? record.fingerprint : undefined),
    hold,
    crashed: mustReconcile ? { fence: record.fence, attempt: record.attempt } : undefined,
    checkpoints: samePayload ? record.checkpoints : {},
    epoch: record?.epoch ?? 0,
    retired: record?.retired ?? {},
    // Who is taken over, or outlived by its retention, is marked as gone: its late begin must not bring it back (V3).
    tombstone: record?.owner === undefined ? record?.tombstone : { owner: record.owner, atMs: moment.earliest },
    intervention: record?.intervention,
    purgeAtMs: hold ? undefined : moment.latest + Math.max(command.leaseMs, command.retainMs) + DAY_MS,
  }
  return next(begun, started(begun, record?.status === 'in-progress'))
}

/** Whether the record still counts to the sender (V7): a kept result, a live lease, or a held attempt whatever its age. */
function isCurrent(record: OnceRecord, command: OnceBegin, moment: Moment): boolean {
  if (record.status === 'completed') return moment.earliest <= (record.retainUntilMs ?? 0)
  if (record.status !== 'in-progress') return false
  return isHeldAgainst(record, command) || moment.earliest <= (record.expiresAtMs ?? 0)
}

/** Only who is at the same payload, and will find out what became of it, may take a held attempt over. */
const isHeldAgainst = (record: OnceRecord, command: OnceBegin): boolean =>
  record.hold === true && (!command.reconcile || differs(record, command))

function refusal(record: OnceRecord, command: OnceBegin): Replies['once.begin'] {
  if (differs(record, command)) return { outcome: 'mismatch', status: record.status ?? 'in-progress' }
  if (record.status === 'completed' && record.result) {
    return { outcome: 'completed', fence: record.fence, result: record.result, retainUntilMs: record.retainUntilMs ?? 0 }
  }
  const { fence, expiresAtMs = 0, label } = record
  return { outcome: 'in-progress', fence, expiresAtMs, hold: isHeldAgainst(record, command), label }
}

/** Only two known fingerprints can differ: whoever adds or drops the option keeps the records that are there. */
const differs = (record: OnceRecord, command: OnceBegin): boolean =>
  record.fingerprint !== undefined && command.fingerprint !== undefined && record.fingerprint !== command.fingerprint

function started(record: OnceRecord, tookOver: boolean): Replies['once.begin'] {
  const { fence, attempt, expiresAtMs = 0, checkpoints, epoch, retired, crashed } = record
  return { outcome: 'started', fence, attempt, expiresAtMs, tookOver, checkpoints, epoch, retired, crashed }
}

function extend(record: OnceRecord | undefined, command: OnceExtend, moment: Moment): Transitioned<OnceRecord> {
  if (!record || !isRunBy(record, command.owner)) return same(record, unowned(moment))
  const expiresAtMs = Math.max(record.expiresAtMs ?? 0, moment.latest + command.leaseMs)
  if (expiresAtMs === record.expiresAtMs) return same(record, { outcome: 'extended', expiresAtMs })
  const purgeAtMs = record.purgeAtMs && Math.max(record.purgeAtMs, expiresAtMs + DAY_MS)
  return next({ ...record, version: record.version + 1, expiresAtMs, purgeAtMs }, { outcome: 'extended', expiresAtMs })
}

function checkpoint(record: OnceRecord | undefined, command: OnceCheckpoint, moment: Moment): Transitioned<OnceRecord> {
  if (!record || !isRunBy(record, command.owner)) return same(record, unowned(moment))
  const known = Object.hasOwn(record.checkpoints, command.name) ? record.checkpoints[command.name] : undefined
  if (known !== undefined) return same(record, { outcome: 'exists', value: known })
  const checkpoints = { ...record.checkpoints, [command.name]: command.value }
  return next({ ...record, version: record.version + 1, checkpoints }, { outcome: 'saved' })
}

function retire(record: OnceRecord | undefined, command: OnceRetire, moment: Moment): Transitioned<OnceRecord> {
  if (!record || !isRunBy(record, command.owner)) return same(record, unowned(moment))
  const now = Object.hasOwn(record.retired, command.name) ? (record.retired[command.name] ?? 0) : 0
  if (now >= command.generation) return same(record, { outcome: 'retired', generation: now })
  const retired = { ...record.retired, [command.name]: command.generation }
  return next({ ...record, version: record.version + 1, retired }, { outcome: 'retired', generation: command.generation })
}

function complete(record: OnceRecord | undefined, command: OnceComplete, moment: Moment): Transitioned<OnceRecord> {
  if (!record || record.owner !== command.owner) return same(record, unowned(moment))
  if (record.status === 'completed') {
    // Completed some other way: then a transaction is not what did it, and never will be.
    const byAnother = command.token !== undefined && command.token !== record.token
    return same(record, byAnother ? unowned(moment) : { outcome: 'completed' })
  }
  const retainUntilMs = moment.latest + command.retainMs
  const completed: OnceRecord = {
    ...record,
    version: record.version + 1,
    status: 'completed',
    expiresAtMs: undefined,
    hold: undefined,
    crashed: undefined,
    checkpoints: {},
    result: command.result,
    token: command.token,
    retainUntilMs,
    purgeAtMs: Math.max(retainUntilMs, record.expiresAtMs ?? 0) + DAY_MS,
  }
  return next(completed, { outcome: 'completed' })
}

function abandon(record: OnceRecord | undefined, command: OnceAbandon, moment: Moment): Transitioned<OnceRecord> {
  if (record && record.owner === command.owner) {
    if (record.status === 'completed') return same(record, { outcome: 'completed' })
    return next(freed(record, { owner: command.owner, atMs: moment.earliest }, moment), { outcome: 'abandoned' })
  }
  // By its own abandonment, not by an operator's, which has a reason.
  if (record?.status === undefined && record?.tombstone?.owner === command.owner && record.tombstone.reason === undefined) {
    return same(record, { outcome: 'abandoned' })
  }
  return same(record, { outcome: moment.resent ? 'gone' : 'lost' })
}

function forget(record: OnceRecord | undefined, command: OnceForget, moment: Moment): Transitioned<OnceRecord> {
  if (!record || record.status === undefined || record.fence !== command.fence) {
    return same(record, { outcome: record && isOwnStep(record, command, moment) ? 'forgotten' : 'unchanged' })
  }
  const intervention = interventionOf(command, moment, 'forgotten')
  const tombstone = { owner: record.owner ?? '', atMs: moment.earliest, reason: intervention.reason }
  const cleared = { ...freed(record, tombstone, moment), intervention, attempt: 0, checkpoints: {}, fingerprint: undefined }
  return next({ ...cleared, epoch: record.fence, retired: {} }, { outcome: 'forgotten' })
}

/** Nobody's: checkpoints, fingerprint and attempts stay for the next attempt at the same payload. */
const freed = (record: OnceRecord, tombstone: OnceRecord['tombstone'], moment: Moment): OnceRecord => ({
  ...record,
  version: record.version + 1,
  status: undefined,
  owner: undefined,
  label: undefined,
  expiresAtMs: undefined,
  hold: undefined,
  crashed: undefined,
  result: undefined,
  token: undefined,
  retainUntilMs: undefined,
  tombstone,
  purgeAtMs: Math.max(record.purgeAtMs ?? 0, moment.latest + DAY_MS),
})

const isRunBy = (record: OnceRecord, owner: string): boolean => record.status === 'in-progress' && record.owner === owner

function isGhost(record: OnceRecord | undefined, owner: string, moment: Moment): boolean {
  // Its own result has outlived its retention: a begin may not match its own record a second time (V3).
  if (record?.owner === owner) return true
  const tombstone = record?.tombstone
  return tombstone !== undefined && (tombstone.owner === owner || tombstone.atMs > moment.sentAtMs)
}

const unowned = (moment: Moment): Replies['once.extend' | 'once.complete'] & { outcome: 'lost' | 'uncertain' } => ({
  outcome: moment.resent ? 'uncertain' : 'lost',
})

type OnceReply = Replies[OnceCommand['type']]
const same = (record: OnceRecord | undefined, reply: OnceReply): Transitioned<OnceRecord> => ({ record, reply })
const next = (record: OnceRecord, reply: OnceReply): Transitioned<OnceRecord> => ({ record, reply })
