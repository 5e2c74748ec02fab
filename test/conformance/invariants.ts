import assert from 'node:assert/strict'
import type { Command, CommandType, Reply, Share } from '../../lib/store/command.ts'
import type { AlonceRecord, OnceRecord, Waiter } from '../../lib/store/record.ts'
import { DAY_MS } from '../../lib/store/time.ts'
import type { Played } from './script.ts'

/** V1-V7 as checks of what was played. They look at owners, times and replies only, never at how a transition decides. */

const GRANTED: ReadonlySet<Reply['outcome']> = new Set(['acquired', 'started'])
const ENDINGS: ReadonlySet<CommandType> = new Set(['lock.release', 'once.abandon', 'once.complete'])
const OPENINGS: ReadonlySet<CommandType> = new Set(['lock.acquire', 'once.begin'])
const OPERATORS: ReadonlySet<CommandType> = new Set(['lock.break', 'once.forget'])

export const isGrant = (step: Played): boolean => GRANTED.has(step.reply.outcome) && step.after !== step.before

/** A grant as well: the one who comes next has the lock, and has not been told yet. */
export const isHandOver = ({ command, before, after }: Played): boolean =>
  command.type === 'lock.release' &&
  after !== before &&
  after?.kind === 'lock' &&
  after.holder !== undefined &&
  !waits(before, command.owner)

/** Who runs under the record now, under which fence, and until when. */
export interface Runner {
  readonly owner: string
  readonly fence: number
  readonly expiresAtMs: number
}

export function runners(record: AlonceRecord | undefined): readonly Runner[] {
  if (record?.kind === 'lock') {
    const { fence, holder, pool } = record
    const members = Object.entries(pool?.members ?? {}).map(([owner, member]) => ({ ...member, owner }))
    return holder ? [{ ...holder, fence }, ...members] : members
  }
  if (record?.status !== 'in-progress') return []
  return [{ owner: record.owner ?? '', fence: record.fence, expiresAtMs: record.expiresAtMs ?? 0 }]
}

export const runner = (record: AlonceRecord | undefined, owner: string): Runner | undefined =>
  runners(record).find((candidate) => candidate.owner === owner)

/** The one who runs under the record, where there can be but one. */
export const running = (record: AlonceRecord | undefined): Runner | undefined => runners(record)[0]

const queueOf = (record: AlonceRecord | undefined): readonly Waiter[] => (record?.kind === 'lock' && record.queue) || []

const waits = (record: AlonceRecord | undefined, owner: string): boolean =>
  queueOf(record).some((waiter) => waiter.owner === owner)

const ownerOf = (record: AlonceRecord | undefined): string | undefined =>
  record?.kind === 'once' ? record.owner : record?.holder?.owner

interface Belief {
  readonly untilMs: number
  readonly share: Share | undefined
}

/** V1, V5: while anybody can still believe in its lease, by true time, nobody is granted one that does not go with it. */
export function oneBeliever(played: readonly Played[]): void {
  const believers = new Map<string, Belief>()
  /** How each owner was granted: who is forgotten here as a believer may renew, and believe again. */
  const granted = new Map<string, Share | undefined>()
  for (const step of played) {
    const { command, reply, after } = step
    const ended = (reply.outcome === 'broken' || reply.outcome === 'forgotten') && after !== step.before
    if (step.deleted || ended) believers.clear()
    if (ENDINGS.has(command.type)) believers.delete(command.owner)
    const next = isHandOver(step) && after?.kind === 'lock' ? after.holder : undefined
    if (next) {
      assert(goTogether(believers, undefined, step.trueMs), `handed over while another believed: ${tell(step)}`)
      believers.set(next.owner, { untilMs: next.expiresAtMs, share: undefined })
      granted.delete(next.owner)
    }
    if (isGrant(step) && command.type === 'lock.acquire') granted.set(command.owner, command.share)
    const share = granted.get(command.owner)
    if (isGrant(step)) {
      believers.delete(command.owner)
      assert(goTogether(believers, share, step.trueMs), `${command.owner} was granted while another believed: ${tell(step)}`)
    }
    if ('expiresAtMs' in reply && reply.outcome !== 'in-progress')
      believers.set(command.owner, { untilMs: reply.expiresAtMs, share })
  }
}

function goTogether(believers: ReadonlyMap<string, Belief>, share: Share | undefined, trueMs: number): boolean {
  const others = [...believers.values()].filter((belief) => belief.untilMs >= trueMs)
  if (others.length === 0) return true
  const weight = others.reduce((sum, belief) => sum + (belief.share?.weight ?? Number.POSITIVE_INFINITY), share?.weight ?? 0)
  const sameLimit = others.every((belief) => belief.share?.limit === share?.limit)
  return share !== undefined && sameLimit && Number.isFinite(weight) && weight <= (share.limit ?? Number.POSITIVE_INFINITY)
}

/** V1: whoever holds it alone is alone, and those who share it keep to their limit. The books are right. */
export function poolsAddUp(played: readonly Played[]): void {
  for (const step of played) {
    const pool = step.after?.kind === 'lock' ? step.after.pool : undefined
    if (step.after?.kind !== 'lock' || !pool) continue
    const members = Object.values(pool.members)
    assert.equal(
      members.reduce((sum, member) => sum + member.weight, 0),
      pool.weight,
      `the sum is wrong: ${tell(step)}`,
    )
    assert(pool.weight <= (pool.limit ?? Number.POSITIVE_INFINITY), `more than the limit: ${tell(step)}`)
    assert(!step.after.holder || members.length === 0, `held alone, and shared: ${tell(step)}`)
  }
}

/** Fairness: nobody is granted before a waiter that is alive by true time and came earlier, and the order stays. */
export function turnsAreKept(played: readonly Played[]): void {
  for (const step of played) {
    const { command, before, after } = step
    if (step.deleted || before === after) continue
    const [was, is] = [queueOf(before), queueOf(after)]
    const place = was.findIndex((waiter) => waiter.owner === command.owner)
    if (isGrant(step)) {
      const earlier = place < 0 ? was : was.slice(0, place)
      assert(!earlier.some((waiter) => waiter.aliveUntilMs >= step.trueMs), `overtook a waiter: ${tell(step)}`)
    }
    if (isHandOver(step)) assert.equal(ownerOf(after), was[0]?.owner, `handed over to somebody else: ${tell(step)}`)
    const stayed = was.filter((waiter) => waits(after, waiter.owner)).map((waiter) => waiter.owner)
    assert.deepEqual(
      is.slice(0, stayed.length).map((waiter) => waiter.owner),
      stayed,
      `the order changed: ${tell(step)}`,
    )
  }
}

/** V2: over a key's whole history, deletions included, fences of grants rise strictly; versions rise with every write. */
export function fencesRise(played: readonly Played[]): void {
  let fence = 0
  let version = 0
  for (const step of played) {
    if (step.after === step.before || !step.after) continue
    assert(step.after.version > version, `the version did not rise: ${tell(step)}`)
    version = step.after.version
    if (isGrant(step) || isHandOver(step)) assert(step.after.fence > fence, `the fence did not rise: ${tell(step)}`)
    else assert.equal(step.after.fence, fence, `the fence moved without a grant: ${tell(step)}`)
    fence = step.after.fence
  }
}

/** V3: the record of a running attempt is not touched by its own acquire or begin, however late and however often. */
export function ownGrantIsFinal(played: readonly Played[]): void {
  for (const step of played) {
    const { command, before, after } = step
    const own = runner(before, command.owner) || (before?.kind === 'once' && before.owner === command.owner)
    if (OPENINGS.has(command.type) && own) assert.equal(after, before, `matched its own record a second time: ${tell(step)}`)
  }
}

/** V3: what was released before an acquire or begin was first sent stays refused to it. */
export function ghostsStayDead(played: readonly Played[]): void {
  let end: { readonly owner: string | undefined; readonly atMs: number } | undefined
  for (const step of played) {
    if (step.deleted) end = undefined
    if (isGrant(step) && end && !waits(step.before, step.command.owner)) {
      assert.notEqual(step.command.owner, end.owner, `revived after its own release: ${tell(step)}`)
      assert(step.moment.sentAtMs >= end.atMs, `older than the last release, and yet granted: ${tell(step)}`)
    }
    const { command, before, after } = step
    if (after === before) continue
    // A takeover marks whom it takes over from as gone, at a time that may be less certain, and so earlier, than the last release's.
    if (isGrant(step) && after?.tombstone !== before?.tombstone) end = after?.tombstone
    if (command.type === 'lock.release') end = { owner: command.owner, atMs: step.moment.earliest }
    else if (command.type === 'lock.break' || (after?.kind === 'once' && after.status === undefined)) {
      const gone = runners(before).find((candidate) => !('fence' in command) || candidate.fence === command.fence)
      end = { owner: gone?.owner ?? ownerOf(before), atMs: step.moment.earliest }
    }
  }
}

/** V4: a command of anybody but the owner leaves the very same record, and a completed one is left by its owner too. */
export function strangersChangeNothing(played: readonly Played[]): void {
  for (const step of played) {
    const { command, before, after } = step
    if (OPENINGS.has(command.type)) continue
    if (OPERATORS.has(command.type)) {
      const named = 'fence' in command && [before?.fence, ...runners(before).map(({ fence }) => fence)].includes(command.fence)
      if (!named) assert.equal(after, before, `decided on another fence: ${tell(step)}`)
    } else if (!runner(before, command.owner) && !(command.type === 'lock.release' && waits(before, command.owner))) {
      assert.equal(after, before, `not the owner of a running attempt: ${tell(step)}`)
    }
  }
}

/** V4: only an operator, or a new attempt after the retention, ends what was completed. */
export function resultsStay(played: readonly Played[]): void {
  for (const step of played) {
    const { before, after, command } = step
    if (before?.kind !== 'once' || before.status !== 'completed' || after === before) continue
    const allowed = command.type === 'once.forget' || command.type === 'once.begin'
    assert(allowed, `a completed record was touched: ${tell(step)}`)
    if (command.type === 'once.begin') assert(step.trueMs > (before.retainUntilMs ?? 0), `inside its retention: ${tell(step)}`)
  }
}

/** V5: for one owner an expiry only rises. */
export function expiriesRise(played: readonly Played[]): void {
  for (const step of played) {
    for (const before of runners(step.before)) {
      const after = runner(step.after, before.owner)
      if (after) assert(after.expiresAtMs >= before.expiresAtMs, `rewound: ${tell(step)}`)
    }
  }
}

/** V6: `lost` and `stale` say that nothing was written, "I don't know" is said of re-sent commands only, success is the owner's. */
export function answersAreHonest(played: readonly Played[]): void {
  for (const step of played) {
    const { outcome } = step.reply
    const { resent } = step.moment
    if (['lost', 'stale', 'gone', 'uncertain', 'held', 'in-progress', 'mismatch', 'exists', 'unchanged'].includes(outcome)) {
      assert.equal(step.after, step.before, `refused and yet written: ${tell(step)}`)
    }
    if (outcome === 'lost') assert(!resent, `a re-sent command can't know that it is lost: ${tell(step)}`)
    if (outcome === 'gone' || outcome === 'uncertain') assert(resent, `nothing to be unsure of at a first sending: ${tell(step)}`)
    assert(succeeded(step), `a success that the record does not show: ${tell(step)}`)
  }
}

function succeeded({ command, reply, after }: Played): boolean {
  const own = runner(after, command.owner)
  switch (reply.outcome) {
    case 'acquired':
    case 'started':
      return own !== undefined && own.expiresAtMs === reply.expiresAtMs && own.fence === reply.fence
    case 'renewed':
    case 'extended':
      return own?.expiresAtMs === reply.expiresAtMs
    case 'saved':
    case 'retired':
      return own !== undefined
    case 'queued':
      return !own && queueOf(after)[reply.place]?.owner === command.owner
    case 'released':
    case 'abandoned':
      return !own && !waits(after, command.owner) && after?.tombstone?.owner === command.owner
    case 'completed':
      // The reply to a begin shows somebody's result, the reply to its owner's complete or abandon its own.
      return (
        after?.kind === 'once' &&
        after.status === 'completed' &&
        (command.type === 'once.begin' || ownerOf(after) === command.owner) &&
        (command.type !== 'once.complete' || command.token === undefined || command.token === after.token)
      )
    case 'held':
      return !own && (runner(after, reply.holder.owner) !== undefined || waits(after, reply.holder.owner))
    case 'in-progress':
      return !own && runners(after).length > 0
    case 'broken':
    case 'forgotten':
      return (
        'fence' in command &&
        after?.intervention?.fence === command.fence &&
        !runners(after).some(({ fence }) => fence === command.fence)
      )
    default:
      return true
  }
}

/** Who finds out what became of it, at the same payload, once its lease has ended. */
function mayFindOut({ command, trueMs }: Played, held: OnceRecord): boolean {
  if (command.type !== 'once.begin' || !command.reconcile || trueMs <= (held.expiresAtMs ?? 0)) return false
  return command.fingerprint === undefined || held.fingerprint === undefined || command.fingerprint === held.fingerprint
}

/** V7: begun with `hold`, it is absent to nobody but who finds out about it, and never purged; everything else may be purged, a day late or later. */
export function holdsAreKept(played: readonly Played[]): void {
  for (const step of played) {
    const { before, after } = step
    if (before?.kind === 'once' && before.status === 'in-progress' && before.hold) {
      const theirs = step.command.owner !== before.owner && step.command.type !== 'once.forget'
      if (theirs && !mayFindOut(step, before)) assert.equal(after, before, `a held attempt was taken over: ${tell(step)}`)
    }
    if (after?.kind === 'once' && after.status === 'in-progress' && after.hold)
      assert.equal(after.purgeAtMs, undefined, tell(step))
    else if (after) assert(mayBePurged(after), `purged too early, or never: ${tell(step)}`)
  }
}

function mayBePurged(record: AlonceRecord): boolean {
  const until = Math.max(
    0,
    ...runners(record).map(({ expiresAtMs }) => expiresAtMs),
    record.kind === 'once' ? (record.retainUntilMs ?? 0) : 0,
  )
  return record.purgeAtMs !== undefined && record.purgeAtMs >= until + DAY_MS
}

/** V7: an owner whose lease has ended and whom nobody has replaced is served as before. */
export function lateOwnersAreServed(played: readonly Played[]): void {
  const refusals: ReadonlySet<string> = new Set(['lost', 'gone', 'uncertain'])
  for (const step of played) {
    const { command, before, reply } = step
    const own = runner(before, command.owner)
    if (!own || ('fence' in command && command.fence !== own.fence)) continue
    assert(!refusals.has(reply.outcome), `its own, and refused: ${tell(step)}`)
  }
}

export function tell(step: Played): string {
  const { command, moment, trueMs, sending, before, after, reply } = step
  return JSON.stringify({ command: short(command), sending, trueMs, moment, before, after, reply })
}

const short = ({ key: _key, ...rest }: Command): object => rest
