import assert from 'node:assert/strict'
import type { Command, CommandType, Reply } from '../../lib/store/command.ts'
import type { AlonceRecord } from '../../lib/store/record.ts'
import { DAY_MS } from '../../lib/store/time.ts'
import type { Played } from './script.ts'

/** V1-V7 as checks of what was played. They look at owners, times and replies only, never at how a transition decides. */

const GRANTED: ReadonlySet<Reply['outcome']> = new Set(['acquired', 'started'])
const ENDINGS: ReadonlySet<CommandType> = new Set(['lock.release', 'once.abandon', 'once.complete'])
const OPENINGS: ReadonlySet<CommandType> = new Set(['lock.acquire', 'once.begin'])
const OPERATORS: ReadonlySet<CommandType> = new Set(['lock.break', 'once.forget'])

export const isGrant = (step: Played): boolean => GRANTED.has(step.reply.outcome) && step.after !== step.before

/** Who runs under the record now, and until when. */
export function running(record: AlonceRecord | undefined): { owner: string; expiresAtMs: number } | undefined {
  if (record?.kind === 'lock') return record.holder
  if (record?.status !== 'in-progress') return undefined
  return { owner: record.owner ?? '', expiresAtMs: record.expiresAtMs ?? 0 }
}

const ownerOf = (record: AlonceRecord | undefined): string | undefined =>
  record?.kind === 'once' ? record.owner : record?.holder?.owner

/** V1, V5: while anybody can still believe in its lease, by true time, nobody else is granted one. */
export function oneBeliever(played: readonly Played[]): void {
  const believers = new Map<string, number>()
  for (const step of played) {
    const { command, reply } = step
    if (step.deleted || reply.outcome === 'broken' || reply.outcome === 'forgotten') believers.clear()
    if (ENDINGS.has(command.type)) believers.delete(command.owner)
    if (isGrant(step)) {
      for (const [owner, until] of believers) {
        if (owner !== command.owner)
          assert(step.trueMs > until, `${command.owner} was granted while ${owner} believed: ${tell(step)}`)
      }
    }
    if ('expiresAtMs' in reply && reply.outcome !== 'in-progress') believers.set(command.owner, reply.expiresAtMs)
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
    if (isGrant(step)) assert(step.after.fence > fence, `the fence did not rise: ${tell(step)}`)
    else assert.equal(step.after.fence, fence, `the fence moved without a grant: ${tell(step)}`)
    fence = step.after.fence
  }
}

/** V3: the record of a running attempt is not touched by its own acquire or begin, however late and however often. */
export function ownGrantIsFinal(played: readonly Played[]): void {
  for (const step of played) {
    if (!OPENINGS.has(step.command.type) || ownerOf(step.before) !== step.command.owner) continue
    assert.equal(step.after, step.before, `matched its own record a second time: ${tell(step)}`)
  }
}

/** V3: what was released before an acquire or begin was first sent stays refused to it. */
export function ghostsStayDead(played: readonly Played[]): void {
  let end: { readonly owner: string | undefined; readonly atMs: number } | undefined
  for (const step of played) {
    if (step.deleted) end = undefined
    if (isGrant(step) && end) {
      assert.notEqual(step.command.owner, end.owner, `revived after its own release: ${tell(step)}`)
      assert(step.moment.sentAtMs >= end.atMs, `older than the last release, and yet granted: ${tell(step)}`)
    }
    const ended = step.after !== step.before && step.command.type !== 'once.complete' && !running(step.after)
    if (ended) end = { owner: ownerOf(step.before), atMs: step.moment.earliest }
  }
}

/** V4: a command of anybody but the owner leaves the very same record, and a completed one is left by its owner too. */
export function strangersChangeNothing(played: readonly Played[]): void {
  for (const step of played) {
    const { command, before, after } = step
    if (OPENINGS.has(command.type)) continue
    if (OPERATORS.has(command.type)) {
      const named = 'fence' in command && command.fence === before?.fence
      if (!named) assert.equal(after, before, `decided on another fence: ${tell(step)}`)
    } else if (running(before)?.owner !== command.owner) {
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
    const [before, after] = [running(step.before), running(step.after)]
    if (before && before.owner === after?.owner) assert(after.expiresAtMs >= before.expiresAtMs, `rewound: ${tell(step)}`)
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
  const now = running(after)
  switch (reply.outcome) {
    case 'acquired':
    case 'started':
      return now?.owner === command.owner && now.expiresAtMs === reply.expiresAtMs && after?.fence === reply.fence
    case 'renewed':
    case 'extended':
      return now?.owner === command.owner && now.expiresAtMs === reply.expiresAtMs
    case 'saved':
    case 'retired':
      return now?.owner === command.owner
    case 'released':
    case 'abandoned':
      return !now && after?.tombstone?.owner === command.owner
    case 'completed':
      // The reply to a begin shows somebody's result, the reply to its owner's complete or abandon its own.
      return (
        after?.kind === 'once' &&
        after.status === 'completed' &&
        (command.type === 'once.begin' || ownerOf(after) === command.owner)
      )
    case 'held':
    case 'in-progress':
      return now !== undefined && now.owner !== command.owner
    case 'broken':
    case 'forgotten':
      return after !== undefined && ownerOf(after) === undefined
    default:
      return true
  }
}

/** V7: begun with `hold`, it is never absent to anybody and never purged; everything else may be purged, a day late or later. */
export function holdsAreKept(played: readonly Played[]): void {
  for (const step of played) {
    const { before, after } = step
    if (before?.kind === 'once' && before.status === 'in-progress' && before.hold) {
      const theirs = step.command.owner !== before.owner && step.command.type !== 'once.forget'
      if (theirs) assert.equal(after, before, `a held attempt was taken over: ${tell(step)}`)
    }
    if (after?.kind === 'once' && after.status === 'in-progress' && after.hold)
      assert.equal(after.purgeAtMs, undefined, tell(step))
    else if (after) assert(mayBePurged(after), `purged too early, or never: ${tell(step)}`)
  }
}

function mayBePurged(record: AlonceRecord): boolean {
  const until = Math.max(running(record)?.expiresAtMs ?? 0, record.kind === 'once' ? (record.retainUntilMs ?? 0) : 0)
  return record.purgeAtMs !== undefined && record.purgeAtMs >= until + DAY_MS
}

/** V7: an owner whose lease has ended and whom nobody has replaced is served as before. */
export function lateOwnersAreServed(played: readonly Played[]): void {
  const refusals: ReadonlySet<string> = new Set(['lost', 'gone', 'uncertain'])
  for (const step of played) {
    const { command, before, reply } = step
    if (running(before)?.owner !== command.owner) continue
    if ('fence' in command && command.fence !== before?.fence) continue
    assert(!refusals.has(reply.outcome), `its own, and refused: ${tell(step)}`)
  }
}

export function tell(step: Played): string {
  const { command, moment, trueMs, sending, before, after, reply } = step
  return JSON.stringify({ command: short(command), sending, trueMs, moment, before, after, reply })
}

const short = ({ key: _key, ...rest }: Command): object => rest
